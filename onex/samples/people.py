"""The people of the samples: 1,200 students of nine programmes and 100 community learners."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from random import Random

from onex.samples.annex import Annex
from onex.samples.names import DOTTED_NAMES, RARE_NAMES, Registry, identity_number

# How many students each programme has; 1,200 in all.
STUDENTS = {
    "560301": 160,
    "560309": 130,
    "610119": 120,
    "610202": 110,
    "630701": 170,
    "630302": 180,
    "630301": 120,
    "690104": 100,
    "690101": 110,
}
DEPARTMENTS = {
    "机电工程学院": ("560301", "560309"),
    "信息工程学院": ("610119", "610202"),
    "商贸学院": ("630701",),
    "财会学院": ("630302", "630301"),
    "公共管理学院": ("690104", "690101"),
}
DEPARTMENT_WITH_MAIL = "信息工程学院"
COMMUNITY = 100
RESIDENT, RESIDENCE_PERMIT, PASSPORT, HOME_RETURN = "居民身份证", "港澳台居民居住证", "护照", "港澳居民来往内地通行证"


@dataclass(frozen=True)
class Record:
    """学籍: what ties a person to a programme."""

    student_number: str
    programme: str
    programme_name: str
    department: str
    entry_year: int
    class_name: str
    status: str
    since: date


@dataclass(frozen=True)
class Person:
    """A learner; `ability` is what the marks are drawn around."""

    name: str
    document_type: str
    document_number: str
    ability: int
    phone: str = ""
    email: str = ""
    record: Record | None = None
    earlier: Record | None = None
    is_star: bool = False


def people_of(rng: Random, annex: Annex) -> list[Person]:
    """Everybody, students first."""
    registry = Registry(rng)
    students = [
        student(rng, registry, annex, department, programme, number)
        for department, programmes in DEPARTMENTS.items()
        for programme in programmes
        for number in range(STUDENTS[programme])
    ]
    return peculiar_students(students) + peculiar_community([community(rng, registry, n) for n in range(COMMUNITY)])


def student(rng: Random, registry: Registry, annex: Annex, department: str, programme: str, number: int) -> Person:
    """One student; the first three of a programme are good at everything."""
    record = record_of(rng, annex, department, programme, number)
    has_mail = department == DEPARTMENT_WITH_MAIL and rng.random() < 0.6
    return Person(
        name=registry.name(),
        document_type=RESIDENT,
        document_number=registry.number(record.entry_year - 20, record.entry_year - 18),
        ability=round(rng.gauss(73, 8)),
        phone=phone_of(rng) if department == DEPARTMENT_WITH_MAIL else "",
        email=f"s{record.student_number}@students.example.edu.cn" if has_mail else "",
        record=record,
        is_star=number < 3,
    )


def record_of(rng: Random, annex: Annex, department: str, programme: str, number: int) -> Record:
    """The student record of one student of a programme."""
    entry_year = 2019 if number < 3 or rng.random() < 0.6 else 2020
    name = annex.programmes[programme]
    return Record(
        student_number=f"{entry_year}{list(STUDENTS).index(programme) + 1:02d}{number + 1:04d}",
        programme=programme,
        programme_name=name,
        department=department,
        entry_year=entry_year,
        class_name=f"{entry_year}{name}{1 + number % 3}班",
        status=status_of(number),
        since=date(entry_year, 9, 9 if entry_year == 2019 else 14),
    )


def status_of(number: int) -> str:
    """Nearly everybody is enrolled; a few are suspended or have left."""
    return {57: "休学", 83: "退学"}.get(number, "在读")


def phone_of(rng: Random) -> str:
    """A made-up mobile number."""
    return f"199000{rng.randrange(10**5):05d}"


def community(rng: Random, registry: Registry, number: int) -> Person:
    """A community learner; four of five have an e-mail address."""
    return Person(
        name=registry.name(),
        document_type=RESIDENT,
        document_number=registry.number(1968, 2000),
        ability=round(rng.gauss(72, 9)),
        phone=phone_of(rng),
        email=f"learner{number + 1:03d}@mail.example.com" if number % 5 else "",
        is_star=number < 4,
    )


def peculiar_students(students: list[Person]) -> list[Person]:
    """Names and papers as they do occur: rare characters, middle dots, permits; two were students before."""
    names = iter(RARE_NAMES[:6] + DOTTED_NAMES[:3])
    for place in range(20, 1100, 120):
        students[place] = replace(students[place], name=next(names))
    permit = identity_number("830000", "20010512", 16)
    students[33] = replace(students[33], document_type=RESIDENCE_PERMIT, document_number=permit)
    students[333] = replace(students[333], document_type=HOME_RETURN, document_number="H0912345601")
    for place in (40, 700):
        students[place] = replace(students[place], earlier=earlier_record(students[place].record))
    return students


def earlier_record(record: Record | None) -> Record | None:
    """A diploma course finished before the present one."""
    return record and replace(
        record,
        student_number="2017" + record.student_number[4:],
        entry_year=2017,
        class_name=f"2017{record.programme_name}1班",
        status="毕业",
        since=date(2017, 9, 11),
    )


def peculiar_community(learners: list[Person]) -> list[Person]:
    """Somebody of 1975 from a district founded in 1985, a passport, rare and dotted names."""
    learners[7] = replace(learners[7], document_number=identity_number("440106", "19750318", 402))
    learners[11] = replace(learners[11], name=RARE_NAMES[6])
    learners[12] = replace(learners[12], name=RARE_NAMES[7])
    learners[21] = replace(learners[21], name=DOTTED_NAMES[3])
    learners[22] = replace(learners[22], name=DOTTED_NAMES[4])
    learners[30] = replace(learners[30], name="MARIA CRUZ SANTOS", document_type=PASSPORT, document_number="P7700123A")
    return learners


def assert_distinct(people: list[Person]) -> None:
    """Nobody shares a document or a student number with another."""
    numbers = sorted(person.document_number for person in people)
    students = sorted(person.record.student_number for person in people if person.record)
    if any(a == b for a, b in pairwise(numbers)) or any(a == b for a, b in pairwise(students)):
        raise ValueError("two people of the samples share a number")
