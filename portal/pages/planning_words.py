"""The words of the plan's page and of the graduation list in two languages."""

from __future__ import annotations

PLANNING: dict[str, tuple[str, str]] = {
    # what credits buy at best
    "credit_plan": ("学分使用规划", "Credit plan"),
    "credit_plan_lead": (
        "按现行规则，学分最多可以换得的免修。规划不是承诺：申请在每个环节都会重新审核。",
        "The most that credits can buy by today's rules. It promises nothing: applications are judged at every step.",
    ),
    "plan_at_best": ("最多可免修", "At best"),
    "plan_sum": ("积分，即 {0} 学分；申请 {1} 项", "points, that is {0} credits; applications: {1}"),
    "plan_choices": ("建议申请", "What to apply for"),
    "plan_nothing": ("目前没有可以申请的免修。", "Nothing can be applied for at the moment."),
    "plan_now": ("现在可申请", "can be filed now"),
    "plan_in_window": ("{0} 起可申请", "can be filed from {0}"),
    "plan_once_final": ("可先申请，待生效", "can be filed, waits for final"),
    "plan_forecloses": ("现在使用会错过：", "Spent now, it forecloses:"),
    "plan_keeps_open": (
        "不妨碍日后用更高等级置换。",
        "It forecloses nothing that a higher level could buy.",
    ),
    "plan_left_out": ("未选入的项目", "Not chosen"),
    "plan_from_day": ("可自 {0} 起申请。", "It can be filed from {0} on."),
    "plan_no_day": ("尚未公布可以申请的时段。", "No window in which to file it is announced yet."),
    "plan_unnumbered": (
        "{0}：证书编号尚未登记。可以先申请，登记后审批。",
        "{0}: the certificate's number is not on record yet. An application may be filed, and is decided once it is.",
    ),
    "plan_revoked": (
        "{0}：证书已被撤销，其积分不能使用，请咨询教务。",
        "{0}: the certificate was revoked, so its points can't be spent. Ask the registry.",
    ),
    # what one more certificate would add
    "price_tag": ("再考一项证书，能多换什么？", "What would one more certificate add?"),
    "price_tag_lead": (
        "报名前先看一看：不会提交申请，也不留记录。",
        "Ask before enrolling: nothing is filed, nothing is kept.",
    ),
    "price_ask": ("测算", "Work it out"),
    "price_known": ("本专业有转换规则", "With rules for this programme"),
    "price_others": ("其他证书", "Others"),
    "price_gain": ("增加积分", "Points it would add"),
    "price_exempted": ("最多可免修积分", "Points excused from, at best"),
    "price_extra": ("新增可免修", "New in the plan"),
    "price_dropped": ("被取代", "Gives way to it"),
    "price_hint": (
        "测算不看申请时段，也不看账户冻结等暂时情况。",
        "Worked out without windows, and as if nothing held the account up or froze it.",
    ),
    # who would miss graduation
    "rescues": ("毕业预警", "Graduation"),
    "rescues_title": ("可能无法按期毕业的学生", "Who would miss graduation"),
    "rescues_lead": (
        "从所选学期起，向前看两个学期：谁有逾期课程或学分不足，哪些未使用的学分可以补上。",
        "Seen from a term, two terms ahead: who is behind or short of credits, and what unspent credits would save.",
    ),
    "rescue_term": ("学期", "Seen from term"),
    "rescue_term_hint": ("如 {0}", "such as {0}"),
    "choose_cohort": ("请选择专业和年级。", "Choose a programme and an entry year."),
    "nobody_to_rescue": (
        "在所查看的 {0} 份学籍之内，没有人会错过毕业。",
        "Among the {0} student records looked at, at most, nobody would miss graduation.",
    ),
    "rescue_would_miss": ("可能无法按期毕业", "Would miss it"),
    "rescue_saved": ("用学分可以补足", "Credits would save them"),
    "rescue_lost": ("用学分仍不能补足", "Credits alone would not"),
    "rescue_is_saved": ("可以补足", "can be saved"),
    "rescue_is_lost": ("仍不能补足", "not enough"),
    "rescue_is_locked": ("学分暂不能使用", "can't be spent now"),
    "rescue_drawing": ("各班学生能否用学分补足", "Who could be saved by credits, by class"),
    "rescue_drawing_hint": (
        "中线右侧：用学分可以补足的学生数；左侧：仍不能补足的学生数。",
        "To the right, how many credits would save; to the left, how many they would not.",
    ),
    "rescue_drawing_cut": ("图中仅列人数最多的班级。", "Only the largest classes are drawn."),
    "no_class": ("未分班", "no class"),
    "behind_with": ("未修得课程", "Behind with"),
    "course_failed": ("不合格", "failed"),
    "course_not_taken": ("无成绩", "no result"),
    "plan_term": ("第 {0} 学期", "term {0}"),
    "and_more": ("另有 {0} 门", "{0} more"),
    "by_how_much": ("差多少", "By how much"),
    "short_points": ("总积分缺 {0}", "{0} short of the total"),
    "excused_from": ("未用学分可免修", "Unspent credits excuse from"),
    "excused_from_nothing": ("无", "nothing"),
    "rescue_more": (
        "每页查看 {0} 份学籍，图与数字仅指本页。",
        "A page looks at {0} student records; figures and drawing are of this page.",
    ),
}
