"""What the bank keeps of programmes, course results, student records and calendars, in any order it hears of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from chassis.bus.arrivals import arrival_of
from chassis.bus.batches import Arrival
from chassis.bus.event import Announcement, encode_body, event_id, headers_of
from chassis.database import database
from contracts.enrolment import CalendarPublished, Course, CourseModule, ProgrammePublished, StudentRecordChanged
from contracts.terms import CourseKind, StudyStatus
from contracts.training import CourseResultFinalised
from services.creditbank.curricula import queries
from tests.support.arrivals import ANNOUNCED
from tests.unit.creditbank.stories import Assessment, deliver, merged

LAN, HER_OTHER_SELF = "lan", "lan-by-passport"
TAX = Course(
    code="KJ2105",
    name="税务会计",
    credit_points=400,
    kind=CourseKind.CORE,
    term=4,
    modules=(CourseModule(code="KJ2105-2", name="个税核算", credit_points=200),),
)
PE = Course(code="GG1003", name="体育", credit_points=400, kind=CourseKind.FOUNDATION, term=1, is_never_exempt=True)


def programme(revision: int, courses: tuple[Course, ...] = (), total: int = 14_000, year: int = 2019) -> Announcement:
    return ProgrammePublished(
        programme="630302", name="会计", entry_year=year, credit_points_total=total, courses=courses,
        curriculum_revision=revision,
    )  # fmt: skip


def result(revision: int, learner_id: str = LAN, course: str = "KJ2105", **more: Any) -> CourseResultFinalised:
    said: dict[str, Any] = {
        "learner_id": learner_id, "course": course, "term": "2020-2021-1", "mark": 86, "passed": True,
        "credit_points": 400, "result_id": f"2019040117:{course}:2020-2021-1", "student_number": "2019040117",
        "programme": "630302", "entry_year": 2019, "revision": revision,
    }  # fmt: skip
    return CourseResultFinalised(**said | more)


def record(learner_id: str = LAN, status: StudyStatus = StudyStatus.ENROLLED, **more: Any) -> StudentRecordChanged:
    said: dict[str, Any] = {
        "learner_id": learner_id, "student_number": "2019040117", "college": "4144012345", "programme": "630302",
        "entry_year": 2019, "department": "财会学院", "class_name": "会计1903班", "status": status,
        "since": date(2019, 9, 1),
    }  # fmt: skip
    return StudentRecordChanged(**said | more)


def told(body: Announcement, seq: int, minute: int, key: str = "") -> Arrival:
    """An announcement of a minute of that day."""
    on, name = key or body.keys()[0], type(body).__name__
    row = {
        "_id": event_id(f"told:{seq}", name, on, 0), "key": on, "seq": seq, "type": name, "source": body.source,
        "cause": "told", "time": ANNOUNCED + timedelta(minutes=minute),
    }  # fmt: skip
    return arrival_of(headers_of(row), encode_body(body), {name: type(body)})


KEPT = ("curricula", "course_results", "student_records", "calendar_years")


def kept() -> dict[str, Any]:
    """All that the room keeps."""
    return {name: sorted(database()[name].find(), key=lambda row: str(row["_id"])) for name in KEPT}


def emptied() -> None:
    for name in database().list_collection_names():
        database()[name].delete_many({})


def test_a_curriculum_is_kept_by_programme_entry_year_and_revision(mongo: str) -> None:
    enrolment = Assessment()
    enrolment.tell(programme(0), programme(1, (TAX,)), programme(2, (TAX, PE), 13_600), programme(1, (PE,), year=2020))
    last = queries.curriculum("630302", 2019)
    assert last is not None
    assert (last.revision, last.credit_points_total) == (2, 13_600)
    assert [one.code for one in last.courses] == ["KJ2105", "GG1003"]
    tax, pe = last.course("KJ2105"), last.course("GG1003")
    assert tax is not None
    assert pe is not None
    assert (tax.kind, tax.term, tax.modules[0].name, tax.modules[0].credit_points) == (
        CourseKind.CORE,
        4,
        "个税核算",
        200,
    )
    assert (tax.is_never_exempt, pe.is_never_exempt) == (False, True)
    pinned = queries.curriculum("630302", 2019, 1)
    assert pinned is not None
    assert (pinned.credit_points_total, [one.code for one in pinned.courses]) == (14_000, ["KJ2105"])
    of_2020 = queries.curriculum("630302", 2020)
    assert of_2020 is not None
    assert [one.code for one in of_2020.courses] == ["GG1003"]
    assert queries.curriculum("630302", 2021) is None


def test_a_programme_without_courses_is_known_by_its_total(mongo: str) -> None:
    Assessment().tell(programme(0), programme(0, total=13_000))
    found = queries.curriculum("630302", 2019)
    assert found is not None
    assert (found.revision, found.courses, found.credit_points_total) == (0, (), 13_000)


def test_a_course_is_passed_until_its_mark_is_corrected_or_withdrawn(mongo: str) -> None:
    training = Assessment()
    training.tell(result(1), result(1, course="KJ2101"), result(1, course="KJ2103", mark=51, passed=False))
    assert queries.passed_courses(LAN) == {"KJ2105", "KJ2101"}
    training.tell(result(2, mark=55, passed=False), result(2, course="KJ2101", is_withdrawn=True))
    assert queries.passed_courses(LAN) == set()
    withdrawn = {one.course: one.is_withdrawn for one in queries.course_results(LAN)}
    assert withdrawn == {"KJ2105": False, "KJ2101": True, "KJ2103": False}
    training.tell(result(1))
    assert queries.passed_courses(LAN) == set(), "an older revision changes nothing"


def test_a_course_failed_in_one_term_and_passed_in_the_next_is_passed(mongo: str) -> None:
    again = {"term": "2020-2021-2", "result_id": "2019040117:KJ2105:2020-2021-2"}
    Assessment().tell(result(1, mark=40, passed=False), result(1, mark=70, **again))
    assert queries.passed_courses(LAN) == {"KJ2105"}


def test_a_result_of_before_results_had_names_is_taken(mongo: str) -> None:
    old = CourseResultFinalised(learner_id=LAN, course="SG2104", term="2020-1", mark=86, passed=True, credit_points=400)
    Assessment().tell(old)
    assert queries.passed_courses(LAN) == {"SG2104"}


def test_a_student_record_is_kept_as_it_is_now(mongo: str) -> None:
    Assessment().tell(record(), record(status=StudyStatus.GRADUATED, until=date(2022, 6, 30)))
    (now,) = queries.records_of(LAN)
    assert (now.status, now.until, now.department) == (StudyStatus.GRADUATED, date(2022, 6, 30), "财会学院")
    assert queries.records_of("who-never-studied") == []


def test_what_two_learners_had_is_the_survivors_whatever_comes_first(mongo: str) -> None:
    said = [
        told(record(HER_OTHER_SELF, student_number="2016010001"), 1, 1),
        told(result(1, HER_OTHER_SELF, course="KJ2101"), 1, 2),
        told(merged(LAN, HER_OTHER_SELF), 2, 3, key=f"learner:{HER_OTHER_SELF}"),
        told(merged(LAN, HER_OTHER_SELF), 1, 3, key=f"learner:{LAN}"),
    ]
    for order in ([0, 1, 2, 3], [0, 1, 3, 2], [3, 0, 1, 2], [3, 0, 2, 1], [0, 3, 2, 1]):
        emptied()
        for place in order:
            deliver([said[place]])
        assert [one.student_number for one in queries.records_of(LAN)] == ["2016010001"], order
        assert queries.passed_courses(LAN) == {"KJ2101"}, order
        assert queries.records_of(HER_OTHER_SELF) == queries.course_results(HER_OTHER_SELF) == [], order


def test_working_days_are_counted_as_published(mongo: str) -> None:
    assert queries.working_days().last_of(date(2021, 9, 16), 5) is None
    mid_autumn = (date(2021, 9, 20), date(2021, 9, 21))
    Assessment().tell(
        CalendarPublished(year=2021, holidays=(), made_up_days=()),
        CalendarPublished(year=2021, holidays=mid_autumn, made_up_days=(date(2021, 9, 18),)),
    )
    assert queries.working_days().last_of(date(2021, 9, 16), 5) == date(2021, 9, 24)


STREAMS: tuple[tuple[Arrival, ...], ...] = (
    (told(programme(1, (TAX,)), 1, 1), told(programme(2, (TAX, PE)), 2, 2)),
    (told(result(1), 1, 1), told(result(2, mark=55, passed=False), 2, 5)),
    (told(record(), 1, 1), told(record(status=StudyStatus.SUSPENDED), 2, 4)),
    (told(CalendarPublished(year=2021, holidays=(), made_up_days=(date(2021, 9, 18),)), 1, 1),),
)


def streamed(order: Sequence[int]) -> None:
    """Deliver each stream in its own order, the streams one after the other, and then everything once more."""
    for stream in order:
        for one in STREAMS[stream]:
            deliver([one])
    deliver([one for stream in STREAMS for one in stream])


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(STREAMS)))), ids=str)
def test_topics_in_any_order_and_twice_leave_the_same(mongo: str, order: tuple[int, ...]) -> None:
    deliver([one for stream in STREAMS for one in stream])
    together = kept()
    assert {name: len(rows) for name, rows in together.items()} == {
        "curricula": 2, "course_results": 1, "student_records": 1, "calendar_years": 1,
    }  # fmt: skip
    emptied()
    streamed(order)
    assert kept() == together


def test_an_older_word_on_a_record_that_comes_by_the_merged_learner_changes_nothing(mongo: str) -> None:
    deliver([told(merged(LAN, HER_OTHER_SELF), 1, 3, key=f"learner:{LAN}")])
    deliver([told(record(status=StudyStatus.GRADUATED), 2, 5)])
    deliver([told(record(HER_OTHER_SELF), 1, 1)])
    assert [one.status for one in queries.records_of(LAN)] == [StudyStatus.GRADUATED]


def test_a_word_on_one_key_counts_in_its_order_whatever_the_clocks_say(mongo: str) -> None:
    """A publisher's clock stood a minute behind the one that spoke before it."""
    deliver([told(record(), 1, minute=5), told(record(status=StudyStatus.WITHDRAWN), 2, minute=4)])
    assert [one.status for one in queries.records_of(LAN)] == [StudyStatus.WITHDRAWN]
