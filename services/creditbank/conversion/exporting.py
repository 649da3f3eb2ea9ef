"""Exemptions on their way to the registry's system: out in numbered exports, taken or rejected, and out again."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chassis import clock
from chassis.database import Row, transactional
from chassis.errors import NOT_FOUND, Sifted, sift
from chassis.strands import name_keys
from contracts.terms import credits_of
from services.creditbank.conversion import models
from services.creditbank.conversion.applications import Application, Export, State
from services.creditbank.conversion.applying import review_touched

MOST_ROWS = 500
HEADERS = ("学号", "课程代码", "学期", "学分", "类别", "成绩", "申请编号")
LIKE_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Answer:
    """What the registry's system made of one row; `reason` is empty where it took the row."""

    index: int
    application: str
    reason: str


@transactional
def export(by: str) -> int:
    """Put what is to go out into the next export, at most 500 rows; its number, 0 when there is nothing."""
    name_keys(["exemption-exports"])
    going = models.to_export(MOST_ROWS)
    name_keys(f"learner:{one.learner_id}" for one in going)
    if not going:
        return 0
    number, at = models.latest_export() + 1, clock.now()
    models.keep_export(number, by, at, [_row(one) for one in going])
    sent: dict[str, Any] = {"export": number, "export_state": Export.SENT, "export_note": ""}
    models.keep_applications(one.acted("exported", by, at, str(number), **sent) for one in going)
    return number


@transactional
def acknowledge(number: int, answers: Sequence[Answer], by: str) -> Sifted[Answer, bool]:
    """Note what the registry's system took and what it rejected: that goes out again. Again changes nothing.

    What it rejected and has no credit behind it any more is withdrawn instead.
    """
    row_of(number)
    sent = {one.id: one for one in models.exported_in(number)}
    name_keys(f"learner:{one.learner_id}" for one in sent.values())
    changed: dict[str, Application] = {}
    judged = sift(lambda one: _acknowledged(number, one, sent, changed, by), answers)
    models.keep_applications(changed.values())
    review_touched({(one.learner_id, one.scheme) for one in changed.values() if one.is_case and not one.is_exported})
    return judged


def row_of(number: int) -> Row:
    """What went out in an export; Refusal when there was none of this number."""
    found = models.export_row(number) if 0 < number <= models.latest_export() else None
    if found is None:
        raise NOT_FOUND(what="export", id=number)
    return found


def exports_before(number: int | None, limit: int) -> list[Row]:
    """Exports with lower numbers than one, the newest first, each with how many rows it holds."""
    return models.exports_before(number, limit)


def sheet_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as the registry's system reads them: CSV with the field's own headers."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADERS)
    for one in rows:
        names = ("student_number", "code", "term", "credits", "kind_zh", "grade", "application")
        writer.writerow([_harmless(str(one[name])) for name in names])
    return "\ufeff" + text.getvalue()


def _row(one: Application) -> Row:
    return {
        "application": one.id,
        "student_number": one.student_number,
        "code": one.target.code,
        "course": one.target.course,
        "module": one.target.module,
        "term": one.term,
        "credits": credits_of(one.target.credit_points),
        "credit_points": one.target.credit_points,
        "kind": str(one.target.kind),
        "kind_zh": one.target.kind.zh,
        "grade": one.target.grade,
    }


def _acknowledged(
    number: int, answer: Answer, sent: Mapping[str, Application], changed: dict[str, Application], by: str
) -> bool:
    one = sent.get(answer.application)
    if one is None:
        raise NOT_FOUND(what=f"row in export {number}", id=answer.application)
    state = Export.REJECTED if answer.reason else Export.TAKEN
    if one.export_state == state:
        return False
    note: dict[str, Any] = {"export_state": state, "export_note": answer.reason}
    if one.state == State.FALLEN and state == Export.TAKEN:  # rejected at first, so that it was withdrawn meanwhile
        note["is_case"] = True
    changed[one.id] = one.acted(str(state), by, clock.now(), answer.reason, **note)
    return True


def _harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(LIKE_A_FORMULA) else text
