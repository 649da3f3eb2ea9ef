"""Programmes and the calendar: announced when they change, and only then."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from chassis.errors import Refusal
from services.enrolment.calendar.commands import publish_year
from services.enrolment.calendar.domain import year_of
from services.enrolment.calendar.queries import year
from services.enrolment.programmes.commands import publish_programme
from services.enrolment.programmes.domain import by_word, programme_of, years_to_announce
from services.enrolment.programmes.queries import programme, programmes
from tests.unit.enrolment.rosters import ACCOUNTING, SOCIAL_WORK, announced

HOLIDAYS = [date(2021, 9, 20), date(2021, 9, 21)]
MADE_UP = [date(2021, 9, 18), date(2021, 9, 26)]


def test_a_programme_is_announced_for_each_entry_year_and_a_repeat_for_none(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    publish_programme(ACCOUNTING)
    assert [said["entry_year"] for said in announced("ProgrammePublished")] == [2018, 2019]
    assert programme("630302") == ACCOUNTING


def test_a_new_entry_year_is_announced_alone_and_a_new_total_for_all(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    publish_programme(replace(ACCOUNTING, entry_years=(2018, 2019, 2020)))
    publish_programme(replace(ACCOUNTING, entry_years=(2018, 2019, 2020), credit_points_total=13_500))
    said = [(one["entry_year"], one["credit_points_total"]) for one in announced("ProgrammePublished")]
    assert said == [(2018, 14_000), (2019, 14_000), (2020, 14_000), (2018, 13_500), (2019, 13_500), (2020, 13_500)]


def test_going_back_to_an_earlier_state_is_a_change_of_its_own(mongo: str) -> None:
    publish_programme(ACCOUNTING)
    publish_programme(replace(ACCOUNTING, name="大数据与会计"))
    publish_programme(ACCOUNTING)
    assert [said["name"] for said in announced("ProgrammePublished")] == ["会计"] * 2 + ["大数据与会计"] * 2 + [
        "会计"
    ] * 2


def test_an_unknown_programme_is_not_found(mongo: str) -> None:
    with pytest.raises(Refusal, match="not_found"):
        programme("999999")
    assert programmes() == []


def test_what_is_no_change_for_anyone_is_not_announced() -> None:
    assert years_to_announce(ACCOUNTING, replace(ACCOUNTING, code_2021="530302x")) == ()
    assert years_to_announce(ACCOUNTING, replace(ACCOUNTING, entry_years=(2019,))) == ()


@pytest.mark.parametrize("text", ["会计", " 会 计 ", "630302", "530302", "６３０３０２"])
def test_a_programme_is_found_by_name_and_both_codes(text: str) -> None:
    assert programme_of(text, by_word([ACCOUNTING, SOCIAL_WORK])) == ACCOUNTING


def test_a_code_of_one_programme_goes_before_a_name_of_another() -> None:
    odd = replace(SOCIAL_WORK, name="630302")
    assert programme_of("630302", by_word([odd, ACCOUNTING])) == ACCOUNTING


def test_a_calendar_is_announced_when_it_changes(mongo: str) -> None:
    publish_year(year_of(2021, HOLIDAYS, MADE_UP))
    publish_year(year_of(2021, list(reversed(HOLIDAYS)) + HOLIDAYS, MADE_UP))
    publish_year(year_of(2021, HOLIDAYS, MADE_UP[:1]))
    assert [len(said["made_up_days"]) for said in announced("CalendarPublished")] == [2, 1]
    assert year(2021).holidays == tuple(HOLIDAYS)
    with pytest.raises(Refusal, match="not_found"):
        year(2022)


@pytest.mark.parametrize(
    ("number", "holidays", "made_up", "code"),
    [
        (2022, HOLIDAYS, [], "day_of_another_year"),
        (2021, HOLIDAYS, HOLIDAYS[:1], "day_both_ways"),
        (999_999, [], [], "year_out_of_reach"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(
    number: int, holidays: list[date], made_up: list[date], code: str
) -> None:
    with pytest.raises(Refusal, match=code):
        year_of(number, holidays, made_up)
