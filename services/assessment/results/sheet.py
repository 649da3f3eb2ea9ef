"""The results sheet: what a TEO says of each sitting; judged by the same rules as over HTTP."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from chassis.errors import Ground, Refusal, sift
from chassis.sheet import cells
from chassis.sheet.kind import Column, Examined, Row, SheetKind, Status, refused
from contracts.terms import Role
from services.assessment.plans.domain import PlanBook
from services.assessment.plans.queries import book_of
from services.assessment.plans.sheet import ADMISSION, PLAN, PLAN_COLUMNS, plan_in_scope
from services.assessment.results import commands
from services.assessment.results.domain import Docket, Known, Marks, Remark, Sitting, as_kept, caused, start_of

ATTEMPT, THEORY, PRACTICAL, REMARK, AS_OF = "考试次数", "理论成绩", "实操成绩", "备注", "数据时间"
REMARK_LEFT_OUT = Ground(
    "remark_left_out",
    en="The remark '{text}' means nothing here and was left out. Known are 缺考 and 违纪.",
    zh="备注“{text}”未予采用，仅识别“缺考”和“违纪”。",
)

REMARKS = (
    (re.compile("缺考|缺席|弃考"), Remark.ABSENT),
    (re.compile("违纪|作弊|违规"), Remark.MALPRACTICE),
)
ABSENT = "缺考"


def remark_of(text: str) -> Remark:
    """What a remark means for the verdict."""
    return next((remark for pattern, remark in REMARKS if pattern.search(text)), Remark.NONE)


def score(cell: cells.Cell) -> str:
    """A score as a whole number, or 缺考 or 违纪 where somebody wrote that into the cell."""
    word = cells.code(cell)
    return word if remark_of(word) else cells.integer(cell)


COLUMNS = (
    *PLAN_COLUMNS,
    Column(ADMISSION, required=True, filled=True, read=cells.code, examples=("002012120007",)),
    Column(ATTEMPT, ("次数",), read=cells.integer, examples=("1",), note_zh="空白视为 1", note_en="empty: 1"),
    Column(THEORY, ("理论",), required=True, read=score, examples=("78",)),
    Column(PRACTICAL, ("实操",), required=True, read=score, examples=("85",)),
    Column(REMARK, examples=("",), note_zh="缺考、违纪或空白", note_en="缺考 absent, 违纪 malpractice, or empty"),
    Column(
        AS_OF,
        ("成绩时间",),
        read=cells.instant,
        examples=("2021-09-16 18:00",),
        note_zh="空白视为考核日期",
        note_en="when these values held; empty: the session date",
    ),
)
OPTIONS = (Column("as_of", read=cells.instant),)


@dataclass(frozen=True)
class Board:
    """What some rows are judged against."""

    book: PlanBook
    results: Known


def known(rows: Sequence[Row]) -> Board:
    """The plans, candidates and results that bear on some rows, in a handful of queries."""
    book = book_of({row[PLAN] for row in rows})
    sittings = [sitting for _, sitting in sift(partial(sitting_of, book), rows).accepted]
    return Board(book, commands.known_of(sittings))


def examine(rows: Sequence[Row], known: Board) -> list[Examined]:
    """Judge rows in their order, each as if those before it were recorded."""
    docket = Docket(known.results)
    return [_examined(row, known.book, docket) for row in rows]


def commit(examined: Sequence[Examined]) -> None:
    """Record what the rows did."""
    commands.keep_weighed([caused(one.value, one.cause) for one in examined])


def sitting_of(book: PlanBook, row: Row) -> Sitting:
    """The sitting a row tells of."""
    plan = plan_in_scope(book, row)
    as_of = row[AS_OF] or row.upload.options.get("as_of", "")
    return Sitting(
        plan_id=plan.id,
        admission_number=row[ADMISSION],
        marks=marks_of(row),
        as_of=as_kept(datetime.fromisoformat(as_of)) if as_of else start_of(plan.session_date),
        attempt=int(row[ATTEMPT] or 1),
    )


def marks_of(row: Row) -> Marks:
    """The marks in a row; a remark may stand in a score's cell."""
    words = [row[THEORY], row[PRACTICAL]]
    remark = next((found for word in (row[REMARK], *words) if (found := remark_of(word))), Remark.NONE)
    theory, practical = (int(word) if word and not remark_of(word) else None for word in words)
    return Marks(theory, practical, remark)


def _examined(row: Row, book: PlanBook, docket: Docket) -> Examined:
    try:
        weighed = docket.weigh(sitting_of(book, row))
    except Refusal as refusal:
        return refused(row, refusal)
    status: Status = "unchanged" if not weighed.steps else "new" if weighed.before is None else "changed"
    notes = (REMARK_LEFT_OUT(text=row[REMARK]),) if row[REMARK] and not remark_of(row[REMARK]) else ()
    renews = weighed.after != weighed.before
    return Examined(row.number, status, value=weighed, identity=weighed.after.id, notes=notes, renews=renews)


RESULTS_SHEET: SheetKind[Board] = SheetKind(
    name="results",
    title_zh="成绩表",
    title_en="Results",
    columns=COLUMNS,
    known=known,
    examine=examine,
    commit=commit,
    roles=(Role.TEO, Role.EXAM_OFFICE),
    options=OPTIONS,
)
