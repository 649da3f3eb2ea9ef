"""The result sheets, one of each TEO, and the sheets of resits."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from onex.samples import spelling
from onex.samples.annex import Annex
from onex.samples.exams import postponed
from onex.samples.judging import ABSENT, FAILED, PASSED, Sat
from onex.samples.sheets import Cell, Line, Sheet, headed

# scheme: ending, title, columns as this TEO heads them
RESULTS: dict[str, tuple[str, str, str]] = {
    "industrial-robot": (
        "xlsx",
        "工业机器人应用编程考核成绩表",
        "考核计划:plan 准考证号:admission 理论成绩:theory 实操成绩:practical 备注:remark 数据时间:as_of",
    ),
    "sensor-network": ("csv", "", "批次:plan 准考证号:admission 理论:theory 实操:practical 备注:remark"),
    "online-shop": (
        "gb18030.csv",
        "",
        "评价组织代码:teo 考核计划:plan 准考证号:admission 理论成绩:theory 实操成绩:practical 备注:remark",
    ),
    "smart-finance": (
        "xlsx",
        "",
        "准考证号:admission 姓名:name 考核计划:plan 理论成绩:theory 实操成绩:practical 备注:remark 成绩时间:as_of",
    ),
    "ecommerce-data": (
        "xlsx",
        "成绩汇总",
        "计划编号:plan 准考证号:admission 次数:attempt 理论成绩:theory 实操成绩:practical 备注:remark 数据时间:as_of",
    ),
    "dementia-care": (
        "xlsx",
        "失智老人照护（中级）成绩",
        "评价组织代码:teo 考核计划:plan 准考证号:admission 次数:attempt 理论成绩:theory 实操成绩:practical 备注:remark",
    ),
    "maternal-infant": (
        "csv",
        "",
        "考核计划:plan 准考证号:admission 理论成绩:theory 实操成绩:practical 备注:remark 数据时间:as_of",
    ),
    "cloud-ops": ("xlsx", "", "考核计划:plan 准考证号:admission 理论成绩:theory 实操成绩:practical 备注:remark"),
}
RESIT_COLUMNS = (
    "考核计划:plan 准考证号:admission 考试次数:attempt 理论成绩:theory 实操成绩:practical 备注:remark 数据时间:as_of"
)
RESIT_AFTER_DAYS = 91


def result_sheets(annex: Annex, firsts: list[Sat], absent_from_scores: set[str]) -> list[Sheet]:
    """A sheet of each TEO with its own spelling of the columns."""
    sheets = []
    for scheme, (ending, title, columns) in RESULTS.items():
        sheet = new_sheet(annex, "results", f"results-{scheme}.{ending}", columns, title)
        own = [sat for sat in firsts if sat.candidate.plan.scheme == scheme]
        sheet.lines = [result_line(sheet, n, sat, absent_from_scores) for n, sat in enumerate(own)]
        sheets.append(sheet)
    add_bad_rows(sheets)
    return sheets


def new_sheet(annex: Annex, stage: str, file: str, columns: str, title: str = "") -> Sheet:
    """An empty sheet of the TEO whose scheme the file is named after."""
    scheme = file.partition("-")[2].partition(".")[0]
    return Sheet(file, stage, "results", "assessment", f"demo-teo-{annex.schemes[scheme].teo}", headed(columns), title)


def result_line(sheet: Sheet, n: int, sat: Sat, spoiled: set[str]) -> Line:
    """A row of a first attempt; of the spoiled ones the theory score is 101, or missing."""
    number = sat.candidate.admission_number
    cells = result_cells(sheet, n, sat)
    if number not in spoiled:
        return Line(cells)
    if number == min(spoiled):
        return Line({**cells, "theory": ""}, "score_missing")
    return Line({**cells, "theory": 101 if sheet.is_workbook else "101"}, "score_range")


def result_cells(sheet: Sheet, n: int, sat: Sat) -> dict[str, Cell]:
    """The cells of one attempt."""
    candidate = sat.candidate
    cells: dict[str, Cell] = {
        "plan": candidate.plan.plan,
        "teo": candidate.plan.teo,
        "admission": candidate.admission_number + (" " if n % 61 == 13 else ""),
        "name": candidate.application.person.name,
        "attempt": sat.attempt if n % 2 or sat.attempt > 1 else "",
        "theory": spelling.score(sat.theory, n, workbook=sheet.is_workbook),
        "practical": spelling.score(sat.practical, n + 5, workbook=sheet.is_workbook),
        "remark": sat.remark,
        "as_of": spelling.instant(as_of(sat), n, workbook=sheet.is_workbook),
    }
    if sat.verdict == ABSENT and n % 2:
        cells |= {"theory": "缺考", "practical": "缺考", "remark": ""}
    return cells


def as_of(sat: Sat) -> datetime:
    """Marks are of the evening of the session, those of resits of three months later."""
    on = postponed(sat.candidate, 0 if sat.attempt == 1 else RESIT_AFTER_DAYS)
    return datetime.combine(on, time(18, 30)) + timedelta(minutes=7 * sat.attempt)


def add_bad_rows(sheets: list[Sheet]) -> None:
    """A number that its plan does not have, in one sheet an unknown plan."""
    robot, shop = sheets[0], sheets[2]
    unknown: dict[str, Cell] = {"admission": "RB2011280000", "theory": 70, "practical": 70, "remark": ""}
    robot.lines.insert(50, Line({**robot.lines[49].cells, **unknown}, "admission_unknown"))
    shop.lines.insert(20, Line({**shop.lines[19].cells, "plan": "OS-2020-11-X"}, "plan_unknown"))


def resit_sheets(annex: Annex, firsts: list[Sat], seconds: list[Sat]) -> list[Sheet]:
    """A sheet of resits of each TEO that has any, with three rows that no rule allows."""
    sheets: dict[str, Sheet] = {}
    for scheme in dict.fromkeys(sat.candidate.plan.scheme for sat in seconds):
        ending = "xlsx" if len(sheets) % 2 else "csv"
        sheet = new_sheet(annex, "resits", f"resits-{scheme}.{ending}", RESIT_COLUMNS)
        own = [sat for sat in seconds if sat.candidate.plan.scheme == scheme]
        sheet.lines = [Line(result_cells(sheet, n, sat)) for n, sat in enumerate(own)]
        sheets[scheme] = sheet
    both = next(sat for sat in firsts if sat.candidate.plan.scheme == "ecommerce-data" and has_failed_both(sat))
    passed = next(sat for sat in firsts if sat.candidate.plan.scheme == "dementia-care" and sat.verdict == PASSED)
    again = next(sat for sat in seconds if sat.candidate.plan.scheme == "maternal-infant" and sat.verdict == FAILED)
    add_forbidden_resit(sheets["ecommerce-data"], both, 2)
    add_forbidden_resit(sheets["dementia-care"], passed, 2)
    add_forbidden_resit(sheets["maternal-infant"], again, 3)
    return list(sheets.values())


def has_failed_both(sat: Sat) -> bool:
    """Neither part may be sat again alone."""
    return sat.verdict == FAILED and max(sat.theory or 0, sat.practical or 0) < 60


def add_forbidden_resit(sheet: Sheet, before: Sat, attempt: int) -> None:
    """One part alone, where both were failed, where none was, or for a third time."""
    sat = Sat(before.candidate, attempt, 75, None, "", FAILED)
    sheet.lines.append(Line(result_cells(sheet, 0, sat), "resit_not_allowed"))
