"""Who is excused from which module of a training because of a course: by itself, once, in any order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

import msgspec
import pytest

from chassis import waiters
from chassis.bus.outbox import Outbox
from chassis.database import database, rows_of
from contracts.enrolment import LearnersMerged
from contracts.terms import Level
from contracts.training import TrainingExcuseWithdrawn, TrainingModuleExcused
from services.training.classes.commands import complete_places, give_places, put_class
from services.training.classes.domain import Approval, TrainingClass
from services.training.courses.commands import withdraw_results
from services.training.modules.commands import publish_rule, put_module, retire_rule
from services.training.modules.domain import Ended, TrainingModule
from services.training.modules.models import ExcuseSpreads
from services.training.modules.queries import caused_by, excuses_page
from services.training.modules.reviewing import review_learners, spread_rules
from services.training.students.domain import REVIEW
from tests.unit.training.excusing import (
    COURSE,
    LATER,
    LEVEL,
    MODULE,
    NUMBER,
    OTHER_NUMBER,
    RESULT,
    SCHEME,
    TERM,
    College,
    at_once,
    drafted,
    excuse,
    excused,
    exempted,
    marked,
    no_place,
    not_exempted,
    place,
    published,
    record,
    rule,
    settle,
    told,
)

pytestmark = pytest.mark.usefixtures("mongo")

LAN = [("lan", MODULE, 16)]


@pytest.fixture
def college(mongo: str) -> College:
    return College().founded()


@pytest.fixture
def lan(college: College) -> College:
    """Lan is excused: she has a place, is a student of the programme, and passed the course."""
    published()
    college.tell(place(), record())
    marked()
    settle()
    assert excused() == LAN
    return college


def test_a_course_that_was_passed_excuses_from_a_module_and_is_told_once(lan: College) -> None:
    [row] = rows_of(Outbox, {"type": "TrainingModuleExcused"})
    assert msgspec.json.decode(row["body"], type=TrainingModuleExcused) == TrainingModuleExcused(
        learner_id="lan", scheme=SCHEME, level=LEVEL, module=MODULE, module_name="纳税申报", class_hours=16,
        course=COURSE, term=TERM, result_id=RESULT, rule="tax-by-course", rule_version=1,
    )  # fmt: skip
    waiters.due_all(REVIEW, [("lan", "looked at again")])
    settle()
    assert told() == ["excused"]


def test_a_learner_who_waits_for_a_class_is_excused_as_well(college: College) -> None:
    published()
    put_class(TrainingClass("C1", SCHEME, LEVEL, 1, LATER.date(), LATER.date(), class_hours=48))
    college.tell(place("bo"), place(), record())
    marked()
    settle()
    assert excused("bo", "lan") == LAN


@pytest.mark.parametrize(
    ("missing", "deeds"),
    [
        ("a place", lambda college: (college.tell(record()), marked())),
        ("a student record", lambda college: (college.tell(place()), marked())),
        ("a mark", lambda college: college.tell(place(), record())),
        ("the entry year", lambda college: (college.tell(place(), record(entry_year=2020)), marked())),
        ("a place at this level", lambda college: (college.tell(place(level=Level.INTERMEDIATE), record()), marked())),
        ("the mark that is asked for", lambda college: (college.tell(place(), record()), marked(74))),
        ("this course", lambda college: (college.tell(place(), record()), marked(course="KJ2101"))),
        ("a term of the rule's days", lambda college: (college.tell(place(), record()), marked(term="2018-2019-2"))),
    ],
)
def test_who_lacks_one_thing_is_not_excused(college: College, missing: str, deeds: Callable[[College], object]) -> None:
    published()
    deeds(college)
    settle()
    assert (excused(), told()) == ([], []), missing


def test_without_a_least_mark_a_pass_will_do_and_a_failure_will_not(college: College) -> None:
    published(rule(least_mark=None))
    college.tell(place(), record())
    marked(59)
    settle()
    assert excused() == []
    marked(60, LATER)
    settle()
    assert excused() == LAN


def test_a_mark_of_zero_asked_for_still_wants_a_pass(college: College) -> None:
    published(rule(least_mark=0))
    college.tell(place(), record())
    marked(30)
    settle()
    assert excused() == []


@pytest.mark.parametrize("taken", ["corrected", "withdrawn"])
def test_a_result_that_falls_below_the_rule_takes_the_excuse_back(lan: College, taken: str) -> None:
    if taken == "corrected":
        marked(74, LATER)
    else:
        withdraw_results([(0, RESULT, "typed twice")])
    settle()
    assert (excused(), told(), excuse().ended) == ([], ["excused", "withdrawn"], Ended.RESULT)
    [row] = rows_of(Outbox, {"type": "TrainingExcuseWithdrawn"})
    body = msgspec.json.decode(row["body"], type=TrainingExcuseWithdrawn)
    assert (body.code, body.module, COURSE in body.reason_zh, COURSE in body.reason_en) == (
        "excuse_result_changed", MODULE, True, True,
    )  # fmt: skip


def test_a_correction_that_is_good_enough_is_told_to_nobody_but_shown(lan: College) -> None:
    marked(90, LATER)
    settle()
    assert (told(), excuse().mark) == (["excused"], 90)


def test_a_result_that_comes_back_excuses_again(lan: College) -> None:
    marked(50, LATER)
    settle()
    marked(80, LATER + timedelta(days=1))
    settle()
    assert (excused(), told(), excuse().ended) == (LAN, ["excused", "withdrawn", "excused"], None)


def test_another_result_of_the_course_holds_the_excuse(lan: College) -> None:
    marked(80, LATER, term="2020-2021-2")
    settle()
    assert excuse().result_id == RESULT, "the one that excused stays, while it does"
    withdraw_results([(0, RESULT, "typed twice")])
    settle()
    assert (excused(), told(), excuse().term) == (LAN, ["excused"], "2020-2021-2")


def test_a_place_that_is_given_up_takes_its_excuses_along(lan: College) -> None:
    lan.tell(no_place())
    settle()
    assert (excused(), told(), excuse().ended) == ([], ["excused", "withdrawn"], Ended.PLACE)
    lan.tell(place())
    settle()
    assert (excused(), told()) == (LAN, ["excused", "withdrawn", "excused"])


def test_a_record_of_another_year_takes_the_excuse(lan: College) -> None:
    lan.tell(record(entry_year=2020))
    settle()
    assert (excused(), excuse().ended) == ([], Ended.RECORD)


def test_a_completed_training_keeps_its_excuse_and_says_why(lan: College) -> None:
    complete_places([f"lan:{SCHEME}:1"])
    marked(50, LATER)
    settle()
    assert (excused(), told(), excuse().ended) == (LAN, ["excused"], Ended.RESULT)
    [shown] = excuses_page("lan", "", 10)
    assert "免训保留" in shown["why_zh"]
    assert "completed before" in shown["why_en"]
    marked(90, LATER + timedelta(days=1))
    settle()
    assert (excuse().ended, told()) == (None, ["excused"])


def test_who_has_completed_the_training_is_excused_from_nothing_more(college: College) -> None:
    published()
    college.tell(place(), record())
    complete_places([f"lan:{SCHEME}:1"])
    marked()
    settle()
    assert (excused(), told()) == ([], [])


def test_a_retired_rule_takes_nothing_and_gives_nothing(lan: College) -> None:
    retire_rule("tax-by-course", 1)
    lan.tell(place("bo"), record("bo", OTHER_NUMBER))
    marked(student_number=OTHER_NUMBER)
    waiters.due_all(REVIEW, [("lan", "looked at again")])
    settle()
    assert excused("bo", "lan") == LAN
    marked(50, LATER)
    settle()
    assert excused("lan") == []
    marked(80, LATER + timedelta(days=1))
    settle()
    assert (excused("lan"), excuse().rule_version) == (LAN, 1), "the version that excused holds for whom it excused"


@pytest.mark.parametrize("falls", [False, True], ids=["the result stands", "the result fell before"])
def test_who_gave_the_place_up_comes_back_under_the_rules_of_then(lan: College, falls: bool) -> None:
    if falls:
        marked(50, LATER)
        settle()
    lan.tell(no_place())
    settle()
    retire_rule("tax-by-course", 1)
    lan.tell(place())
    settle()
    marked(88, LATER + timedelta(days=1))
    settle()
    assert excused() == []


def test_a_new_version_asks_more_of_newcomers_alone(lan: College) -> None:
    published(rule(least_mark=90))
    lan.tell(place("bo"), record("bo", OTHER_NUMBER))
    marked(student_number=OTHER_NUMBER)
    settle()
    assert (excused("bo", "lan"), excuse().rule_version) == (LAN, 1)


def test_a_module_of_other_hours_leaves_what_was_excused(lan: College) -> None:
    put_module(TrainingModule(SCHEME, LEVEL, MODULE, "纳税申报", 20))
    lan.tell(place("bo"), record("bo", OTHER_NUMBER))
    marked(student_number=OTHER_NUMBER)
    marked(90, LATER)
    settle()
    assert excused("bo", "lan") == [("bo", MODULE, 20), *LAN]


# --- no circle --------------------------------------------------------------------------------------------------------
def test_an_exemption_alone_is_no_course_result(college: College) -> None:
    published()
    college.tell(place(), record(), exempted())
    settle()
    assert (excused(), told()) == ([], [])


@pytest.mark.parametrize("kind", ["course", "exam", "replaced"])
def test_the_mark_of_an_exempted_course_excuses_from_nothing(college: College, kind: str) -> None:
    published(rule(least_mark=None))
    college.tell(place(), record(), exempted(kind))
    marked(60)
    settle()
    assert (excused(), told()) == ([], [])


def test_who_is_exempted_from_a_module_of_the_course_has_not_earned_all_of_its_mark(college: College) -> None:
    published()
    college.tell(place(), record(), exempted(module="KJ2105-2"))
    marked()
    settle()
    assert excused() == []


def test_who_need_not_attend_but_sat_the_exam_has_earned_the_mark(college: College) -> None:
    published()
    college.tell(place(), record(), exempted("attendance"))
    marked()
    settle()
    assert excused() == LAN


def test_an_exemption_that_comes_later_takes_the_excuse_and_one_that_ends_gives_it_again(lan: College) -> None:
    lan.tell(exempted())
    settle()
    assert (excused(), excuse().ended) == ([], Ended.EXEMPTED)
    lan.tell(not_exempted())
    settle()
    assert (excused(), told()) == (LAN, ["excused", "withdrawn", "excused"])


def test_an_exemption_whose_end_was_heard_first_is_over(college: College) -> None:
    published()
    college.tell(place(), record(), not_exempted("kept"), exempted())
    marked()
    settle()
    assert excused() == LAN


# --- in any order -----------------------------------------------------------------------------------------------------
Deed = Callable[[College], object]
MARKED: Deed = lambda _college: marked()  # noqa: E731
LOW: Deed = lambda _college: marked(50, LATER)  # noqa: E731
RULED: Deed = lambda _college: published()  # noqa: E731


def tells(*bodies: object) -> Deed:
    return lambda college: college.tell(*bodies)  # type: ignore[arg-type]


STORIES: dict[str, tuple[tuple[Deed, ...], list[tuple[str, str, int]]]] = {
    "passed": ((tells(place()), tells(record()), MARKED, RULED), LAN),
    "corrected": ((tells(place()), tells(record()), MARKED, LOW, RULED), []),
    "exempted": ((tells(place()), tells(record()), MARKED, tells(exempted()), RULED), []),
    "exempted no more": (
        (
            tells(place(), record()),
            MARKED,
            RULED,
            tells(exempted(learner_id="gone")),
            tells(not_exempted("lan")),
            tells(LearnersMerged(survivor_id="lan", merged_id="gone")),
        ),
        LAN,
    ),
    "merged": (
        (
            tells(place()),
            tells(record("gone")),
            MARKED,
            RULED,
            tells(LearnersMerged(survivor_id="lan", merged_id="gone")),
        ),
        LAN,
    ),
    "both excused, then one": (
        (
            tells(place(), record()),
            tells(place("gone"), record("gone", OTHER_NUMBER)),
            lambda _college: (marked(), marked(student_number=OTHER_NUMBER)),
            RULED,
            tells(LearnersMerged(survivor_id="lan", merged_id="gone")),
        ),
        LAN,
    ),
}


@pytest.mark.parametrize("settles", [True, False], ids=["looked at between", "looked at in the end"])
@pytest.mark.parametrize("story", STORIES)
def test_facts_in_any_order_give_the_same_excuses(college: College, story: str, settles: bool, tries: int) -> None:
    deeds, expected = STORIES[story]
    kept = _kept()
    orders = list(itertools.permutations(deeds))
    for order in random.Random(story).sample(orders, min(tries, len(orders))):
        _live_through(College(dict(college.seq)), order, settles)
        assert excused("lan", "gone") == expected
        assert _balance() == (2 if story.startswith("both") and _balance() == 2 else len(expected)), told()
        _put_back(kept)


def _live_through(college: College, order: Sequence[Deed], settles: bool) -> None:
    for deed in order:
        deed(college)
        if settles:
            settle()
    settle()


def _balance() -> int:
    """How often more somebody was told to be excused than not to be."""
    return told().count("excused") - told().count("withdrawn")


def _kept() -> dict[str, list[dict[str, object]]]:
    return {name: list(database()[name].find()) for name in database().list_collection_names()}


def _put_back(kept: dict[str, list[dict[str, object]]]) -> None:
    for name in database().list_collection_names():
        database()[name].delete_many({})
        if kept.get(name):
            database()[name].insert_many(kept[name])


# --- many, and at once ------------------------------------------------------------------------------------------------
def test_a_published_rule_reaches_all_it_concerns_in_bounded_steps(college: College) -> None:
    for start in range(0, 1001, 500):
        names = [f"l{number:04d}" for number in range(start, min(start + 500, 1001))]
        give_places([Approval(f"{one}:{SCHEME}:1", one, SCHEME, LEVEL, "approved") for one in names])
    college.tell(record("l0777"))
    marked()
    settle()
    published()
    steps = []
    while spread_rules():
        steps.append(waiters.waiting(REVIEW))
    assert (steps, rows_of(ExcuseSpreads, {})) == ([500, 1000, 1001], [])
    settle()
    assert excused("l0777") == [("l0777", MODULE, 16)]
    [row] = rows_of(Outbox, {"type": "TrainingModuleExcused"})
    assert row["cause"] == "excuse-rule:tax-by-course:1"
    assert [one["_id"] for one in caused_by(row["cause"])] == [f"l0777:{SCHEME}:1:{MODULE}"]


def test_nothing_is_excused_twice_by_whatever_comes_at_once(college: College, tries: int) -> None:
    published()
    settle()
    look = partial(waiters.sweep, REVIEW, review_learners)
    for number in range(min(tries, 100)):
        who, student = f"ann-{number}", f"20190{number:05d}"
        at_once(
            partial(College().tell, place(who), record(who, student)),
            partial(marked, student_number=student),
            look,
            look,
        )
        settle()
        assert told(f"learner:{who}") == ["excused"]
        withdraw = partial(withdraw_results, [(0, f"{student}:{COURSE}:{TERM}", "typed twice")])
        at_once(withdraw, partial(waiters.due_all, REVIEW, [(who, f"again {number}")]), look, look)
        settle()
        assert (told(f"learner:{who}"), excused(who)) == (["excused", "withdrawn"], [])


def test_a_place_and_a_rule_that_come_at_once_see_each_other(college: College, tries: int) -> None:
    entered: set[str] = set()
    for number in range(min(tries, 30)):
        who, student, code = f"ann-{number}", f"20190{number:05d}", f"m{number}"
        put_module(TrainingModule(SCHEME, LEVEL, code, "模块", 1))
        drafted(rule(code, module=code))
        college.tell(record(who, student))
        marked(student_number=student)
        settle()
        at_once(partial(college.tell, place(who)), partial(publish_rule, code, 1), spread_rules)
        settle()
        entered.add(code)
        assert {module for _, module, _ in excused(who)} == entered


def test_two_who_become_one_while_they_are_judged_are_excused_once(college: College, tries: int) -> None:
    published()
    settle()
    look = partial(waiters.sweep, REVIEW, review_learners)
    for number in range(min(tries, 50)):
        who, gone, student = f"ann-{number}", f"gone-{number}", f"20190{number:05d}"
        now = College()
        now.tell(place(who), record(gone, student))
        merge = LearnersMerged(survivor_id=who, merged_id=gone)
        at_once(partial(now.tell, merge), partial(marked, student_number=student), look, look)
        settle()
        assert (told(f"learner:{who}"), told(f"learner:{gone}")) == (["excused"], [])
        assert excused(who, gone) == [(who, MODULE, 16)]


def test_what_excuses_is_said_in_both_languages(lan: College) -> None:
    [shown] = excuses_page("lan", "", 10)
    for part in (COURSE, "86", "tax-by-course v1", "学分互认办法第八条", "75", "纳税申报", "智能财税", "16"):
        assert part in shown["why_zh"], part
        assert part in shown["why_en"], part
    assert (shown["basis"], shown["least_mark"], NUMBER in shown["result_id"]) == ("学分互认办法第八条", 75, True)
