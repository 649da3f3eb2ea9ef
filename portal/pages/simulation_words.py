"""The words of simulations of conversion drafts in two languages."""

from __future__ import annotations

SIMULATION: dict[str, tuple[str, str]] = {
    "draft_simulation": ("草案测算", "Simulation of a draft"),
    "draft_rule": ("转换规则 {0} 第 {1} 版", "Conversion rule {0}, version {1}"),
    "draft_policy": ("管理办法 {0} 第 {1} 版", "Policy document {0}, version {1}"),
    "see_simulation": ("查看或发起测算", "See its simulation, or ask for one"),
    "draft_simulating": (
        "正在测算：专业年级 {0} / {1}，已处理学生 {2} 人。",
        "Being simulated: {0} of {1} programmes and entry years, {2} students so far.",
    ),
    "draft_simulated": (
        "{0} 完成，由 {1} 发起；处理学生 {2} 人，按 {3} 当日申请计。",
        "Finished at {0}, asked for by {1}; {2} students were looked at, as if they filed on {3}.",
    ),
    "draft_void": (
        "测算期间草案、规则或管理办法已有变动，请重新测算。",
        "The draft, a rule or a policy document changed meanwhile. Have it simulated again.",
    ),
    "students_gain": ("新增可办理的学生", "Students who gain"),
    "students_lose": ("失去可办理项的学生", "Students who lose"),
    "in_flight": ("按草案不成立的在办事项", "Open, and would fall by the draft"),
    "in_flight_hint": (
        "在办申请 {0} 件，替代建议 {1} 件；它们仍按各自所依据的版本办理。",
        "{0} applications, {1} offers; these go on by the versions they name.",
    ),
    "exemptions_allowed": ("新增可办理", "Newly allowed"),
    "exemptions_taken": ("不再可办理", "No longer allowed"),
    "exemptions_repriced": ("所需积分变动", "Cost other points"),
    "exemptions_drawing": (
        "各课程新增和不再可办理的免修项数",
        "Exemptions newly allowed and no longer allowed by course",
    ),
    "exemptions_drawing_hint": (
        "中线右侧为新增可办理，左侧为不再可办理；逐项单独判断，同一学生的数项未必能同时办理。",
        "To the right what is newly allowed, to the left what is no more; each by itself, not all can be had together.",
    ),
    "nobody_is_concerned": ("没有学生受影响。", "No student is concerned."),
    "by_programme": ("按专业", "By programme"),
    "by_scheme": ("按证书", "By certificate"),
    "by_course": ("按课程", "By course"),
    "programmes_drawing": ("各专业增加和减少的积分", "Points gained and lost by programme"),
    "no_programme": ("未就读", "no programme"),
    "course_or_module": ("课程或模块", "Course or module"),
    "exemption_changes": ("逐项明细", "Every exemption"),
    "effect_allowed": ("新增可办理", "newly allowed"),
    "effect_taken": ("不再可办理", "no longer allowed"),
    "effect_repriced": ("所需积分变动", "costs other points"),
    "effect_application": ("在办申请按草案不成立", "open application would fall"),
    "effect_offer": ("替代建议按草案不成立", "open offer would fall"),
    "points_before": ("现需积分", "Points now"),
    "points_after": ("草案所需积分", "Points by the draft"),
    "simulate_draft_hint": (
        "将对全部相关学生测算，只读取数据，不改动任何账户；已有的审批随之作废。",
        "Every student concerned is looked at; nothing is changed. Approvals there are so far are void.",
    ),
}
