"""Training's HTTP door: classes are put, widened and read; everything else is refused clearly."""

from __future__ import annotations

import importlib
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.web.tokens import Tokens
from contracts.terms import Level, Role
from services.training.classes.commands import give_places
from services.training.classes.domain import Approval
from tests.chassis.web.tokens import TestIssuer

ISSUER = TestIssuer()
SETTINGS = {
    "MONGO": "mongodb://127.0.0.1/",
    "DATABASE": "onex_training",
    "PORTAL_URL": "http://portal.test",
    "CLIENT_SECRET": "secret",
    "SEAL_KEY": "A" * 43,
    "ENROLMENT_URL": "http://enrolment.test",
}
ROBOTS = {
    "scheme": "industrial-robot",
    "level": 1,
    "places": 2,
    "starts_on": "2020-09-01",
    "ends_on": "2020-11-20",
    "class_hours": 48,
}


@pytest.fixture
def http(mongo: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """The service's own application, which trusts the tests' issuer."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    app = importlib.import_module("services.training.app").app
    app.extensions["onex.tokens"] = Tokens("training", ISSUER)
    client: FlaskClient = app.test_client()
    return client


def as_(role: Role) -> dict[str, str]:
    return ISSUER.bearer("training", role)


def put(http: FlaskClient, code: str, **changes: Any) -> Any:
    return http.put(f"/classes/{code}", json=ROBOTS | changes, headers=as_(Role.OPERATOR))


def test_a_class_is_put_read_and_listed(http: FlaskClient) -> None:
    answer = put(http, "R-1")
    assert answer.status_code == 200
    assert answer.json == ROBOTS | {"code": "R-1", "taken": 0}
    assert put(http, "R-1").json == answer.json
    assert http.get("/classes/R-1", headers=as_(Role.TRAINER)).json == answer.json
    put(http, "R-2", level=3)
    listed = http.get("/classes", query_string={"level": 3}, headers=as_(Role.TRAINER)).json
    assert [item["code"] for item in listed["items"]] == ["R-2"]


def test_classes_are_listed_page_by_page(http: FlaskClient) -> None:
    for code in ("C", "A", "B"):
        put(http, code)
    first = http.get("/classes", query_string={"limit": 2}, headers=as_(Role.TRAINER)).json
    rest = http.get("/classes", query_string={"cursor": first["next"]}, headers=as_(Role.TRAINER)).json
    assert [item["code"] for item in first["items"] + rest["items"]] == ["A", "B", "C"]
    assert rest["next"] is None


def test_only_the_operator_puts_classes(http: FlaskClient) -> None:
    answer = http.put("/classes/R-1", json=ROBOTS, headers=as_(Role.TRAINER))
    assert (answer.status_code, answer.json["code"]) == (403, "role_not_allowed")


@pytest.mark.parametrize(
    ("code", "changes", "refusal"),
    [
        ("R 1", {}, "class_code_invalid"),
        ("R-1", {"ends_on": "2020-08-01"}, "dates_reversed"),
        ("R-1", {"level": 4}, "fields_invalid"),
        ("R-1", {"places": 0}, "fields_invalid"),
        ("R-1", {"teacher": "x"}, "fields_invalid"),
        ("R-1", {"starts_on": "soon"}, "fields_invalid"),
    ],
)
def test_a_class_that_cannot_be_is_refused(code: str, changes: dict[str, Any], refusal: str, http: FlaskClient) -> None:
    answer = put(http, code, **changes)
    assert (answer.status_code, answer.json["code"]) == (422, refusal)


def test_places_of_a_class_are_read_by_staff(http: FlaskClient) -> None:
    put(http, "R-1")
    give_places(
        [Approval(f"{who}:robot:1", who, "industrial-robot", Level(1), "event-1") for who in ("ann", "bo", "cy")]
    )
    places = http.get("/classes/R-1/places", headers=as_(Role.TRAINER)).json["items"]
    assert [(one["learner_id"], one["state"], one["class_code"]) for one in places] == [
        ("ann", "held", "R-1"),
        ("bo", "held", "R-1"),
    ]
    flow = http.get("/flow", headers=as_(Role.AUDITOR)).json["stages"]
    assert {one["stage"]: one["count"] for one in flow} == {
        "places": 2, "waiting_for_class": 1, "completed": 0, "modules_excused": 0,
    }  # fmt: skip
    steps = http.get("/lives/event-1", headers=as_(Role.REGISTRY)).json["steps"]
    assert sorted(step["what"] for step in steps) == ["place held", "place held", "place waiting"]


def test_a_class_nobody_opened_is_not_found(http: FlaskClient) -> None:
    for path in ("/classes/R-9", "/classes/R-9/places"):
        assert http.get(path, headers=as_(Role.TRAINER)).status_code == 404


def test_a_completion_sheet_is_taken_from_a_trainer(http: FlaskClient) -> None:
    content = "姓名,证件号码,证书名称,等级,培训结果\n".encode()
    answer = http.post(
        "/imports",
        query_string={"kind": "completion", "language": "zh"},
        data={"file": (BytesIO(content), "completion.csv")},
        headers=as_(Role.TRAINER),
    )
    assert answer.status_code == 202
    assert answer.json["kind"] == "completion"
    template = http.get("/sheets/completion/template.xlsx", headers=as_(Role.TRAINER))
    assert template.status_code == 200
