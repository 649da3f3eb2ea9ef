"""The curricula sheet: the courses of programmes, by entry year, a course or one of its modules a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chassis.errors import Ground, Refusal
from chassis.sheet import cells
from chassis.sheet.kind import Column, Examined, Row, SheetKind, Status, refused
from chassis.sheet.read import CELL_TOO_LONG
from contracts.terms import Role, course_kind_of, credit_points_of, plain
from services.enrolment.programmes import queries
from services.enrolment.programmes.commands import publish_curriculum
from services.enrolment.programmes.domain import (
    LAST_TERM,
    PROGRAMME_UNKNOWN,
    USUALLY_NEVER_EXEMPT,
    Course,
    CourseModule,
    Curriculum,
    Programme,
    by_word,
    check_curriculum,
    looks_never_exempt,
    programme_of,
    with_course,
)

MODULE_INCOMPLETE = Ground(
    "module_incomplete",
    en="A module has a code, a name and credits; fill in all three, or none of them.",
    zh="模块应同时填写代码、名称和学分，或三项均留空。",
)
TERM_RANGE = Ground(
    "term_range",
    en="Term {term} can't be: a plan counts its terms from 1 to {last}.",
    zh="学期 {term} 无效：学期按培养方案顺序填写 1 至 {last}。",
)
ENTRY_YEAR_MALFORMED = Ground(
    "entry_year_malformed",
    en="'{text}' is no year of entry. Write it like 2019 or 2019级.",
    zh="“{text}”不是有效年级，请填写如 2019 或 2019级。",
)
YES_OR_NO = Ground(
    "yes_or_no", en="'{text}' is neither 是 nor 否. Write one of them.", zh="“{text}”既非“是”也非“否”，请填写其一。"
)
COURSE_SAID_OTHERWISE = Ground(
    "course_said_otherwise",
    en="An earlier row of this sheet says something else of course {code}. Rows of one course agree on it.",
    zh="本表前面的行对课程 {code} 的填写与此不一致，同一课程各行应一致。",
)

PROGRAMME, YEAR, CODE, NAME, CREDITS = "专业", "年级", "课程代码", "课程名称", "学分"
KIND, TERM, NEVER, MODULE_CODE, MODULE, MODULE_CREDITS = (
    "类别", "学期", "是否不可免修", "模块代码", "模块", "模块学分",
)  # fmt: skip
YES, NO = (
    frozenset({"是", "不可免修", "y", "yes", "true", "1"}),
    frozenset({"", "否", "可免修", "n", "no", "false", "0"}),
)
LONGEST_CELL = 100


def credit(cell: cells.Cell) -> str:
    """A number of credits as it was written, if it is one: 2, 2.0, 2.5."""
    word = cells.code(cell)
    if word:
        credit_points_of(word)
    return word


COLUMNS = (
    Column(PROGRAMME, aliases=("专业名称", "专业代码"), required=True, filled=True, examples=("会计", "会计")),
    Column(YEAR, aliases=("入学年份", "入学年级"), required=True, filled=True, read=cells.code,
           examples=("2019级", "2019")),
    Column(CODE, aliases=("课程编号", "课程号"), required=True, filled=True, read=cells.code,
           examples=("KJ2101", "KJ2105")),
    Column(NAME, aliases=("课程",), required=True, filled=True, examples=("财务大数据基础", "税务会计")),
    Column(CREDITS, aliases=("课程学分",), required=True, filled=True, read=credit, examples=("2.0", "4.0")),
    Column(KIND, aliases=("课程类别", "课程性质"), required=True, filled=True, read=cells.code,
           examples=("基础", "核心"), note_zh="基础、核心、选修或实践",
           note_en="基础 foundation, 核心 core, 选修 elective, 实践 practice"),
    Column(TERM, aliases=("开课学期",), required=True, filled=True, read=cells.integer, examples=("1", "4"),
           note_zh="培养方案的第几学期", note_en="which term of the plan"),
    Column(NEVER, aliases=("不可免修",), read=cells.code, examples=("否", ""),
           note_zh="思政、体育、军训、实习、毕业设计填“是”", note_en="是 for politics, sports, internship, thesis"),
    Column(MODULE_CODE, aliases=("模块编号",), read=cells.code, examples=("", "KJ2105-2"),
           note_zh="一行一个模块", note_en="a row for each module"),
    Column(MODULE, aliases=("模块名称", "课程模块"), examples=("", "个税核算")),
    Column(MODULE_CREDITS, read=credit, examples=("", "2.0")),
)  # fmt: skip


@dataclass(frozen=True)
class Known:
    """Programmes by what people call them, and the curricula that some rows speak of, by place."""

    programmes: Mapping[str, Programme] = field(default_factory=dict)
    curricula: Mapping[str, Curriculum] = field(default_factory=dict)


@dataclass
class Seen:
    """Curricula as the rows before have left them, and what those said of courses."""

    curricula: dict[str, Curriculum]
    said: dict[tuple[str, str], Course] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """What a row says: a course of a programme's entry year, with one of its modules or none."""

    programme: Programme
    entry_year: int
    course: Course

    @property
    def nowhere(self) -> Curriculum:
        """The curriculum meant, as long as there is none."""
        return Curriculum(self.programme.code, self.entry_year)


def known(rows: Sequence[Row]) -> Known:
    """The programmes, and the curricula of those that the rows name."""
    words = by_word(queries.programmes())
    places = set[str]()
    for row in rows:
        try:
            places.add(Curriculum(_programme(row, words).code, _year(row)).place)
        except Refusal:
            continue  # the row is refused when it is examined
    return Known(words, queries.curricula_at(places))


def examine(rows: Sequence[Row], known: Known) -> list[Examined]:
    """Judge rows in their order, each as if those before it were committed."""
    seen = Seen(dict(known.curricula))
    return [_examined(row, known, seen) for row in rows]


def commit(examined: Sequence[Examined]) -> None:
    """Publish each curriculum once with all that its rows say; what a sheet does not speak of stays."""
    by_place: dict[str, list[Examined]] = {}
    for one in examined:
        by_place.setdefault(one.value.nowhere.place, []).append(one)
    for lines in by_place.values():
        first: Line = lines[0].value
        curriculum = queries.curriculum_or_none(first.programme.code, first.entry_year)
        for one in lines:
            curriculum = with_course(curriculum, one.value.course)
        publish_curriculum(first.programme.code, first.entry_year, curriculum.courses, lines[0].cause)


def _examined(row: Row, known: Known, seen: Seen) -> Examined:
    try:
        return _judged(row, known, seen)
    except Refusal as refusal:
        return refused(row, refusal)


def _judged(row: Row, known: Known, seen: Seen) -> Examined:
    line = line_of(row, known.programmes)
    place, course = line.nowhere.place, line.course
    plain_course = Course(course.code, course.name, course.credit_points, course.kind, course.term,
                          course.is_never_exempt)  # fmt: skip
    if seen.said.setdefault((place, course.code), plain_course) != plain_course:
        raise COURSE_SAID_OTHERWISE(code=course.code)
    before = seen.curricula.get(place, line.nowhere)
    after = with_course(before, course)
    check_curriculum(after, line.programme)
    seen.curricula[place] = after
    notes = (USUALLY_NEVER_EXEMPT(name=course.name),) if not row[NEVER] and looks_never_exempt(course) else ()
    part = course.modules[0].code if course.modules else ""
    identity = f"{place}:{course.code}:{part}"
    return Examined(row.number, _status(before, after, course), value=line, identity=identity, notes=notes)


def _status(before: Curriculum, after: Curriculum, course: Course) -> Status:
    if before == after:
        return "unchanged"
    had = next((one for one in before.courses if one.code == course.code), None)
    is_new = had is None or not {one.code for one in course.modules} <= {one.code for one in had.modules}
    return "new" if is_new else "changed"


def line_of(row: Row, programmes: Mapping[str, Programme]) -> Line:
    """What a row says; refuses what cannot be."""
    for column, text in row.cells.items():
        if len(text) > LONGEST_CELL:
            raise CELL_TOO_LONG(column=column, length=len(text), limit=LONGEST_CELL)
    term = int(row[TERM])
    if not 1 <= term <= LAST_TERM:
        raise TERM_RANGE(term=term, last=LAST_TERM)
    course = Course(
        code=row[CODE],
        name=plain(row[NAME]),
        credit_points=credit_points_of(row[CREDITS]),
        kind=course_kind_of(row[KIND]),
        term=term,
        is_never_exempt=_is_yes(row[NEVER]),
        modules=_modules(row),
    )
    return Line(_programme(row, programmes), _year(row), course)


def _programme(row: Row, programmes: Mapping[str, Programme]) -> Programme:
    found = programme_of(row[PROGRAMME], programmes)
    if found is None:
        raise PROGRAMME_UNKNOWN(text=row[PROGRAMME])
    return found


def _year(row: Row) -> int:
    word = row[YEAR].removesuffix("级")
    if not (len(word) == 4 and word.isdecimal()):
        raise ENTRY_YEAR_MALFORMED(text=row[YEAR])
    return int(word)


def _modules(row: Row) -> tuple[CourseModule, ...]:
    said = (row[MODULE_CODE], row[MODULE], row[MODULE_CREDITS])
    if not any(said):
        return ()
    if not all(said):
        raise MODULE_INCOMPLETE()
    return (CourseModule(row[MODULE_CODE], plain(row[MODULE]), credit_points_of(row[MODULE_CREDITS])),)


def _is_yes(text: str) -> bool:
    word = text.lower()
    if word not in YES | NO:
        raise YES_OR_NO(text=text)
    return word in YES


CURRICULA_SHEET: SheetKind[Known] = SheetKind(
    name="curricula",
    title_zh="课程表",
    title_en="Curricula",
    columns=COLUMNS,
    known=known,
    examine=examine,
    commit=commit,
    roles=(Role.REGISTRY,),
    whole_college=True,
)
