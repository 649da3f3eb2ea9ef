"""What a mark in a course is, what it becomes, and when a later word on it counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from enum import StrEnum

from chassis.errors import Ground
from contracts.terms import plain
from services.training.students.domain import StudentRecord, student_fact

STUDENT_NUMBER_INVALID = Ground(
    "student_number_invalid",
    en="'{text}' can't be a student number: 1 to 32 letters, digits or dashes.",
    zh="“{text}”不能作为学号：应为 1 至 32 位字母、数字或短横。",
)
COURSE_CODE_MALFORMED = Ground(
    "course_code_malformed",
    en="'{text}' can't be a course code: 1 to 32 letters, digits, dots or dashes.",
    zh="“{text}”不能作为课程代码：应为 1 至 32 位字母、数字、点或短横。",
)
TERM_MALFORMED = Ground(
    "term_malformed",
    en="'{text}' is no term. Write the school year and the term in it, like 2020-2021-2.",
    zh="“{text}”不是有效学期，请填写学年和学期，如 2020-2021-2。",
)
MARK_UNKNOWN = Ground(
    "mark_unknown",
    en="'{text}' is no mark. Write a whole number from 0 to 100, or 优, 良, 中, 及格, 不及格, 合格 or 不合格.",
    zh="“{text}”不是有效成绩，请填写 0 至 100 的整数，或优、良、中、及格、不及格、合格、不合格。",
)
MARK_OR_GRADE = Ground(
    "mark_or_grade",
    en="Give either a mark or a grade, not both and not neither.",
    zh="分数与等级请填写其一，不能同时填写或均为空。",
)
MARK_OLDER = Ground(
    "mark_older",
    en="Course result {result_id} was submitted as of {known} already; this one is older, as of {given}.",
    zh="课程成绩 {result_id} 已有 {known} 的数据，本次数据时间 {given} 更早，未采用。",
)
MARK_CONFLICTS = Ground(
    "mark_conflicts",
    en="Course result {result_id} has another mark as of the same time, {given}. Send the right one with a newer time.",
    zh="课程成绩 {result_id} 在同一数据时间 {given} 已有不同内容，请核实后以更新的数据时间重新提交。",
)
MARK_AHEAD = Ground(
    "mark_ahead",
    en="The time of the mark, {given}, lies in the future. Give the time at which it held.",
    zh="成绩的数据时间 {given} 晚于当前时间，请填写实际数据时间。",
)
STUDENT_AWAITED = Ground(
    "student_awaited",
    en="Nobody with the student number {number} is known yet. The mark is kept and counts once the record comes.",
    zh="尚无学号 {number} 的学籍，成绩已保留，学籍登记后自动生效。",
)
STUDENT_AMBIGUOUS = Ground(
    "student_ambiguous",
    en="Several colleges have the student number {number}. The mark is kept until one record is left.",
    zh="学号 {number} 对应多个学校的学籍，成绩已保留，待学籍唯一后生效。",
)
COURSE_AWAITED = Ground(
    "course_awaited",
    en="The curriculum of this student has no course {course} yet. The mark is kept and counts once it has.",
    zh="该生的课程表中尚无课程 {course}，成绩已保留，课程表补充后自动生效。",
)

NUMBER, COURSE_CODE = re.compile(r"[0-9A-Za-z-]{1,32}"), re.compile(r"[0-9A-Za-z.-]{1,32}")
TERM = re.compile(r"(\d{4})-(\d{4})(?:-|学年)(?:第)?([123一二三])(?:学期)?")
TERM_WORDS = {"一": "1", "二": "2", "三": "3"}
TERM_MONTH = {"1": 1, "2": 6, "3": 8}  # of the school year's second calendar year: when its marks are given out
CAMPUS_OFFSET = timezone(timedelta(hours=8))
AHEAD = timedelta(days=1)  # how far a sender's clock may be in front
EVERY_PROGRAMME = "default"
USUAL_PASS_MARK = 60


@dataclass(frozen=True, slots=True)
class Grade:
    """等级制成绩: what a word stands for where a mark is asked for, and whether it passes."""

    word: str
    mark: int
    passed: bool


GRADES = {
    word: grade
    for grade, words in (
        (Grade("优", 95, True), "优 优秀"),
        (Grade("良", 85, True), "良 良好"),
        (Grade("中", 75, True), "中 中等"),
        (Grade("及格", 60, True), "及格"),
        (Grade("不及格", 0, False), "不及格"),
        (Grade("合格", 60, True), "合格 通过"),
        (Grade("不合格", 0, False), "不合格 未通过"),
    )
    for word in words.split()
}


class Lack(StrEnum):
    """What a mark waits for."""

    NOTHING = ""
    STUDENT = "student"
    ONE_STUDENT = "one_student"
    COURSE = "course"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a source says of one student in one course and term; `grade` is the word that stands for the mark."""

    student_number: str
    course: str
    term: str
    mark: int
    grade: str
    as_of: datetime

    @property
    def result_id(self) -> str:
        return f"{self.student_number}:{self.course}:{self.term}"

    @property
    def says(self) -> tuple[int, str]:
        return self.mark, self.grade


@dataclass(frozen=True, slots=True)
class CourseResult:
    """A mark and what it came to; revision 0 as long as it waits and nobody was told of it."""

    given: Mark
    learner_id: str = ""
    programme: str = ""
    entry_year: int = 0
    credit_points: int = 0
    pass_mark: int = 0
    passed: bool = False
    revision: int = 0
    is_withdrawn: bool = False
    waits_for: Lack = Lack.NOTHING
    cause: str = ""

    @property
    def id(self) -> str:
        return self.given.result_id

    @property
    def is_told(self) -> bool:
        return self.revision > 0


@dataclass(frozen=True)
class Known:
    """What marks are weighed against: results by id, records by number, credit points by course, pass marks."""

    now: datetime
    results: Mapping[str, CourseResult] = field(default_factory=dict)
    records: Mapping[str, Sequence[StudentRecord]] = field(default_factory=dict)
    courses: Mapping[tuple[str, int], Mapping[str, int]] = field(default_factory=dict)
    pass_marks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a mark does to its result; `is_news`: the result is another one now, and told of unless it waits."""

    before: CourseResult | None
    after: CourseResult
    is_news: bool


def mark_of(number: str, course: str, term: str, said: str, as_of: datetime | None) -> Mark:
    """Read a mark as people write it; without a time it holds since marks of its term are given out."""
    student_number, code = plain(number), plain(course)
    if not NUMBER.fullmatch(student_number):
        raise STUDENT_NUMBER_INVALID(text=number)
    if not COURSE_CODE.fullmatch(code):
        raise COURSE_CODE_MALFORMED(text=course)
    when = term_of(term)
    mark, grade = score_of(said)
    return Mark(student_number, code, when, mark, grade, as_of or given_out(when))


def term_of(text: str) -> str:
    """Read a term: 2020-2021-2, 2020-2021学年第二学期."""
    found = TERM.fullmatch("".join(plain(text).split()))
    if found is None or int(found[2]) != int(found[1]) + 1 or not 1950 <= int(found[1]) < 2199:
        raise TERM_MALFORMED(text=text)
    return f"{found[1]}-{found[2]}-{TERM_WORDS.get(found[3], found[3])}"


def given_out(term: str) -> datetime:
    """When marks of a term are given out, as far as nobody says so."""
    _, year, number = term.split("-")
    return datetime(int(year), TERM_MONTH[number], 1, tzinfo=CAMPUS_OFFSET)


def score_of(text: str) -> tuple[int, str]:
    """Read a mark: a whole number, or a word, which is kept beside the number it stands for."""
    word = plain(text)
    if word in GRADES:
        return GRADES[word].mark, GRADES[word].word
    if not (word.isascii() and word.isdecimal() and len(word) <= 3 and int(word) <= 100):
        raise MARK_UNKNOWN(text=text)
    return int(word), ""


class Docket:
    """Weighs marks one after the other, each against what those before it left."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.results = dict(known.results)

    def weigh(self, mark: Mark) -> Weighed:
        """What a mark does to its result; Refusal if nothing, because it may not."""
        if mark.as_of > self.known.now + AHEAD:
            raise MARK_AHEAD(given=shown(mark.as_of))
        before = self.results.get(mark.result_id)
        weighed = self._first(mark) if before is None else self._again(mark, before)
        self.results[mark.result_id] = weighed.after
        return weighed

    def _first(self, mark: Mark) -> Weighed:
        return Weighed(None, settled(CourseResult(mark), self.known), is_news=True)

    def _again(self, mark: Mark, before: CourseResult) -> Weighed:
        """A repeat changes at most how new it is; other values, or those of one withdrawn, must be newer."""
        if mark.says == before.given.says and not before.is_withdrawn:
            newer = replace(before.given, as_of=max(mark.as_of, before.given.as_of))
            return Weighed(before, replace(before, given=newer), is_news=False)
        if mark.as_of < before.given.as_of:
            raise MARK_OLDER(result_id=before.id, known=shown(before.given.as_of), given=shown(mark.as_of))
        if mark.as_of == before.given.as_of:
            raise MARK_CONFLICTS(result_id=before.id, given=shown(mark.as_of))
        again = replace(before, given=mark, is_withdrawn=False)
        if before.is_withdrawn and before.is_told:  # it has the credit of its course by now, or as it was taught last
            again = replace(identified(again, self.known), waits_for=Lack.NOTHING)
        return Weighed(before, settled(again, self.known), is_news=True)


def settled(result: CourseResult, known: Known) -> CourseResult:
    """The result judged, in its next revision, or with what it waits for."""
    if not result.is_told:
        result = identified(result, known)
    if result.waits_for:
        return result
    pass_mark = known.pass_marks.get(result.programme, known.pass_marks.get(EVERY_PROGRAMME, USUAL_PASS_MARK))
    grade = GRADES.get(result.given.grade)
    passed = grade.passed if grade else result.given.mark >= pass_mark
    return replace(result, pass_mark=pass_mark, passed=passed, revision=result.revision + 1)


def identified(result: CourseResult, known: Known) -> CourseResult:
    """The result as its student's, with the credit of the course in their curriculum; or with what it waits for."""
    told = known.records.get(result.given.student_number, ())
    records = {(one.learner_id, one.programme, one.entry_year): one for one in told}  # of one person told twice, one
    if len(records) != 1:
        return replace(result, waits_for=Lack.ONE_STUDENT if records else Lack.STUDENT)
    [record] = records.values()
    mine = replace(result, learner_id=record.learner_id, programme=record.programme, entry_year=record.entry_year)
    points = known.courses.get((record.programme, record.entry_year), {}).get(result.given.course)
    if points is None:
        return replace(mine, waits_for=Lack.COURSE)
    return replace(mine, credit_points=points, waits_for=Lack.NOTHING)


def withdrawn(result: CourseResult, now: datetime) -> CourseResult:
    """The result counting no more; one that waits was told to nobody and gets no revision."""
    given = replace(result.given, as_of=max(result.given.as_of, now))
    revision = result.revision + 1 if result.is_told else 0
    return replace(result, given=given, is_withdrawn=True, revision=revision, waits_for=Lack.NOTHING)


def fact_of(result: CourseResult) -> str:
    """The name of the fact a result waits for, and of the strand that its bringer names too."""
    if result.waits_for is Lack.COURSE:
        return curriculum_fact(result.programme, result.entry_year)
    return student_fact(result.given.student_number)


def curriculum_fact(programme: str, entry_year: int) -> str:
    """The name of the fact that a programme's entry year has other courses now."""
    return f"curriculum:{programme}:{entry_year}"


def remark_of(result: CourseResult) -> Ground | None:
    """Why a result waits."""
    grounds = {
        Lack.STUDENT: STUDENT_AWAITED,
        Lack.ONE_STUDENT: STUDENT_AMBIGUOUS,
        Lack.COURSE: COURSE_AWAITED,
    }
    return grounds.get(result.waits_for)


@dataclass(frozen=True, slots=True)
class Curriculum:
    """The courses of a programme's entry year: their credit points by code."""

    programme: str
    entry_year: int
    revision: int
    courses: Mapping[str, int]

    @property
    def place(self) -> str:
        return f"{self.programme}:{self.entry_year}"


def newest(known: Mapping[str, Curriculum], arriving: Iterable[Curriculum]) -> list[Curriculum]:
    """Of each entry year the highest revision, where that is news."""
    news: dict[str, Curriculum] = {}
    for one in arriving:
        before = news.get(one.place) or known.get(one.place)
        if before is None or one.revision >= before.revision:
            news[one.place] = one
    return list(news.values())


def as_kept(moment: datetime) -> datetime:
    """An instant to the millisecond, as it comes back when it was stored."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def shown(moment: datetime) -> str:
    """An instant as people on campus read it."""
    return moment.astimezone(CAMPUS_OFFSET).isoformat(sep=" ", timespec="seconds").removesuffix("+08:00")
