"""The candidate sheets: three, with the TEOs' admission numbers."""

from __future__ import annotations

from onex.samples import spelling
from onex.samples.applying import Application, strangers_of
from onex.samples.exams import FULL_PLAN, Candidate, Plan, renumbered, season_of
from onex.samples.people import Person
from onex.samples.sheets import Cell, Line, Sheet, headed

CANDIDATES: dict[str, tuple[str, str, tuple[tuple[str, str], ...]]] = {
    "2020-autumn": (
        "candidates-2020-autumn.xlsx",
        "考生信息汇总表",
        headed(
            "考核计划:plan 评价组织代码:teo 准考证号:admission 姓名:name 证件类型:document_type "
            "证件号码:document 性别:sex 考生来源:source 手机:phone 理论新考或补考:theory "
            "实操新考或补考:practical 原证书号:former"
        ),
    ),
    "2021-spring": (
        "candidates-2021-spring.gb18030.csv",
        "",
        headed("准考证号:admission 计划编号:plan 姓名:name 身份证号:document 证件类型:document_type 考生来源:source"),
    ),
    "2021-autumn": (
        "candidates-2021-autumn.xlsx",
        "",
        headed(
            "批次:plan 姓名:name 性别:sex 证件类型:document_type 证件号:document 准考证号:admission 考生来源:source"
        ),
    ),
}


def candidate_sheets(
    candidates: list[Candidate], idle: list[Application], untrained: list[Application], nobody: Person
) -> list[Sheet]:
    """A sheet a season, bad rows among them.

    `idle` completed the training but is registered nowhere; `untrained` is approved but did not complete it.
    """
    sheets = {}
    for season, (file, title, columns) in CANDIDATES.items():
        sheet = Sheet(file, "candidates", "candidates", "assessment", "demo-exam-office", columns, title)
        own = [candidate for candidate in candidates if season_of(candidate.plan.session_date) == season]
        sheet.lines = [Line(candidate_cells(n, candidate)) for n, candidate in enumerate(own)]
        sheets[season] = sheet
    add_bad_rows(sheets, candidates, idle, untrained, nobody)
    return list(sheets.values())


def candidate_cells(n: int, candidate: Candidate) -> dict[str, Cell]:
    """A row of a candidate sheet."""
    person, plan = candidate.application.person, candidate.plan
    return {
        "plan": plan.plan + (" " if n % 47 == 6 else ""),
        "teo": plan.teo if n % 2 else "",
        "admission": spelling.wide(candidate.admission_number) if n % 59 == 11 else candidate.admission_number,
        "name": spelling.name(person, n),
        "document_type": person.document_type,
        "document": spelling.document_number(person, n + 7),
        "sex": "男" if person.document_number[-2:-1] in "13579" else "女",
        "source": "在校生" if person.record else "社会人员",
        "phone": person.phone,
        "theory": "新考",
        "practical": "新考",
    }


def add_bad_rows(
    sheets: dict[str, Sheet],
    candidates: list[Candidate],
    idle: list[Application],
    untrained: list[Application],
    nobody: Person,
) -> None:
    """Nobody's row, no application, no training, a number already given, no such plan, one more than the quota."""
    robot = next(item for item in candidates if item.plan.plan == "RB20201128-01")
    full = next(item for item in candidates if item.plan.plan == FULL_PLAN)
    stranger = Application(strangers_of(1)[0], robot.plan.scheme, robot.plan.level)
    unenrolled = Application(nobody, robot.plan.scheme, robot.plan.level)
    waiting = fitting(untrained, robot.plan)
    late, later = fitting(idle, robot.plan), fitting(idle, full.plan)
    autumn, spring = sheets["2020-autumn"], sheets["2021-spring"]
    put(autumn, 30, renumbered(robot, stranger, "RB2011289901"), "learner_unknown")
    put(autumn, 90, renumbered(robot, unenrolled, "RB2011289902"), "not_enrolled")
    put(autumn, 140, renumbered(robot, waiting, "RB2011289903"), "training_not_completed")
    put(spring, 20, renumbered(robot, late, robot.admission_number), "admission_taken")
    put(spring, 40, renumbered(full, later, "SN2021029901"), "plan_unknown", plan="SN-2021-99")
    put(spring, len(spring.lines), renumbered(full, later, "SN2021029902"), "quota_full")


def fitting(applications: list[Application], plan: Plan) -> Application:
    """Somebody with an application for what the plan examines."""
    return next(item for item in applications if (item.scheme, item.level) == (plan.scheme, plan.level))


def put(sheet: Sheet, at: int, candidate: Candidate, code: str, **cells: Cell) -> None:
    """Put a row that must be refused into a sheet."""
    sheet.lines.insert(at, Line({**candidate_cells(0, candidate), **cells}, code))
