"""What happens in tests of reconciliation: reports as TEOs send them, comparisons, approvals, a bank with faults."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
from flask import Flask

from chassis.database import database
from chassis.sheet.imports import Received, Sheets, ask_to_commit, found, receive
from chassis.sheet.jobs import sheet_jobs
from chassis.sheet.routes import some_rows
from contracts.assessment import CertificateIssued
from contracts.terms import Level
from services.creditbank.recognition.commands import publish_rule
from services.creditbank.reconciliation import commands, queries
from services.creditbank.reconciliation.commands import Approval
from services.creditbank.reconciliation.domain import Kind
from services.creditbank.reconciliation.sheet import KIND
from services.creditbank.sheets import sheets
from tests.unit.creditbank.stories import (
    PILOT,
    SESSION,
    TEO,
    Assessment,
    annulled,
    finalised,
    issued,
    publicised,
    publish_annex,
    registered,
    revoked,
    scheme,
)

UPLOADER, APPROVER = "user:teo-clerk", "user:zhao"
OTHER_TEO = "91440101MA59ABCD0X"
FROM, UNTIL = date(2020, 1, 1), date(2020, 12, 31)
COLUMNS = ("姓名", "证件类型", "证件号码", "证书名称", "职业技能等级", "证书编号", "发证日期", "证书状态")
Cells = Mapping[str, str]


class Register:
    """Everybody's passport number is their learner id, but for strangers."""

    def match(self, documents: Sequence[tuple[str, str]], purpose: str | None = None) -> list[str | None]:
        return [None if number.startswith("STRANGER") else number.lower() for _, number in documents]


SHEETS: Sheets = sheets(Register(), b"k" * 32, 180)


def line(learner: str, number: str, level: str = "中级", **cells: str) -> dict[str, str]:
    """A row of a report; on the day that certificates of the stories are issued."""
    plain = dict(zip(COLUMNS, ("某", "护照", learner.upper(), "cloud-ops", level, number), strict=False))
    return plain | {"发证日期": SESSION.isoformat(), "证书状态": ""} | cells


def as_csv(lines: Sequence[Cells], encoding: str = "utf-8-sig") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode(encoding)


def work(taken: Sheets = SHEETS) -> None:
    """What the worker does for sheets."""
    for _, verb, _ in sheet_jobs(taken):
        while verb():
            pass


def upload(content: bytes, by: str = UPLOADER, **options: str) -> int:
    """A report, previewed; the import's number."""
    given = {"teo": TEO, "issued_from": FROM.isoformat(), "issued_until": UNTIL.isoformat()} | options
    kept = {name: value for name, value in given.items() if value}
    number = receive(SHEETS, Received(KIND, "zh", "report.csv", content, kept, by, {}))
    work()
    return number


def take(lines: Sequence[Cells], by: str = UPLOADER, **options: str) -> int:
    """A report that is all in; its number."""
    number = upload(as_csv(lines), by, **options)
    ask_to_commit(number)
    work()
    assert found(number)["state"] == "committed"
    return number


def preview(number: int) -> list[dict[str, Any]]:
    """The rows of an import as a page shows them."""
    with Flask(__name__).test_request_context():
        return [shown for _, shown in some_rows(SHEETS, found(number), None, -1, 500)]


def problem_of(number: int) -> str:
    """Why a sheet was not read."""
    row = found(number)
    said = SHEETS.problem(row)
    assert row["state"] == "unreadable"
    assert said is not None
    return said.code


def compare() -> dict[str, Any]:
    """Every comparison that is due, to its end; the last one."""
    while commands.compare_some():
        pass
    run = queries.runs_before(None, None, 1)[0]
    assert run["stage"] == "finished"
    return run


def report(lines: Sequence[Cells], **options: str) -> dict[str, Any]:
    """A report taken and compared; the run."""
    number = take(lines, **options)
    run = compare()
    assert run["report"] == number
    return run


def compare_all() -> dict[str, Any]:
    """All that stands here compared with the ledger; the run."""
    commands.ask("user:lin")
    return compare()


def counted(run: Mapping[str, Any]) -> dict[str, int]:
    return {one["kind"]: one["count"] for one in run["counts"]}


def discrepancies(run: Mapping[str, Any], **filters: str) -> list[dict[str, Any]]:
    return queries.discrepancies_after(run["number"], dict(filters), "", 500)


def approve(found_: Sequence[Mapping[str, Any]], by: str = APPROVER) -> Counter[str]:
    """Approve these; how many were accepted or refused, by code."""
    judged = commands.approve([Approval(index, one["id"]) for index, one in enumerate(found_)], by)
    told = ["accepted" if changed else "unchanged" for _, changed in judged.accepted]
    return Counter([*told, *(refusal.code for _, refusal in judged.refused)])


def states(run: Mapping[str, Any]) -> dict[str, str]:
    return {one["kind"]: one["state"] for one in discrepancies(run)}


# --- a bank with one fault of each kind -------------------------------------------------------------------------------
@dataclass
class Faulty:
    """A bank in which each kind of discrepancy is seeded once, the report that shows it, and the report put right."""

    teller: Assessment
    lines: list[Cells]
    right: list[Cells]


PEOPLE = (
    "mei", "stranger-1", "foreign", "unleveled", "holder-a", "holder-b", "other-scheme", "leveled", "unrecorded",
    "renumbered", "resultless", "early", "void", "undated", "misdated", "gone-there", "gone-here", "unlisted", "bare",
    "awaited", "rich", "twin-a", "twin-b", "unmarked", "misleveled", "late",
)  # fmt: skip


def seed() -> Faulty:
    """Tell the bank of everybody, then spoil what no announcement spoils."""
    teller = Assessment()
    publish_annex()
    schemes = [scheme(), scheme("web-ops"), scheme("late-rule", needs_number=False)]
    schemes.append(msgspec.structs.replace(scheme("elder-care"), teo=OTHER_TEO))
    schemes.append(msgspec.structs.replace(scheme("two-levels"), levels=(1, 2)))
    teller.tell(*schemes)
    teller.tell(*(registered(one) for one in PEOPLE))
    _tell_sound_ones(teller)
    _tell_faulty_ones(teller)
    _spoil()
    return Faulty(teller, _faulty_lines(), _right_lines())


SOUND = ("mei", "holder-a", "leveled", "renumbered", "undated", "misdated", "gone-there", "gone-here", "unlisted")


def _tell_sound_ones(teller: Assessment) -> None:
    for one in (*SOUND, "rich", "misleveled", "other-scheme", "void"):
        teller.tell(finalised(one, one))
        teller.tell(issued(one, one, number=f"N-{one}"))


def _tell_faulty_ones(teller: Assessment) -> None:
    teller.tell(finalised("unrecorded", "unrecorded"), finalised("bare", "bare"), publicised("early", "early"))
    for one, more in (("unmarked", {}), ("late", {"scheme": "late-rule"}), ("nobody", {})):
        teller.tell(finalised(one, one, **more))
    teller.tell(numbered("late", scheme="late-rule"), numbered("nobody"))
    for one in ("twin-a", "twin-b"):
        teller.tell(finalised(one, one))
        teller.tell(numbered(one, certificate_number="N-twin"))
    teller.tell(annulled("void", "void"), revoked("gone-here", number="N-gone-here"))
    teller.tell(numbered("awaited"))


def numbered(learner: str, **more: Any) -> CertificateIssued:
    """The number of a learner's only result is on record."""
    return msgspec.structs.replace(issued(learner, learner, number=f"N-{learner}"), **more)


def _spoil() -> None:
    """What got lost, or was written by hand."""
    outcomes = database()["outcomes"]
    outcomes.update_one({"learner_id": "undated"}, {"$unset": {"certificates": ""}})
    outcomes.update_one({"learner_id": "rich"}, {"$set": {"credit_points": 300}})
    outcomes.update_one({"learner_id": "misleveled"}, {"$set": {"level": 3}})
    said = {"number": "N-unmarked", "teo": TEO, "issued_on": SESSION.isoformat()}
    marked = {"certificate_numbers": ["N-unmarked"], "certificates": [said]}
    outcomes.update_one({"learner_id": "unmarked"}, {"$set": marked})
    publish_late_rule()


def publish_late_rule() -> None:
    """A rule that nobody has settled by yet: the sweep has not run."""
    publish_rule("late-rule", Level.INTERMEDIATE, credit_points=400, sessions_from=PILOT)


def _faulty_lines() -> list[Cells]:
    return [
        line("mei", "N-mei"),
        line("mei", "N-mei"),  # number_twice
        line("mei", "N-odd", 证书名称="玄学"),  # scheme_unknown
        line("foreign", "N-foreign", 证书名称="elder-care"),  # scheme_of_another
        line("unleveled", "N-unleveled", "高级", 证书名称="two-levels"),  # level_not_offered
        line("stranger-1", "N-stranger"),  # holder_unknown
        line("holder-b", "N-holder-a"),  # holder_mismatch
        line("other-scheme", "N-other-scheme", 证书名称="web-ops"),  # scheme_mismatch
        line("leveled", "N-leveled", "高级"),  # level_mismatch
        line("unrecorded", "N-unrecorded"),  # number_not_recorded
        line("renumbered", "N-other-number"),  # number_differs
        line("resultless", "N-resultless"),  # number_without_pass
        line("early", "N-early"),  # pass_not_final
        line("void", "N-void"),  # pass_annulled
        line("undated", "N-undated"),  # issue_date_unknown
        line("misdated", "N-misdated", 发证日期="2020-11-25"),  # issue_date_mismatch
        line("gone-there", "N-gone-there", 证书状态="撤销"),  # revoked_at_teo
        line("gone-here", "N-gone-here"),  # revoked_here
        line("awaited", "N-awaited"),  # number_awaits_result
        line("rich", "N-rich"),  # points_wrong
        line("misleveled", "N-misleveled", "高级"),  # level_shown_wrong
        line("unmarked", "N-unmarked"),  # certificate_shown_wrong
        line("late", "N-late", 证书名称="late-rule"),  # settlement_overdue
        line("nobody", "N-nobody"),  # account_missing
        line("twin-a", "N-twin"),  # number_here_twice
    ]


IN_A_REPORT = {str(kind): 1 for kind in Kind if kind != Kind.POINTS_WITHOUT_RESULT}  # unlisted and bare are in none


def _right_lines() -> list[Cells]:
    return [
        line("mei", "N-mei"),
        line("holder-a", "N-holder-a"),
        line("other-scheme", "N-other-scheme"),
        *(line(one, f"N-{one}") for one in ("leveled", "unrecorded", "renumbered", "resultless", "early", "undated")),
        *(line(one, f"N-{one}") for one in ("misdated", "unlisted", "awaited", "rich", "bare", "nobody")),
        line("gone-there", "N-gone-there", 证书状态="撤销"),
        line("misleveled", "N-misleveled", "高级"),
        line("unmarked", "N-unmarked"),
        line("late", "N-late", 证书名称="late-rule"),
        line("twin-a", "N-twin-a"),
        line("twin-b", "N-twin-b"),
    ]


def put_right(seeded: Faulty) -> None:
    """What assessment, the TEO and the college do about their tasks."""
    tell = seeded.teller.tell
    tell(registered("nobody"))
    tell(finalised("early", "early"), finalised("resultless", "resultless"), finalised("awaited", "awaited"))
    tell(numbered("early"), numbered("resultless"), numbered("bare"))
    tell(revoked("void", number="N-void"), revoked("gone-there", number="N-gone-there"))
    tell(revoked("twin-a", number="N-twin"), revoked("twin-b", number="N-twin"))
    tell(numbered("twin-a"), numbered("twin-b"))
