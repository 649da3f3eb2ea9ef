"""The marks sheet: who got which mark in which course and term; judged by the same rules as over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chassis.errors import Refusal, sift
from chassis.sheet import cells
from chassis.sheet.kind import Column, Examined, Row, SheetKind, Status, refused
from contracts.terms import Role, mask_name
from services.training.courses import commands
from services.training.courses.domain import GRADES, Docket, Known, Mark, as_kept, mark_of, remark_of

NUMBER, NAME, COURSE, COURSE_NAME = "学号", "姓名", "课程代码", "课程名称"
TERM, MARK, AS_OF = "学期", "成绩", "数据时间"


def mark(cell: cells.Cell) -> str:
    """A mark as a whole number, or the word that stands for one."""
    word = cells.code(cell)
    return word if word in GRADES else cells.integer(cell)


COLUMNS = (
    Column(NUMBER, required=True, filled=True, read=cells.code, examples=("2019040117",)),
    Column(NAME, personal=True, mask=mask_name, examples=("陈晓岚",), note_zh="仅供核对", note_en="for you to check"),
    Column(COURSE, aliases=("课程编号", "课程号"), required=True, filled=True, read=cells.code, examples=("KJ2101",)),
    Column(COURSE_NAME, aliases=("课程",), examples=("税务会计",), note_zh="仅供核对", note_en="for you to check"),
    Column(
        TERM, aliases=("学年学期", "开课学期"), required=True, filled=True, read=cells.code,
        examples=("2020-2021-2",),
    ),
    Column(
        MARK, aliases=("总评成绩", "最终成绩", "分数"), required=True, filled=True, read=mark, examples=("86",),
        note_zh="0 至 100，或优、良、中、及格、不及格、合格、不合格",
        note_en="0 to 100, or 优 良 中 及格 不及格 合格 不合格",
    ),
    Column(
        AS_OF, aliases=("成绩时间",), read=cells.instant, examples=("2021-07-05 12:00",),
        note_zh="空白视为该学期成绩发布日；更正成绩须填写",
        note_en="when the mark held; empty: when marks of the term are given out. Corrections need it",
    ),
)  # fmt: skip
OPTIONS = (Column("as_of", read=cells.instant),)


def known(rows: Sequence[Row]) -> Known:
    """The students, courses and results that bear on some rows, in a handful of queries."""
    return commands.known_of([said for _, said in sift(said_in, rows).accepted])


def examine(rows: Sequence[Row], known: Known) -> list[Examined]:
    """Judge rows in their order, each as if those before it were recorded."""
    docket = Docket(known)
    return [_examined(row, docket) for row in rows]


def commit(examined: Sequence[Examined]) -> None:
    """Record what the rows did."""
    commands.keep_weighed([(one.value, one.cause) for one in examined])


def said_in(row: Row) -> Mark:
    """The mark a row tells of."""
    as_of = row[AS_OF] or row.upload.options.get("as_of", "")
    moment = as_kept(datetime.fromisoformat(as_of)) if as_of else None
    return mark_of(row[NUMBER], row[COURSE], row[TERM], row[MARK], moment)


def _examined(row: Row, docket: Docket) -> Examined:
    try:
        weighed = docket.weigh(said_in(row))
    except Refusal as refusal:
        return refused(row, refusal)
    after = weighed.after
    status: Status = "unchanged" if not weighed.is_news else "new" if weighed.before is None else "changed"
    why = remark_of(after)
    notes = (why(number=after.given.student_number, course=after.given.course),) if why else ()
    renews = after != weighed.before
    return Examined(row.number, status, value=weighed, identity=after.id, notes=notes, renews=renews)


MARKS_SHEET: SheetKind[Known] = SheetKind(
    name="marks",
    title_zh="课程成绩表",
    title_en="Course marks",
    columns=COLUMNS,
    known=known,
    examine=examine,
    commit=commit,
    roles=(Role.REGISTRY,),
    whole_college=True,
    options=OPTIONS,
)
