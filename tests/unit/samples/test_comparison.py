"""The demo's comparison finds every number that differs and names the row."""

from __future__ import annotations

from typing import Any

from onex.demo.compare import figures_of, result_differences, shortened
from onex.demo.samples import Samples


def as_found(expected: dict[str, Any]) -> dict[str, Any]:
    """What services would say that did all as expected."""
    points = [{**row, "provisional_points": 0} for row in expected["points"]]
    notices = [{**row, "state": "sent"} for row in expected["notices"]]
    return {**expected, "points": points, "notices": notices, "provisional": 0, "books_sum": 0}


def test_what_is_as_expected_has_no_unmet_figure() -> None:
    expected = Samples().expected
    figures = figures_of(expected, as_found(expected))
    assert len(figures) > 50
    assert all(figure.is_met for figure in figures)


def test_one_notice_too_many_is_found() -> None:
    expected = Samples().expected
    found = as_found(expected)
    found["notices"] = [*found["notices"], {"event": "CreditPosted", "channel": "email", "state": "sent", "count": 1}]
    unmet = [figure.name for figure in figures_of(expected, found) if not figure.is_met]
    assert unmet == ["notices · CreditPosted · email"]


def test_an_event_nobody_expects_is_found() -> None:
    expected = Samples().expected
    found = as_found(expected)
    found["notices"] = [*found["notices"], {"event": "Surprise", "channel": "mailbox", "state": "sent", "count": 2}]
    unmet = [
        (figure.name, figure.expected, figure.found) for figure in figures_of(expected, found) if not figure.is_met
    ]
    assert unmet == [("notices · Surprise · mailbox", 0, 2)]


def test_a_changed_mark_is_named_by_sheet_and_row() -> None:
    rows = Samples().expected["rows"]
    found = [dict(row) for row in rows]
    found[7]["theory"] += 1
    (sentence,) = result_differences(rows, found)
    assert sentence.startswith(f"{rows[7]['sheet']} row {rows[7]['row']} ")
    assert f"theory expected {rows[7]['theory']}, found {rows[7]['theory'] + 1}" in sentence


def test_a_missing_result_and_one_too_many_are_named() -> None:
    rows = Samples().expected["rows"]
    stray = {**rows[0], "admission_number": "STRAY"}
    missing, extra = result_differences(rows, [*rows[1:], stray])
    assert "found no result" in missing
    assert "STRAY" in extra


def test_many_differences_are_shortened() -> None:
    assert len(shortened([str(n) for n in range(100)])) == 21
