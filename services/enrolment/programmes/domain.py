"""What a programme and its curricula are, and which entry years a change concerns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from chassis.errors import Ground, Refusal
from contracts.terms import CourseKind, credits_of, plain

PROGRAMME_UNKNOWN = Ground(
    "programme_unknown",
    en="There is no programme '{text}' here. Check its name, or have an operator add it.",
    zh="本校没有专业“{text}”，请核对专业名称，或请管理员先行添加。",
)
PROGRAMME_CODE_INVALID = Ground(
    "programme_code_invalid",
    en="A programme's code has 1 to 20 letters, digits or dashes, like 560301.",
    zh="专业代码应为 1 至 20 位字母、数字或短横，如 560301。",
)
ENTRY_YEAR_NOT_OFFERED = Ground(
    "entry_year_not_offered",
    en="{programme} has no entry year {year}. Add the year to the programme first.",
    zh="{programme}没有 {year} 级，请先在专业中添加该年级。",
)
COURSE_CODE_INVALID = Ground(
    "course_code_invalid",
    en="'{code}' can't be the code of a course or module: write 1 to 32 letters, digits, dots or dashes, like KJ2101.",
    zh="“{code}”不能作为课程或模块代码：应为 1 至 32 位字母、数字、点或短横，如 KJ2101。",
)
COURSE_REPEATED = Ground(
    "course_repeated",
    en="The code {code} stands twice in this curriculum. Every course and module has a code of its own.",
    zh="代码 {code} 在该课程表中重复出现，课程和模块的代码不得相同。",
)
MODULES_EXCEED_COURSE = Ground(
    "modules_exceed_course",
    en="The modules of {code} make {modules} credits; the course itself has {course}. Correct one of them.",
    zh="{code} 各模块学分合计 {modules}，超过课程学分 {course}，请更正。",
)
COURSES_EXCEED_TOTAL = Ground(
    "courses_exceed_total",
    en="The required courses make {courses} credits; {programme} asks for {total} in all. Correct one of them.",
    zh="必修课程学分合计 {courses}，超过{programme}的毕业总学分 {total}，请更正。",
)
CURRICULUM_TOO_LONG = Ground(
    "curriculum_too_long",
    en="A curriculum has at most {courses} courses and {modules} modules.",
    zh="一份课程表最多 {courses} 门课程、{modules} 个模块。",
)
ELECTIVES_ABOVE_TOTAL = Ground(
    "electives_above_total",
    en="With its electives the curriculum has {courses} credits, more than the {total} that {programme} asks for.",
    zh="含选修课共 {courses} 学分，超过{programme}的毕业总学分 {total}。",
)
FEW_CORE_COURSES = Ground(
    "few_core_courses",
    en="Only {count} core courses; a certificate is to be matched by {fewest} or 5 in each programme.",
    zh="核心课程仅 {count} 门，每个专业应有 {fewest} 至 5 门核心课程与证书对接。",
)
USUALLY_NEVER_EXEMPT = Ground(
    "usually_never_exempt",
    en="{name} looks like a course that is never exempt, and is not marked as one. Check the mark.",
    zh="{name}一般不可免修，但未标记为不可免修，请核对。",
)

CODE = re.compile(r"[0-9A-Za-z-]{1,20}")
COURSE_CODE = re.compile(r"[0-9A-Za-z.-]{1,32}")
MOST_COURSES, MOST_MODULES = 200, 400
FEWEST_CORE_COURSES = 4
LAST_TERM = 12
# Politics, sports, military training, internship and thesis: DOMAIN of the credit rules. A hint only; the mark decides.
NEVER_EXEMPT = re.compile("思想道德|思想政治|毛泽东|习近平|马克思|形势与政策|体育|军事|军训|实习|毕业设计|毕业论文")


@dataclass(frozen=True, slots=True)
class Programme:
    """专业: a course of study; its credit total belongs to each entry year."""

    code: str
    name: str
    entry_years: tuple[int, ...]
    credit_points_total: int
    code_2021: str = ""


@dataclass(frozen=True, slots=True)
class CourseModule:
    """模块: a part of a course that can be exempt by itself."""

    code: str
    name: str
    credit_points: int


@dataclass(frozen=True, slots=True)
class Course:
    """课程: `term` counts from the first one of the plan."""

    code: str
    name: str
    credit_points: int
    kind: CourseKind
    term: int
    is_never_exempt: bool = False
    modules: tuple[CourseModule, ...] = ()


@dataclass(frozen=True, slots=True)
class Curriculum:
    """课程表: the courses of a programme for one entry year; revision 0 while there are none."""

    programme: str
    entry_year: int
    courses: tuple[Course, ...] = ()
    revision: int = 0

    @property
    def place(self) -> str:
        return f"{self.programme}:{self.entry_year}"

    @property
    def credit_points(self) -> int:
        return sum(one.credit_points for one in self.courses)

    @property
    def core_courses(self) -> int:
        return sum(one.kind is CourseKind.CORE for one in self.courses)


def check_curriculum(curriculum: Curriculum, programme: Programme) -> None:
    """Refuse an entry year the programme has not, and courses that cannot be together."""
    if curriculum.entry_year not in programme.entry_years:
        raise ENTRY_YEAR_NOT_OFFERED(programme=programme.name, year=curriculum.entry_year)
    _check_codes(curriculum)
    for course in curriculum.courses:
        modules = sum(one.credit_points for one in course.modules)
        if modules > course.credit_points:
            had = credits_of(course.credit_points)
            raise MODULES_EXCEED_COURSE(code=course.code, modules=credits_of(modules), course=had)
    check_total(curriculum, programme)


def _check_codes(curriculum: Curriculum) -> None:
    modules = [one.code for course in curriculum.courses for one in course.modules]
    if len(curriculum.courses) > MOST_COURSES or len(modules) > MOST_MODULES:
        raise CURRICULUM_TOO_LONG(courses=MOST_COURSES, modules=MOST_MODULES)
    seen = set[str]()
    for code in [*(one.code for one in curriculum.courses), *modules]:
        if not COURSE_CODE.fullmatch(code):
            raise COURSE_CODE_INVALID(code=code)
        if code in seen:
            raise COURSE_REPEATED(code=code)
        seen.add(code)


def check_total(curriculum: Curriculum, programme: Programme) -> None:
    """Refuse required courses that are worth more than the programme asks for; electives are there to choose from."""
    required = sum(one.credit_points for one in curriculum.courses if one.kind is not CourseKind.ELECTIVE)
    if required > programme.credit_points_total:
        total = credits_of(programme.credit_points_total)
        raise COURSES_EXCEED_TOTAL(courses=credits_of(required), programme=programme.name, total=total)


def warnings_of(curriculum: Curriculum, programme: Programme) -> list[Refusal]:
    """What of a curriculum ought to be looked at, though it may stand."""
    found = [USUALLY_NEVER_EXEMPT(name=one.name) for one in curriculum.courses if looks_never_exempt(one)]
    if curriculum.core_courses < FEWEST_CORE_COURSES:
        found.append(FEW_CORE_COURSES(count=curriculum.core_courses, fewest=FEWEST_CORE_COURSES))
    if curriculum.credit_points > programme.credit_points_total:
        points, total = credits_of(curriculum.credit_points), credits_of(programme.credit_points_total)
        found.append(ELECTIVES_ABOVE_TOTAL(courses=points, programme=programme.name, total=total))
    return found


def looks_never_exempt(course: Course) -> bool:
    """Whether a course that may be exempt is called like one that never is."""
    return not course.is_never_exempt and NEVER_EXEMPT.search(course.name) is not None


def with_course(curriculum: Curriculum, course: Course) -> Curriculum:
    """The curriculum with a course as it is said now; modules of it that are not spoken of stay."""
    before = next((one for one in curriculum.courses if one.code == course.code), None)
    if before is None:
        return replace(curriculum, courses=(*curriculum.courses, course))
    modules = {one.code: one for one in (*before.modules, *course.modules)}
    after = replace(course, modules=tuple(modules.values()))
    return replace(curriculum, courses=tuple(after if one is before else one for one in curriculum.courses))


def code_of(text: str) -> str:
    """A programme's code; refuses what cannot be one."""
    if not CODE.fullmatch(text):
        raise PROGRAMME_CODE_INVALID()
    return text


def years_to_announce(before: Programme | None, after: Programme) -> tuple[int, ...]:
    """The entry years that are new, or all when name or total changed."""
    if before is None or (before.name, before.credit_points_total) != (after.name, after.credit_points_total):
        return after.entry_years
    return tuple(year for year in after.entry_years if year not in before.entry_years)


def by_word(programmes: Iterable[Programme]) -> Mapping[str, Programme]:
    """Programmes by every word people write for them: name, code of 2015, code of 2021."""
    found: dict[str, Programme] = {}
    for programme in programmes:
        found.setdefault(plain(programme.name), programme)
        found.setdefault(programme.code_2021, programme)
    found.pop("", None)
    return found | {programme.code: programme for programme in programmes}


def programme_of(text: str, known: Mapping[str, Programme]) -> Programme | None:
    """The programme meant by a cell; None for an empty one, refuses an unknown one."""
    word = "".join(plain(text).split())
    if not word:
        return None
    if word not in known:
        raise PROGRAMME_UNKNOWN(text=text)
    return known[word]
