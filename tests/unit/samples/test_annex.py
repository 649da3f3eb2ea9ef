"""The annex is whole: counts, digits of credit codes, and the calendar against chinese_calendar."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import chinese_calendar
import pytest
from stdnum.cn import uscc

CATALOGUE = Path(__file__).parents[3] / "deploy" / "catalogue"
YEARS = range(2019, 2027)


def read(name: str) -> Any:
    return json.loads((CATALOGUE / f"{name}.json").read_text(encoding="utf-8"))


def test_eight_organisations_with_well_formed_placeholder_codes() -> None:
    teos = read("teos")
    assert len(teos) == len({teo["name"] for teo in teos}) == 8
    for teo in teos:
        assert uscc.validate(teo["code"]) == teo["code"]
        assert teo["code_is_placeholder"] is True


def test_eight_schemes_have_sixteen_levels() -> None:
    schemes = read("schemes")
    assert len(schemes) == 8
    assert sum(len(scheme["levels"]) for scheme in schemes) == 16
    assert {scheme["teo"] for scheme in schemes} == {teo["code"] for teo in read("teos")}
    kinds = {rule["kind"] for scheme in schemes for rule in scheme["pass_rules"]}
    assert kinds == {"weighted", "each"}


def test_weights_of_pass_rules_make_a_hundred() -> None:
    rules = [rule for scheme in read("schemes") for rule in scheme["pass_rules"]]
    assert {rule["theory"] + rule["practical"] for rule in rules if rule["kind"] == "weighted"} == {100}


def test_the_seeds_name_for_dementia_care_is_an_alias() -> None:
    (scheme,) = [scheme for scheme in read("schemes") if scheme["code"] == "dementia-care"]
    assert scheme["name"] == "失智老年人照护"
    assert "失智老人照护" in scheme["aliases"]


def test_nine_programmes_with_both_catalogues() -> None:
    programmes = read("programmes")
    assert len(programmes) == 9
    for programme in programmes:
        old, new = programme["catalogues"]
        assert (old["code"], new["code"]) == (programme["code"], programme["code_2021"])
        assert date.fromisoformat(old["valid_until"]) < date.fromisoformat(new["valid_from"])


def test_every_programme_has_a_curriculum_of_four_or_five_core_courses_for_each_of_its_years() -> None:
    years = {one["code"]: one["entry_years"] for one in read("programmes")}
    curricula = read("curricula")
    assert {one["programme"]: one["entry_years"] for one in curricula} == years
    for one in curricula:
        kinds = [course["kind"] for course in one["courses"]]
        assert kinds.count("core") in {4, 5}, one["programme"]
        assert {"foundation", "elective", "practice"} < set(kinds)
        assert one["is_sample"] is True


def test_sample_courses_have_codes_of_their_own_and_modules_within_their_credits() -> None:
    totals = {one["code"]: one["credit_points_total"] for one in read("programmes")}
    for one in read("curricula"):
        codes = [part["code"] for course in one["courses"] for part in (course, *course.get("modules", []))]
        assert len(codes) == len(set(codes))
        assert sum(course["credit_points"] for course in one["courses"]) <= totals[one["programme"]]
        for course in one["courses"]:
            assert sum(part["credit_points"] for part in course.get("modules", [])) <= course["credit_points"]


def test_politics_sports_military_training_internship_and_thesis_are_never_exempt() -> None:
    for one in read("curricula"):
        marked = "".join(course["name"] for course in one["courses"] if course.get("is_never_exempt"))
        for word in ("思想道德", "毛泽东", "形势与政策", "体育", "军训", "实习", "毕业设计"):
            assert word in marked, (one["programme"], word)


def test_the_courses_of_story_s1_are_in_the_curriculum_of_accounting() -> None:
    [accounting] = [one for one in read("curricula") if one["programme"] == "630302"]
    courses = {one["code"]: one for one in accounting["courses"]}
    data, tax = courses["KJ2101"], courses["KJ2130"]
    assert (data["name"], data["credit_points"], data["kind"]) == ("财务大数据基础", 200, "foundation")
    assert (tax["name"], tax["credit_points"], tax["kind"]) == ("税务会计", 400, "core")
    assert {"name": "个税核算", "code": "KJ2130-2", "credit_points": 200} in tax["modules"]
    assert courses["KJ2103"]["kind"] == "core"


def test_sixteen_recognition_rules_are_marked_as_folklore() -> None:
    rules = read("recognition")
    offered = {(scheme["code"], level) for scheme in read("schemes") for level in scheme["levels"]}
    assert {(rule["scheme"], rule["level"]) for rule in rules} == offered
    assert len(rules) == 16
    for rule in rules:
        assert rule["credit_points"] == 200 * rule["level"]
        assert rule["is_folklore_default"] is True


def test_twenty_four_conversion_rows_of_twelve_pairs() -> None:
    rows = read("conversion")
    levels = {scheme["code"]: scheme["levels"] for scheme in read("schemes")}
    pairs = {(row["programme"], row["scheme"]) for row in rows}
    assert len(rows) == len({(row["programme"], row["scheme"], row["level"]) for row in rows}) == 24
    assert len(pairs) == 12
    assert {programme for programme, _ in pairs} == {programme["code"] for programme in read("programmes")}
    assert all(row["level"] in levels[row["scheme"]] for row in rows)


def test_each_conversion_row_converts_to_what_the_sample_curriculum_teaches() -> None:
    taught = {
        (one["programme"], course["code"], module["code"]): module["credit_points"]
        for one in read("curricula")
        for course in one["courses"]
        if not course.get("is_never_exempt")
        for module in ({"code": "", "credit_points": course["credit_points"]}, *course.get("modules", ()))
    }
    for row in read("conversion"):
        assert row["targets"], row
        for target in row["targets"]:
            assert taught[row["programme"], target["course"], target["module"]] == target["credit_points"]


def test_the_default_policy_says_that_it_is_one() -> None:
    [policy] = read("policies")
    assert policy["is_folklore_default"] is True
    assert all(one["opens_on"] < one["closes_on"] for one in policy["windows"])


@pytest.mark.parametrize("year", YEARS)
def test_the_calendar_says_what_chinese_calendar_says(year: int) -> None:
    calendar = read(f"calendar/{year}")
    holidays, made_up = set(calendar["holidays"]), set(calendar["made_up_days"])
    assert calendar["year"] == year
    day = date(year, 1, 1)
    while day.year == year:
        text = day.isoformat()
        works = text in made_up or (day.weekday() < 5 and text not in holidays)
        assert works == chinese_calendar.is_workday(day), text
        assert text not in holidays or day.weekday() < 5, f"{text} is no weekday"
        assert text not in made_up or day.weekday() >= 5, f"{text} is no weekend day"
        day += timedelta(days=1)


def test_sample_modules_fill_the_classes_of_their_trainings() -> None:
    levels = {scheme["code"]: scheme["levels"] for scheme in read("schemes")}
    classes = json.loads((CATALOGUE.parent / "samples" / "classes.json").read_text(encoding="utf-8"))
    hours: dict[tuple[str, int], int] = {}
    for one in read("training_modules"):
        assert one["level"] in levels[one["scheme"]]
        assert one["is_sample"] is True
        place = one["scheme"], one["level"]
        hours[place] = hours.get(place, 0) + one["class_hours"]
    assert len(hours) >= 3
    assert {(one["scheme"], one["level"]): one["class_hours"] for one in classes}.items() >= hours.items()
