"""The candidates sheet: who sits in which plan, under which admission number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from chassis.errors import Refusal, sift
from chassis.sheet import cells
from chassis.sheet.kind import Column, Examined, Row, SheetKind, Status, Upload, refused
from chassis.web.access import OUTSIDE_YOUR_SCOPE
from contracts.terms import Role, document_number_of, document_type_of, mask, mask_name
from services.assessment.plans import commands
from services.assessment.plans.domain import Plan, PlanBook, Registration, Roll
from services.assessment.plans.queries import book_of, roll_of

NAME, DOCUMENT_TYPE, DOCUMENT = "姓名", "证件类型", "证件号码"
PLAN, TEO, ADMISSION = "考核计划", "评价组织代码", "准考证号"
ORIGIN, EARLIER_CERTIFICATE = "考生来源", "原证书号"

PLAN_COLUMNS = (
    Column(PLAN, ("计划编号", "批次"), required=True, filled=True, read=cells.code, examples=("SF-2020-A1",)),
    Column(
        TEO,
        read=cells.code,
        examples=("91110000000000043U",),
        note_zh="计划编号唯一时可不填",
        note_en="needed only where several organisations use the same plan code",
    ),
)
PERSON_COLUMNS = (
    Column(NAME, required=True, personal=True, mask=mask_name, examples=("陈晓岚",)),
    Column(
        DOCUMENT_TYPE,
        read=cells.code,
        examples=("居民身份证",),
        note_zh="空白视为居民身份证",
        note_en="empty: identity card",
    ),
    Column(
        DOCUMENT,
        ("证件号", "身份证号", "身份证号码"),
        required=True,
        filled=True,
        read=cells.code,
        personal=True,
        mask=mask,
        examples=("11010519491231002X",),
        note_zh="请设为文本格式",
        note_en="format the column as text",
    ),
)
COLUMNS = (
    *PLAN_COLUMNS,
    Column(
        ADMISSION,
        required=True,
        filled=True,
        read=cells.code,
        examples=("002012120007",),
        note_zh="由评价组织编排，请设为文本格式",
        note_en="as the organisation gave it; format as text",
    ),
    *PERSON_COLUMNS,
    Column("性别", examples=("女",)),
    Column(ORIGIN, examples=("在校生",)),
    Column("手机", ("手机号", "联系电话"), read=cells.code, personal=True, examples=("13800000000",)),
    Column("理论新考或补考", examples=("新考",)),
    Column("实操新考或补考", examples=("新考",)),
    Column(EARLIER_CERTIFICATE, read=cells.code, examples=("",)),
)


class Register(Protocol):
    """Who has which identity document."""

    def match(self, documents: Sequence[tuple[str, str]]) -> list[str | None]:
        """The learner of each document, in order; None where nobody has it."""
        ...


@dataclass(frozen=True)
class Known:
    """The plans some rows name, and the roll of their candidates."""

    book: PlanBook
    roll: Roll


def candidates_sheet(register: Register) -> SheetKind[Known]:
    """The candidates sheet of a service that finds learners in this register."""
    return SheetKind(
        name="candidates",
        title_zh="考生报名表",
        title_en="Candidates",
        columns=COLUMNS,
        resolve=partial(match_learners, register),
        known=known,
        examine=examine,
        commit=commit,
        roles=(Role.EXAM_OFFICE,),
    )


def document_of(row: Row) -> tuple[str, str]:
    """The identity document in a row, its number checked."""
    kind = document_type_of(row[DOCUMENT_TYPE])
    return kind.value, document_number_of(kind, row[DOCUMENT])


def match_learners(register: Register, rows: list[Row]) -> None:
    """Note on each row whose document can be read which learner has it."""
    readable = sift(document_of, [row for row in rows if row[DOCUMENT]]).accepted
    found = register.match([document for _, document in readable]) if readable else []
    for (row, _), learner_id in zip(readable, found, strict=True):
        row.resolved["learner_id"] = learner_id


def known(rows: Sequence[Row]) -> Known:
    """The plans and candidates that bear on some rows."""
    book = book_of({row[PLAN] for row in rows})
    wanted = [registration for _, registration in sift(partial(_registration, book), rows).accepted]
    return Known(book, roll_of([book.by_id[name] for name in {one.plan_id for one in wanted}], wanted))


def examine(rows: Sequence[Row], known: Known) -> list[Examined]:
    """Judge rows in their order, each as if those before it were committed."""
    roll = known.roll.copy()
    return [_examined(row, known.book, roll) for row in rows]


def commit(examined: Sequence[Examined]) -> None:
    """Register those who were accepted."""
    commands.register([(one.value[0], one.value[1], {**one.value[2], "cause": one.cause}) for one in examined])


def _registration(book: PlanBook, row: Row) -> Registration:
    document_of(row)
    return Registration(plan_in_scope(book, row).id, row[ADMISSION], row.resolved.get("learner_id"))


def plan_in_scope(book: PlanBook, row: Row) -> Plan:
    """The plan a row names; refused unless it belongs to the organisation that sent the sheet, or the college did."""
    plan = book.find(row[PLAN], row[TEO])
    if not may_touch(row.upload, plan.teo):
        raise OUTSIDE_YOUR_SCOPE()
    return plan


def may_touch(upload: Upload, teo: str) -> bool:
    """Whether the sender may speak of an organisation's candidates."""
    return not upload.owns or teo in upload.owns.get("teo", ())


def _examined(row: Row, book: PlanBook, roll: Roll) -> Examined:
    try:
        registration = _registration(book, row)
        candidate, before = roll.register(registration)
    except Refusal as refusal:
        return refused(row, refusal)
    more = {"origin": row[ORIGIN], "earlier_certificate": row[EARLIER_CERTIFICATE]}
    status: Status = "new" if before is None else "unchanged" if before == candidate else "changed"
    value = (candidate, roll.plans[candidate.plan_id], more)
    return Examined(row.number, status, value=value, identity=candidate.id)
