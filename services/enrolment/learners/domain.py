"""What makes a learner: a document, particulars, student records; and what someone's word about them changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from chassis.errors import Ground
from contracts.terms import DocumentType, LearnerKind, StudyStatus, document_number_of, document_type_of, plain

STUDENT_NUMBER_TAKEN = Ground(
    "student_number_taken",
    en="The student number {student_number} belongs to another learner. Check the number and the identity document.",
    zh="学号 {student_number} 已属于另一学习者，请核对学号和证件号码。",
)
PROGRAMME_MISSING = Ground(
    "programme_missing",
    en="A row with a student number needs a programme. Fill in 专业.",
    zh="有学号的行必须填写专业，请补填。",
)
ENTRY_YEAR_MISSING = Ground(
    "entry_year_missing",
    en="A student needs the year of entry. Fill in 年级, like 2019.",
    zh="在校生必须填写年级（入学年份），如 2019，请补填。",
)
ENTRY_YEAR_UNKNOWN = Ground(
    "entry_year_unknown",
    en="'{text}' is not a year of entry. Write it like 2019 or 2019级.",
    zh="“{text}”不是有效的年级，请按 2019 或 2019级 的格式填写。",
)
STATUS_UNKNOWN = Ground(
    "status_unknown",
    en="'{text}' is not a student status. Write 在读, 休学, 退学 or 毕业.",
    zh="“{text}”不是有效的学籍状态，请填写在读、休学、退学或毕业。",
)
MERGE_WITH_SELF = Ground(
    "merge_with_self", en="A learner cannot be merged with itself.", zh="不能将学习者与其自身合并。"
)
MERGED_ALREADY = Ground(
    "merged_already",
    en="The learner {learner_id} was merged into {survivor_id} before. Merge {survivor_id} instead.",
    zh="学习者 {learner_id} 已并入 {survivor_id}，请改为合并 {survivor_id}。",
    status=409,
)

ENTRY_YEAR = re.compile(r"((?:19|20)\d{2})[级年届]?")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
STATUS_WORDS = {
    "在读": StudyStatus.ENROLLED, "在校": StudyStatus.ENROLLED, "在籍": StudyStatus.ENROLLED,
    "休学": StudyStatus.SUSPENDED, "保留学籍": StudyStatus.SUSPENDED,
    "退学": StudyStatus.WITHDRAWN,
    "毕业": StudyStatus.GRADUATED, "已毕业": StudyStatus.GRADUATED,
    **{status.value: status for status in StudyStatus},
}  # fmt: skip
STUDYING = frozenset({StudyStatus.ENROLLED, StudyStatus.SUSPENDED})


@dataclass(frozen=True, slots=True)
class Document:
    """An identity document; its number shows in no log."""

    type: DocumentType
    number: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Particulars:
    """How a learner is called and reached."""

    name: str = field(repr=False)
    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class StudentRecord:
    """学籍: what ties a learner to a programme."""

    college: str
    student_number: str
    programme: str
    entry_year: int
    department: str
    class_name: str
    status: StudyStatus
    since: date
    until: date | None = None

    @property
    def key(self) -> str:
        return record_key(self.college, self.student_number)


@dataclass(frozen=True, slots=True)
class Study:
    """What someone says about a student record; what is empty is not said."""

    student_number: str
    college: str = ""
    programme: str = ""
    entry_year: int | None = None
    department: str = ""
    class_name: str = ""
    status: StudyStatus | None = None
    since: date | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """What someone says about a person: an identity document, particulars, perhaps a study."""

    document: Document
    particulars: Particulars
    study: Study | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A learner as enrolment knows them; `learner_id` is empty until registered, records stand by their key."""

    learner_id: str
    kind: LearnerKind
    particulars: Particulars
    records: Mapping[str, StudentRecord]


def record_key(college: str, student_number: str) -> str:
    """What names a student record."""
    return f"{college}:{student_number}"


def document_of(type_text: str, number_text: str) -> Document:
    """Read an identity document as people write it; refuses what cannot be one."""
    kind = document_type_of(type_text)
    return Document(kind, document_number_of(kind, number_text))


def entry_year_of(text: str) -> int | None:
    """Read a year of entry: 2019, 2019级; None for an empty cell."""
    word = plain(text)
    if not word:
        return None
    found = ENTRY_YEAR.fullmatch(word)
    if found is None:
        raise ENTRY_YEAR_UNKNOWN(text=text)
    return int(found[1])


def status_of(text: str) -> StudyStatus | None:
    """Read a student status; None for an empty cell."""
    word = plain(text)
    if not word:
        return None
    status = STATUS_WORDS.get(word)
    if status is None:
        raise STATUS_UNKNOWN(text=text)
    return status


def is_email(text: str) -> bool:
    """Whether mail could be sent there."""
    return EMAIL.fullmatch(text) is not None


def registered(said: Registration, person: Person | None, today: date) -> Person:
    """The person as they are after what was said; what was not said stays."""
    records = dict(person.records) if person else {}
    if said.study:
        record = studied(said.study, own_record(said.study, records), today)
        records[record.key] = record
    return Person(
        learner_id=person.learner_id if person else "",
        kind=kind_of(records),
        particulars=reworded(said.particulars, person.particulars) if person else said.particulars,
        records=records,
    )


def reworded(said: Particulars, have: Particulars) -> Particulars:
    """Particulars after someone gave some of them."""
    return Particulars(said.name or have.name, said.phone or have.phone, said.email or have.email)


def own_record(study: Study, records: Mapping[str, StudentRecord]) -> StudentRecord | None:
    """The record meant: by college and number, or by number alone where one of the two does not say the college."""
    if study.college:
        exact = records.get(record_key(study.college, study.student_number))
        return exact or records.get(record_key("", study.student_number))
    same = [record for record in records.values() if record.student_number == study.student_number]
    return same[0] if len(same) == 1 else records.get(record_key("", study.student_number))


def studied(said: Study, have: StudentRecord | None, today: date) -> StudentRecord:
    """A student record after what was said; a new one starts on 1 September of its entry year unless said otherwise."""
    if have is None:
        have = first_record(said)
    status = said.status or have.status
    return replace(
        have,
        programme=said.programme or have.programme,
        entry_year=said.entry_year or have.entry_year,
        department=said.department or have.department,
        class_name=said.class_name or have.class_name,
        status=status,
        since=said.since or have.since,
        until=None if status in STUDYING else have.until or today,
    )


def first_record(said: Study) -> StudentRecord:
    """A record nobody had; refuses one without a programme or a year of entry."""
    if not said.programme:
        raise PROGRAMME_MISSING()
    if said.entry_year is None:
        raise ENTRY_YEAR_MISSING()
    return StudentRecord(
        college=said.college,
        student_number=said.student_number,
        programme=said.programme,
        entry_year=said.entry_year,
        department=said.department,
        class_name=said.class_name,
        status=StudyStatus.ENROLLED,
        since=said.since or date(said.entry_year, 9, 1),
    )


def department_of(records: Mapping[str, StudentRecord]) -> str:
    """The department that decides about a learner: of what is studied now, else of what was studied last."""
    if not records:
        return ""
    return max(records.values(), key=lambda record: (record.status in STUDYING, record.since, record.key)).department


def kind_of(records: Mapping[str, StudentRecord]) -> LearnerKind:
    """Who studies now is a student; everyone else is a community learner."""
    if any(record.status in STUDYING for record in records.values()):
        return LearnerKind.STUDENT
    return LearnerKind.COMMUNITY


def changed_records(before: Person | None, after: Person) -> list[StudentRecord]:
    """The records that are new or other than before."""
    had = before.records if before else {}
    return [record for key, record in after.records.items() if had.get(key) != record]


def check_numbers(before: Person | None, after: Person, owners: Mapping[str, object]) -> None:
    """Refuse a new student record under a number that somebody has. `owners`: who has which record key."""
    had = before.records if before else {}
    for key, record in after.records.items():
        if key not in had and key in owners:
            raise STUDENT_NUMBER_TAKEN(student_number=record.student_number)


def is_same_self(before: Person | None, after: Person) -> bool:
    """Whether kind and particulars stayed as they were."""
    return before is not None and (before.kind, before.particulars) == (after.kind, after.particulars)


def merged(survivor: Person, other: Person) -> Person:
    """Two learners as one: the survivor's word counts, the other's fills what is missing."""
    records = {**other.records, **survivor.records}
    return Person(
        learner_id=survivor.learner_id,
        kind=kind_of(records),
        particulars=reworded(survivor.particulars, other.particulars),
        records=records,
    )


def check_merge(survivor_id: str, survivor_now: str | None, merged_id: str, merged_now: str | None) -> bool:
    """Whether a merge is still to be done; refuses one with oneself or with who was merged elsewhere.

    `…_now`: into whom a learner was merged before.
    """
    if survivor_id == merged_id:
        raise MERGE_WITH_SELF()
    if merged_now == survivor_id:
        return False
    for learner_id, now in ((survivor_id, survivor_now), (merged_id, merged_now)):
        if now:
            raise MERGED_ALREADY(learner_id=learner_id, survivor_id=now)
    return True
