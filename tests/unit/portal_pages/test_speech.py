"""How times, spans and points are written, in which language, and where a reader is sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask

from portal.pages.asking import address
from portal.pages.frame import here, is_browser, way_back
from portal.pages.speech import language, moment, points, span

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.fixture
def app() -> Flask:
    return Flask("pages")


@pytest.fixture
def in_english(app: Flask) -> Iterator[None]:
    with app.test_request_context(headers={"Accept-Language": "en-GB"}):
        yield


def test_an_instant_is_shown_on_the_campus_clock() -> None:
    assert moment("2021-03-01T16:30:05.123456+00:00") == "2021-03-02 00:30:05"
    assert moment("2021-03-01T16:30:05.123456Z", with_milliseconds=True) == "2021-03-02 00:30:05.123"
    assert moment(datetime(2021, 3, 1, tzinfo=UTC)) == "2021-03-01 08:00:00"
    assert moment(None) == moment("") == "—"


def test_points_carry_their_sign() -> None:
    assert [points(number) for number in (200, 0, -200)] == ["+200", "0", "−200"]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.04, "0.0 s"),
        (59.9, "59.9 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3661, "1 h 1 min"),
        (86399, "23 h 59 min"),
        (86400 * 7 + 7200, "7 d 2 h"),
    ],
)
@pytest.mark.usefixtures("in_english")
def test_a_span_is_told_in_its_two_largest_units(seconds: float, told: str) -> None:
    assert span(seconds) == told


@pytest.mark.parametrize(
    ("cookie", "accepted", "spoken"),
    [("zh", "en", "zh"), ("en", "zh", "en"), ("tlh", "en", "en"), ("", "de", "zh"), ("", "zh-CN,en;q=0.5", "zh")],
)
def test_the_language_is_chosen_then_the_browsers_then_chinese(
    app: Flask, cookie: str, accepted: str, spoken: str
) -> None:
    headers = {"Accept-Language": accepted, "Cookie": f"language={cookie}"}
    with app.test_request_context(headers=headers):
        assert language() == spoken


@pytest.mark.parametrize(
    "elsewhere",
    ["https://bad.example/", "//bad.example", "/\\bad.example", "/\t/bad.example", "/\n/bad.example", "account", ""],
)
def test_nobody_is_sent_to_another_site(elsewhere: str) -> None:
    assert way_back(elsewhere) == "/"


def test_a_page_of_ours_is_gone_back_to() -> None:
    assert way_back("/learners?student_number=2019060001") == "/learners?student_number=2019060001"


def test_here_is_the_page_asked_for_or_the_one_whose_form_was_sent(app: Flask) -> None:
    with app.test_request_context("/imports/enrolment/3?status=refused"):
        assert here() == "/imports/enrolment/3?status=refused"
    with app.test_request_context("/mailbox"):
        assert here() == "/mailbox"
    sent_from = {"Referer": "http://localhost/mailbox?cursor=x"}
    with app.test_request_context("/mailbox/1/read", method="POST", headers=sent_from):
        assert here() == "/mailbox?cursor=x"
    with app.test_request_context("/mailbox/1/read", method="POST", headers={"Referer": "http://bad.example/x"}):
        assert here() == ""


@pytest.mark.parametrize(
    ("accepted", "is_page"), [(CHROMIUM, True), ("*/*", False), ("application/json", False), ("", False)]
)
def test_pages_are_for_browsers(app: Flask, accepted: str, is_page: bool) -> None:
    with app.test_request_context(headers={"Accept": accepted}):
        assert is_browser() is is_page


def test_what_stands_in_an_address_stays_there() -> None:
    assert address("lives", "import:assessment:1:2") == "/lives/import:assessment:1:2"
    assert address("results", "../learners?x#y") == "/results/..%2Flearners%3Fx%23y"
