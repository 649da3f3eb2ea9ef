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
    assert all(row["level"] in levels[row["scheme"]] and row["courses"] == [] for row in rows)


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
