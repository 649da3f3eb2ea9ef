"""Who is meant in a sheet's rows: found in enrolment's register by identity document, whose number is not kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from chassis.errors import sift
from chassis.sheet import cells
from chassis.sheet.kind import Column, Row
from contracts.terms import document_number_of, document_type_of, mask_name

NAME, DOCUMENT_TYPE, DOCUMENT = "姓名", "证件类型", "证件号码"
DOCUMENT_ALIASES = ("证件号", "身份证号", "身份证号码")
PERSON_COLUMNS = (
    Column(NAME, personal=True, mask=mask_name, examples=("陈晓岚",)),
    Column(
        DOCUMENT_TYPE,
        read=cells.code,
        examples=("居民身份证",),
        note_zh="空白视为居民身份证",
        note_en="empty: identity card",
    ),
)


class Register(Protocol):
    """Who has which identity document."""

    def match(self, documents: Sequence[tuple[str, str]], purpose: str | None = None) -> list[str | None]:
        """The learner of each document, in order; None where nobody has it."""
        ...


def document_of(row: Row) -> tuple[str, str]:
    """The identity document in a row, its number checked."""
    kind = document_type_of(row[DOCUMENT_TYPE])
    return kind.value, document_number_of(kind, row[DOCUMENT])


def match_learners(register: Register, purpose: str, rows: Sequence[Row]) -> None:
    """Note on each row whose document can be read which learner has it."""
    readable = sift(document_of, [row for row in rows if row[DOCUMENT]]).accepted
    found = register.match([document for _, document in readable], purpose) if readable else []
    for (row, _), learner_id in zip(readable, found, strict=True):
        row.resolved["learner_id"] = learner_id
