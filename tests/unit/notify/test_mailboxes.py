"""Notify's HTTP door: a learner reads the own mailbox, staff see what was told."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.web.tokens import Tokens
from contracts.terms import Role
from tests.chassis.web.tokens import TestIssuer
from tests.unit.notify import told

ISSUER = TestIssuer()
SETTINGS = {
    "MONGO": "mongodb://127.0.0.1/",
    "DATABASE": "onex_notify",
    "PORTAL_URL": "http://portal.test",
    "CLIENT_SECRET": "secret",
    "SEAL_KEY": "A" * 43,
    "ENROLMENT_URL": "http://enrolment.test",
    "SMTP_HOST": "127.0.0.1",
    "SMTP_PORT": "25",
    "MAIL_FROM": "onex@college.example.cn",
}


@pytest.fixture
def http(mongo: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """The service's own application, which trusts the tests' issuer."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    app = importlib.import_module("services.notify.app").app
    app.extensions["onex.tokens"] = Tokens("notify", ISSUER)
    client: FlaskClient = app.test_client()
    return client


@pytest.fixture(autouse=True)
def road(mongo: str) -> None:
    told.deliver(told.scheme(), told.registered("ann"), told.approved("ann"), told.candidate("ann"))
    told.deliver(told.approved("bo", seq=1))


def as_ann() -> dict[str, str]:
    return ISSUER.bearer("notify", Role.LEARNER, owns={"learner": ["ann"]})


def as_staff(role: Role = Role.REGISTRY) -> dict[str, str]:
    return ISSUER.bearer("notify", role)


def texts(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return [item["event"] for item in answer.json["items"]]


def test_a_learner_reads_the_own_mailbox_and_no_other(http: FlaskClient) -> None:
    own = http.get("/mailboxes/ann/notices", headers=as_ann())
    assert sorted(texts(own)) == ["CandidateRegistered", "EnrolmentApproved"]
    other = http.get("/mailboxes/bo/notices", headers=as_ann())
    assert (other.status_code, other.json["code"]) == (403, "outside_your_scope")
    assert http.get("/mailboxes/ann/notices").status_code == 401


def test_a_mailbox_is_shown_in_the_language_asked_for_or_the_learners_own(http: FlaskClient) -> None:
    path = "/mailboxes/ann/notices"
    english = http.get(path, query_string={"language": "en"}, headers=as_ann()).json["items"]
    assert {item["title"] for item in english} == {"Enrolment approved", "Registered for an assessment"}
    http.put("/mailboxes/ann/preference", json={"language": "en"}, headers=as_ann())
    assert http.get(path, headers=as_ann()).json["items"] == english
    assert http.get("/mailboxes/ann/preference", headers=as_ann()).json == {"language": "en"}


def test_pages_follow_one_another_without_gap_or_repeat(http: FlaskClient) -> None:
    first = http.get("/mailboxes/ann/notices", query_string={"limit": 1}, headers=as_staff()).json
    second = http.get(
        "/mailboxes/ann/notices", query_string={"limit": 1, "cursor": first["next"]}, headers=as_staff()
    ).json
    assert second["next"] is None
    assert {first["items"][0]["event"], second["items"][0]["event"]} == {"CandidateRegistered", "EnrolmentApproved"}


@pytest.mark.parametrize("cursor", ["bm9uZQ", "WzFd", "WyJhIiwiYiJd", "Wzk5OTk5OTk5OTk5OTk5OTk5LCJhIl0"])
def test_a_cursor_of_another_list_is_refused(cursor: str, http: FlaskClient) -> None:
    answer = http.get("/mailboxes/ann/notices", query_string={"cursor": cursor}, headers=as_staff())
    assert answer.status_code == 422


def test_reading_a_notice_counts_the_first_time(http: FlaskClient) -> None:
    notice = http.get("/mailboxes/ann/notices", headers=as_ann()).json["items"][0]
    assert notice["read_at"] is None
    first = http.post(f"/mailboxes/ann/notices/{notice['id']}/read", headers=as_ann())
    again = http.post(f"/mailboxes/ann/notices/{notice['id']}/read", headers=as_ann())
    assert first.status_code == again.status_code == 200
    assert first.json["read_at"] == again.json["read_at"] is not None


def test_a_notice_of_somebody_else_cannot_be_read_as_ones_own(http: FlaskClient) -> None:
    (bos,) = told.notices(mailbox="bo", channel="mailbox")
    answer = http.post(f"/mailboxes/ann/notices/{bos['_id']}/read", headers=as_ann())
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_staff_see_counts_and_stages(http: FlaskClient) -> None:
    counts = http.get("/notices/counts", headers=as_staff()).json
    assert {"event": "EnrolmentApproved", "channel": "email", "state": "waiting", "count": 1} in counts
    flow = http.get("/flow", headers=as_staff(Role.AUDITOR)).json
    assert {one["stage"]: one["count"] for one in flow["stages"]} == {
        "notices": 3, "emails_queued": 2, "emails_held": 0, "emails_sent": 0, "waiting": 1,
    }  # fmt: skip
    assert http.get("/notices/counts", headers=as_ann()).status_code == 403


def test_the_life_of_an_event_shows_its_notices(http: FlaskClient) -> None:
    (notice,) = told.notices(mailbox="ann", channel="mailbox", event="EnrolmentApproved")
    steps = http.get(f"/lives/{notice['cause']}", headers=as_staff()).json["steps"]
    assert sorted(step["what"] for step in steps) == ["e-mail queued", "notice delivered"]
    assert {step["learner_id"] for step in steps} == {"ann"}


def test_a_language_nobody_speaks_is_refused(http: FlaskClient) -> None:
    answer = http.put("/mailboxes/ann/preference", json={"language": "fr"}, headers=as_ann())
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("what", "zh", "en"),
    [
        ("AccountFrozen", "你的学分账户已冻结，原因：a complaint", "Your credit account is frozen: a complaint"),
        ("AccountUnfrozen", "你的学分账户已解冻", "Your credit account is no longer frozen"),
    ],
)
def test_a_freeze_and_its_end_are_told_with_their_reason(http: FlaskClient, what: str, zh: str, en: str) -> None:
    told.deliver(told.frozen("ann", 1, what))
    for language, text in (("zh", zh), ("en", en)):
        page = http.get(f"/mailboxes/ann/notices?language={language}", headers=as_ann())
        assert texts(page)[0] == what
        first = page.json["items"][0]
        assert first["text"].startswith(text)
        assert (first["scheme"], first["level"]) == ("", None)


def test_a_freeze_that_came_with_a_merge_is_told_once(http: FlaskClient) -> None:
    told.deliver(told.frozen("ann", 1), told.frozen("ann", 2, what="LearnersMerged", reason=""))
    page = http.get("/mailboxes/ann/notices", headers=as_ann())
    assert texts(page).count("AccountFrozen") == 1
