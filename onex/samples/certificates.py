"""The certificate reports of the TEOs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from random import Random

from onex.samples import spelling
from onex.samples.annex import Annex
from onex.samples.applying import COLLEGE, scheme_name
from onex.samples.exams import postponed
from onex.samples.judging import FAILED, PASSED, Sat
from onex.samples.sheets import Cell, Line, Sheet, headed

COLUMNS = headed(
    "序号:n 姓名:name 证件类型:document_type 证件号码:document 学校代码:college 学号:number 证书名称:scheme "
    "职业技能等级:level 准考证号:admission 证书编号:certificate 发证日期:on 评价机构:teo 发证机构:issuer"
)
ENDINGS = {"sensor-network": "csv", "online-shop": "gb18030.csv", "maternal-infant": "csv"}


@dataclass(frozen=True)
class Certificate:
    """A pass with its certificate's number."""

    sat: Sat
    number: str
    issued_on: date


def certificates_of(rng: Random, passes: list[Sat]) -> list[Certificate]:
    """Most passes are reported; some certificates are still being printed."""
    reported = [sat for sat in passes if sat.candidate.application.person.is_star or rng.random() < 0.96]
    return [Certificate(sat, number_of(n, sat), issued_on(sat)) for n, sat in enumerate(reported, 1)]


def number_of(n: int, sat: Sat) -> str:
    """Numbers are each TEO's own; two TEOs may use the same ones."""
    plan = sat.candidate.plan
    if plan.scheme in ("dementia-care", "maternal-infant"):
        return f"{plan.session_date.year}{plan.level}{n:06d}"
    return f"{plan.plan[:2]}{plan.session_date.year}{plan.level}{n:05d}"


def issued_on(sat: Sat) -> date:
    """Certificates are printed some weeks after the marks."""
    return postponed(sat.candidate, 60 if sat.attempt == 1 else 150)


def certificate_sheets(
    annex: Annex, certificates: list[Certificate], passes: list[Sat], failed: list[Sat]
) -> list[Sheet]:
    """A report of each TEO; a number used twice, and somebody who did not pass, are among them."""
    sheets = []
    for scheme in annex.schemes:
        ending, client = ENDINGS.get(scheme, "xlsx"), f"demo-teo-{annex.schemes[scheme].teo}"
        file = f"certificates-{scheme}.{ending}"
        title = "" if ending != "xlsx" else f"{annex.schemes[scheme].name}职业技能等级证书信息表"
        sheet = Sheet(file, "certificates", "certificates", "assessment", client, COLUMNS, title)
        own = [item for item in certificates if item.sat.candidate.plan.scheme == scheme]
        sheet.lines = [Line(certificate_cells(annex, sheet, n, item)) for n, item in enumerate(own)]
        sheets.append(sheet)
    reported = {item.sat.candidate.admission_number for item in certificates}
    unreported = [sat for sat in passes if sat.candidate.admission_number not in reported]
    add_bad_rows(annex, {sheet.file: sheet for sheet in sheets}, unreported, failed)
    return sheets


def certificate_cells(annex: Annex, sheet: Sheet, n: int, item: Certificate) -> dict[str, Cell]:
    """A row of a report."""
    plan, person = item.sat.candidate.plan, item.sat.candidate.application.person
    return {
        "n": n + 1,
        "name": spelling.name(person, n + 1),
        "document_type": person.document_type,
        "document": spelling.document_number(person, n + 3),
        "college": COLLEGE if person.record else "",
        "number": person.record.student_number if person.record else "",
        "scheme": scheme_name(annex, plan.scheme, n),
        "level": spelling.level(plan.level, n + 1, workbook=sheet.is_workbook),
        "admission": item.sat.candidate.admission_number,
        "certificate": item.number,
        "on": spelling.day(item.issued_on, n, workbook=sheet.is_workbook),
        "teo": annex.teo_names[plan.teo],
        "issuer": annex.teo_names[plan.teo],
    }


def add_bad_rows(annex: Annex, sheets: dict[str, Sheet], unreported: list[Sat], failed: list[Sat]) -> None:
    """A number that is taken, and somebody who did not pass."""
    robot, finance = sheets["certificates-industrial-robot.xlsx"], sheets["certificates-smart-finance.xlsx"]
    used = str(robot.lines[4].cells["certificate"])
    other = next(sat for sat in unreported if sat.candidate.plan.scheme == "industrial-robot")
    again = Certificate(other, used, issued_on(other))
    robot.lines.append(Line(certificate_cells(annex, robot, 0, again), "certificate_number_used"))
    loser = next(sat for sat in failed if sat.candidate.plan.scheme == "smart-finance" and sat.verdict == FAILED)
    unearned = Certificate(loser, "SF2020199999", issued_on(loser))
    finance.lines.insert(30, Line(certificate_cells(annex, finance, 0, unearned), "not_passed"))


def passes_among(sats: list[Sat]) -> list[Sat]:
    """Those that passed."""
    return [sat for sat in sats if sat.verdict == PASSED]
