"""Who completes the training, and the completion sheets."""

from __future__ import annotations

from random import Random

from onex.samples import spelling
from onex.samples.annex import Annex
from onex.samples.applying import Application, scheme_name, strangers_of
from onex.samples.exams import CLASS_HOURS, completed_on, season_of, sessions
from onex.samples.people import Person
from onex.samples.sheets import Cell, Line, Sheet, headed

COMPLETIONS: dict[str, tuple[str, str, tuple[tuple[str, str], ...]]] = {
    "2020-autumn": (
        "completion-2020-autumn.xlsx",
        "2020年秋季 1+X 证书培训结业名单",
        headed(
            "序号:n 姓名:name 证件类型:document_type 证件号码:document 证书名称:scheme 等级:level "
            "学时:hours 培训结果:outcome 完成日期:on"
        ),
    ),
    "2021-spring": (
        "completion-2021-spring.csv",
        "",
        headed(
            "证件号:document 姓名:name 证件类型:document_type 证书名称:scheme 等级:level "
            "完成日期:on 学时:hours 结论:outcome"
        ),
    ),
    "2021-autumn": (
        "completion-2021-autumn.xlsx",
        "",
        headed(
            "姓名:name 证件类型:document_type 身份证号:document 证书名称:scheme 等级:level "
            "学时:hours 培训结果:outcome 完成日期:on"
        ),
    ),
}


def outcomes_of(rng: Random, approved: list[Application]) -> list[tuple[Application, str]]:
    """合格 for most, 不合格 for some; who dropped out is on no sheet."""
    graded = [(item, 0.5 if item.person.is_star else rng.random()) for item in approved]
    return [(item, "合格" if chance < 0.955 else "不合格") for item, chance in graded if chance < 0.975]


def completion_sheets(
    annex: Annex, outcomes: list[tuple[Application, str]], never_approved: Application, no_applicant: Person
) -> list[Sheet]:
    """A sheet a season, bad rows among them."""
    sheets = {}
    for season, (file, title, columns) in COMPLETIONS.items():
        sheet = Sheet(file, "completion", "completion", "training", "demo-trainer", columns, title)
        own = [(item, word) for item, word in outcomes if season_of(min(sessions(item.scheme, item.level))) == season]
        sheet.lines = [Line(completion_cells(annex, sheet, n, item, word)) for n, (item, word) in enumerate(own)]
        sheets[season] = sheet
    add_bad_rows(annex, sheets, never_approved, no_applicant)
    return list(sheets.values())


def completion_cells(annex: Annex, sheet: Sheet, n: int, item: Application, outcome: str) -> dict[str, Cell]:
    """A row of a completion sheet."""
    hours = CLASS_HOURS[item.level]
    return {
        "n": n + 1,
        "name": spelling.name(item.person, n + 1),
        "document_type": item.person.document_type,
        "document": spelling.document_number(item.person, n + 2),
        "scheme": scheme_name(annex, item.scheme, n),
        "level": spelling.level(item.level, n + 3, workbook=sheet.is_workbook),
        "hours": hours if sheet.is_workbook else str(hours),
        "outcome": outcome,
        "on": spelling.day(completed_on(item.scheme, item.level), n, workbook=sheet.is_workbook),
    }


def add_bad_rows(annex: Annex, sheets: dict[str, Sheet], never_approved: Application, no_applicant: Person) -> None:
    """Somebody nobody registered, an application nobody approved, a person who applied for nothing."""
    autumn, spring = sheets["2020-autumn"], sheets["2021-spring"]
    like = Application(no_applicant, "smart-finance", 1)
    stranger = Application(strangers_of(1)[0], "industrial-robot", 1)
    for sheet, at, item, code in (
        (autumn, 25, stranger, "learner_unknown"),
        (autumn, 60, like, "not_enrolled"),
        (spring, 45, never_approved, "not_enrolled"),
    ):
        sheet.lines.insert(at, Line(completion_cells(annex, sheet, 0, item, "合格"), code))
