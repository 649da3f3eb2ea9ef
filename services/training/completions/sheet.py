"""The completion sheet: who of a class completed the training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from chassis.errors import Refusal, sift
from chassis.sheet.cells import code, day, integer
from chassis.sheet.imports import Sheets
from chassis.sheet.kind import Column, Examined, Row, SheetKind, refused
from chassis.web.access import OUTSIDE_YOUR_SCOPE
from contracts.terms import LEARNER_UNKNOWN, Role, document_number_of, document_type_of
from services.training.classes.queries import classes_by_code, places_of
from services.training.completions.commands import record_completions
from services.training.completions.domain import (
    Completion,
    Known,
    change,
    completion_of,
    known_of,
    notes_on,
    place_for,
)
from services.training.completions.queries import completions_of
from services.training.courses.sheet import MARKS_SHEET
from services.training.modules.queries import excused_of
from services.training.schemes.domain import scheme_of
from services.training.schemes.queries import schemes_by_word

COLUMNS = (
    Column("姓名", personal=True, examples=("黄玉梅",)),
    Column("证件类型", examples=("居民身份证",), note_zh="留空即居民身份证", note_en="empty: resident identity card"),
    Column(
        "证件号码",
        aliases=("证件号", "身份证号", "身份证号码"),
        required=True,
        filled=True,
        read=code,
        personal=True,
        examples=("11010519491231002X",),
    ),
    Column("证书名称", aliases=("证书",), required=True, filled=True, examples=("智能财税",)),
    Column("等级", aliases=("职业技能等级",), required=True, filled=True, examples=("初级",)),
    Column(
        "学时",
        read=integer,
        examples=("48",),
        note_zh="实修学时；留空即班级学时扣除免训学时",
        note_en="hours sat; empty: those of the class but for excused ones",
    ),
    Column("培训结果", aliases=("结论",), required=True, filled=True, examples=("合格",)),
    Column(
        "完成日期",
        read=day,
        examples=("2020-11-21",),
        note_zh="留空即班级结束日期",
        note_en="empty: the last day of the class",
    ),
)


class Register(Protocol):
    """Who has which identity document."""

    def match(self, documents: Sequence[tuple[str, str]]) -> list[str | None]:
        """The learner of each document, in order; None where nobody has it."""
        ...


def completion_kind(register: Register) -> SheetKind[Known]:
    """The kind of sheet; people are found by their documents at preview."""
    return SheetKind(
        name="completion",
        title_zh="培训结业名单",
        title_en="Training completions",
        columns=COLUMNS,
        resolve=partial(resolve, register),
        known=known,
        examine=examine,
        commit=commit,
        roles=(Role.TRAINER, Role.REGISTRY),
    )


def resolve(register: Register, rows: list[Row]) -> None:
    """Find the learner of each row whose document can be read; the others are refused when they are examined."""
    readable = sift(document_of, rows).accepted
    found = register.match([document for _, document in readable])
    for (row, _), learner_id in zip(readable, found, strict=True):
        row.resolved["learner_id"] = learner_id


def document_of(row: Row) -> tuple[str, str]:
    """The identity document of a row; refusals of contracts.terms."""
    kind = document_type_of(row["证件类型"])
    return kind.value, document_number_of(kind, row["证件号码"])


def known(rows: list[Row]) -> Known:
    """What training knows about the learners of these rows."""
    learners = {row.resolved["learner_id"] for row in rows if row.resolved.get("learner_id")}
    places = places_of(learners)
    return known_of(
        schemes_by_word(),
        places,
        classes_by_code({place.class_code for place in places if place.class_code}),
        completions_of(place.application_id for place in places),
        excused_of(learners),
    )


def examine(rows: list[Row], known: Known) -> list[Examined]:
    """Judge each row."""
    return [_examined(row, known) for row in rows]


def _examined(row: Row, known: Known) -> Examined:
    try:
        completion, notes = meant(row, known)
        status = change(completion, known.completions.get(completion.application_id))
    except Refusal as refusal:
        return refused(row, refusal)
    return Examined(row.number, status, value=completion, identity=completion.application_id, notes=notes)


def meant(row: Row, known: Known) -> tuple[Completion, tuple[Refusal, ...]]:
    """The completion a row speaks of, and what is to be remarked about its hours; refused unless the sender is of its
    class, or of the whole college."""
    document_of(row)
    learner_id = row.resolved.get("learner_id")
    if not learner_id:
        raise LEARNER_UNKNOWN()
    place = place_for(known, learner_id, scheme_of(row["证书名称"], known.schemes), row["等级"])
    if row.upload.owns and place.class_code not in row.upload.owns.get("class", ()):
        raise OUTSIDE_YOUR_SCOPE()
    of_class, excuses = known.classes[place.class_code], known.excuses_at(place)
    completion = completion_of(place, of_class, excuses, row["学时"], row["培训结果"], row["完成日期"])
    return completion, notes_on(completion, of_class, excuses)


def commit(examined: list[Examined]) -> None:
    """Record what the rows say, each under its row's name."""
    record_completions([(one.value, one.cause) for one in examined])


def sheets(register: Register, master: bytes) -> Sheets:
    """The sheets that training takes; `master` wraps the key of each import."""
    return Sheets("training", (completion_kind(register), MARKS_SHEET), master)
