"""The credit bank's HTTP door: a learner reads the own account, an operator publishes rules, staff see the books."""

from __future__ import annotations

import importlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.web.tokens import Tokens
from contracts.terms import Role
from onex.ledger import check_proof
from services.creditbank import console
from tests.chassis.web.tokens import TestIssuer
from tests.unit.creditbank.stories import Assessment, finalised, merged, publicised, publish_annex, registered

ISSUER = TestIssuer()
RULE = {"credit_points": 400, "sessions_from": "2019-04-01", "note": "a guess", "is_folklore_default": True}
PLACE = "/recognition-rules/cloud-ops/2"


@pytest.fixture
def settings(mongo: str, mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"MONGO": mongo_url, "DATABASE": mongo, "PORTAL_URL": "http://portal.test"}
    for name, value in (given | {"CLIENT_SECRET": "secret", "SEAL_KEY": "A" * 43}).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def http(settings: None) -> FlaskClient:
    """The service's own application, which trusts the tests' issuer."""
    app = importlib.import_module("services.creditbank.app").app
    app.extensions["onex.tokens"] = Tokens("creditbank", ISSUER)
    client: FlaskClient = app.test_client()
    return client


@pytest.fixture
def assessment(settings: None) -> Assessment:
    """Two learners, one with an account that has moved."""
    publish_annex()
    teller = Assessment()
    teller.tell(registered("mei"), registered("lan"))
    teller.tell(publicised("mei", level=1), finalised("mei", level=1), publicised("mei", "0002", level=3))
    return teller


def as_learner(learner_id: str = "mei") -> dict[str, str]:
    return ISSUER.bearer("creditbank", Role.LEARNER, owns={"learner": [learner_id]})


def as_staff(role: Role = Role.OPERATOR) -> dict[str, str]:
    return ISSUER.bearer("creditbank", role)


def answered(response: Any) -> Any:
    assert response.status_code == 200, response.json
    return response.json


def test_a_learner_reads_the_own_account_and_no_other(http: FlaskClient, assessment: Assessment) -> None:
    account = answered(http.get("/accounts/mei", headers=as_learner()))
    assert account["balances"] == {"provisional": 400, "available": 200}
    assert account["holdings"] == [
        {
            "scheme": "cloud-ops",
            "level": 1,
            "provisional_points": 400,
            "available_points": 200,
            "held_points": 0,
            "spent_points": 0,
            "certificate": None,
            "unnumbered": False,
        }
    ]
    assert (account["entries"], account["merged_into"], len(account["head"])) == (3, None, 64)
    other = http.get("/accounts/mei", headers=as_learner("lan"))
    assert (other.status_code, other.json["code"]) == (403, "outside_your_scope")
    assert http.get("/accounts/mei/entries", headers=as_learner("lan")).status_code == 403


def test_entries_are_read_page_by_page_the_latest_first(http: FlaskClient, assessment: Assessment) -> None:
    first = answered(http.get("/accounts/mei/entries?limit=2", headers=as_learner()))
    rest = answered(http.get(f"/accounts/mei/entries?limit=2&cursor={first['next']}", headers=as_learner()))
    assert [one["number"] for one in first["items"] + rest["items"]] == [3, 2, 1]
    assert rest["next"] is None
    assert first["items"][0]["previous"] == first["items"][1]["hash"]


@pytest.mark.parametrize("path", ["/accounts/nobody", "/accounts/nobody/entries", "/recognition-rules/none/1"])
def test_what_is_not_there_is_said(http: FlaskClient, assessment: Assessment, path: str) -> None:
    missing = http.get(path, headers=as_staff())
    assert (missing.status_code, missing.json["code"]) == (404, "not_found")


def test_a_cursor_of_another_list_is_refused(http: FlaskClient, assessment: Assessment) -> None:
    rules = answered(http.get("/recognition-rules?limit=1", headers=as_staff()))
    foreign = http.get(f"/accounts/mei/entries?cursor={rules['next']}", headers=as_staff())
    assert (foreign.status_code, foreign.json["code"]) == (422, "cursor_invalid")


def test_a_default_is_published_once_and_keeps_its_history(http: FlaskClient) -> None:
    first = answered(http.put(PLACE, json=RULE, headers=as_staff()))
    assert answered(http.put(PLACE, json=RULE, headers=as_staff())) == first
    assert (first["version"], first["is_folklore_default"]) == (1, True)
    answered(http.put(PLACE, json=RULE | {"credit_points": 300}, headers=as_staff()))
    now = answered(http.get(PLACE, headers=as_learner()))
    assert [(one["version"], one["credit_points"]) for one in now["versions"]] == [(2, 300), (1, 400)]
    assert (now["scheme"], now["level"], now["version"], now["credit_points"]) == ("cloud-ops", 2, 2, 300)
    assert (now["sessions_until"], now["policy"], now["retired_from"]) == (None, None, None)


def test_a_rule_that_is_no_default_is_not_published_at_once(http: FlaskClient) -> None:
    refused = http.put(PLACE, json=RULE | {"is_folklore_default": False}, headers=as_staff())
    assert (refused.status_code, refused.json["code"]) == (422, "rule_not_decided")
    assert http.get(PLACE, headers=as_staff()).status_code == 404


def test_rules_are_listed_in_pages(http: FlaskClient, assessment: Assessment) -> None:
    first = answered(http.get("/recognition-rules?limit=2", headers=as_staff()))
    rest = answered(http.get(f"/recognition-rules?limit=2&cursor={first['next']}", headers=as_staff()))
    assert [one["level"] for one in first["items"] + rest["items"]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("place", "change", "code"),
    [
        (PLACE, {"credit_points": -1}, "fields_invalid"),
        (PLACE, {"credit_points": 2.5}, "fields_invalid"),
        (PLACE, {"sessions_from": "soon"}, "fields_invalid"),
        (PLACE, {"teacher": "x"}, "fields_invalid"),
        ("/recognition-rules/cloud-ops/4", {}, "level_unknown"),
        ("/recognition-rules/Cloud:Ops/2", {}, "scheme_malformed"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    http: FlaskClient, place: str, change: dict[str, object], code: str
) -> None:
    refused = http.put(place, json=RULE | change, headers=as_staff())
    assert (refused.status_code, refused.json["code"]) == (422, code)


def test_only_an_operator_publishes_rules(http: FlaskClient) -> None:
    refused = http.put(PLACE, json=RULE, headers=as_staff(Role.REGISTRY))
    assert (refused.status_code, refused.json["code"]) == (403, "role_not_allowed")


def test_staff_see_totals_books_and_flow(http: FlaskClient, assessment: Assessment) -> None:
    (total,) = answered(http.get("/holdings/totals", headers=as_staff(Role.AUDITOR)))
    assert (total["scheme"], total["available_points"], total["provisional_points"]) == ("cloud-ops", 200, 400)
    books = answered(http.get("/books", headers=as_staff()))
    assert books == {"learners_points": 600, "bank_points": -600, "sum": 0}
    stages = answered(http.get("/flow", headers=as_staff(Role.REGISTRY)))["stages"]
    assert stages[0] == {"stage": "accounts", "count": 2}
    assert http.get("/books", headers=as_learner()).status_code == 403


def test_a_life_shows_the_entry_beside_its_announcement(http: FlaskClient, assessment: Assessment) -> None:
    cause = answered(http.get("/accounts/mei/entries", headers=as_staff()))["items"][0]["cause"]
    steps = answered(http.get(f"/lives/{cause}", headers=as_staff()))["steps"]
    assert sorted(one["what"] for one in steps) == ["CreditPosted", "Entry"]
    assert {one["learner_id"] for one in steps} == {"mei"}


def test_the_console_verifies_and_rebuilds(assessment: Assessment, capsys: pytest.CaptureFixture[str]) -> None:
    assert console.main(["verify"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["accounts"], told["entries"], told["faults"]) == (1, 3, [])
    assert console.main(["rebuild"]) == 0
    with pytest.raises(SystemExit) as asked_wrongly:
        console.main([])
    assert asked_wrongly.value.code == 2


def test_the_console_exports_a_root_and_proves_an_account(
    assessment: Assessment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROOTS_FOLDER", str(tmp_path / "roots"))
    assert console.main(["prove", "mei"]) == 1
    assert "No root has been exported yet" in capsys.readouterr().out
    assert console.main(["root"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["accounts"], told["entries"], told["folder"]) == (1, 3, str(tmp_path / "roots"))
    assert console.main(["prove", "--", "mei"]) == 0
    proof = tmp_path / "proof.json"
    proof.write_text(capsys.readouterr().out)
    assert check_proof(proof, tmp_path / "roots" / "keys.json")["root"] == told["root"]


def test_the_console_names_what_contradicts_the_last_root(
    assessment: Assessment,
    raw_mongo: Any,
    mongo: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ROOTS_FOLDER", str(tmp_path / "roots"))
    assert console.main(["root"]) == 0
    raw_mongo[mongo]["entries"].delete_one({"_id": "mei:000003"})
    assert console.main(["root"]) == 1
    assert "mei: entry 3 is missing; it stands in the root of" in capsys.readouterr().out
    assert console.main(["root", "--anew", "the test deleted it"]) == 0


def test_the_console_fails_when_an_account_is_wrong(
    assessment: Assessment, raw_mongo: Any, mongo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    raw_mongo[mongo]["accounts"].update_one({"_id": "mei"}, {"$inc": {"available_points": 100}})
    assert console.main(["verify"]) == 1
    assert "mei: the account does not show" in capsys.readouterr().out
    assert console.main(["rebuild"]) == 0
    assert console.main(["verify"]) == 0


FREEZE = {"is_frozen": True, "reason": "a complaint is looked into"}


def test_the_registry_freezes_an_account_and_the_learner_sees_it(http: FlaskClient, assessment: Assessment) -> None:
    frozen = answered(http.put("/accounts/mei/freeze", json=FREEZE, headers=as_staff(Role.REGISTRY)))
    assert frozen["is_frozen"] is True
    assert answered(http.put("/accounts/mei/freeze", json=FREEZE, headers=as_staff())) == frozen
    latest = answered(http.get("/accounts/mei/entries?limit=1", headers=as_learner()))["items"][0]
    assert (latest["what"], latest["reason"], latest["scheme"]) == ("AccountFrozen", FREEZE["reason"], None)
    assert answered(http.get("/accounts/mei", headers=as_learner()))["is_frozen"] is True


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201, "two\nlines", None])
def test_a_freeze_without_a_readable_reason_is_refused(
    http: FlaskClient, assessment: Assessment, reason: str | None
) -> None:
    refused = http.put("/accounts/mei/freeze", json=FREEZE | {"reason": reason}, headers=as_staff())
    assert (refused.status_code, refused.json["code"]) == (422, "fields_invalid")
    assert answered(http.get("/accounts/mei", headers=as_staff()))["is_frozen"] is False


def test_a_learner_freezes_nothing(http: FlaskClient, assessment: Assessment) -> None:
    refused = http.put("/accounts/mei/freeze", json=FREEZE, headers=as_learner())
    assert (refused.status_code, refused.json["code"]) == (403, "role_not_allowed")


def balance_at(http: FlaskClient, learner: str, at: datetime, headers: dict[str, str]) -> Any:
    return http.get(f"/accounts/{learner}/balance", query_string={"at": at.isoformat()}, headers=headers)


def moved_to(raw_mongo: Any, mongo: str, days: dict[str, int]) -> None:
    """Have entries been made on days of March 2021, by place."""
    for place, day in days.items():
        raw_mongo[mongo]["entries"].update_one({"_id": place}, {"$set": {"at": datetime(2021, 3, day, tzinfo=UTC)}})


def march(day: int) -> datetime:
    return datetime(2021, 3, day, 12, tzinfo=UTC)


def test_the_balance_at_any_past_time_is_what_the_entries_had_made_of_it(
    http: FlaskClient, assessment: Assessment, raw_mongo: Any, mongo: str
) -> None:
    moved_to(raw_mongo, mongo, {"mei:000001": 2, "mei:000002": 4, "mei:000003": 6})
    shown = [answered(balance_at(http, "mei", march(day), as_learner())) for day in (1, 2, 5, 30)]
    assert [(one["entries"], one["balances"]["provisional"], one["balances"]["available"]) for one in shown] == [
        (0, 0, 0),
        (1, 200, 0),
        (2, 0, 200),
        (3, 400, 200),
    ]
    assert (shown[0]["holdings"], shown[1]["holdings"][0]["provisional_points"]) == ([], 200)
    assert shown[3]["head"] == answered(http.get("/accounts/mei", headers=as_learner()))["head"]
    exactly = answered(balance_at(http, "mei", datetime(2021, 3, 4, tzinfo=UTC), as_learner()))
    assert exactly["entries"] == 2


def test_a_merged_account_shows_what_it_held_until_it_was_handed_over(
    http: FlaskClient, assessment: Assessment, raw_mongo: Any, mongo: str
) -> None:
    assessment.tell(finalised("lan", "0003", level=2))
    assessment.tell(merged("mei", "lan"))
    moved_to(raw_mongo, mongo, {"lan:000001": 2, "lan:000002": 10, "mei:000001": 1, "mei:000002": 1, "mei:000003": 1})
    moved_to(raw_mongo, mongo, {"mei:000004": 10})
    before = answered(balance_at(http, "lan", march(5), as_staff()))
    assert (before["balances"]["available"], before["merged_into"]) == (400, "mei")
    after = answered(balance_at(http, "lan", march(11), as_staff()))
    assert (after["balances"], after["holdings"]) == ({"provisional": 0, "available": 0}, [])
    survivor = [answered(balance_at(http, "mei", march(day), as_staff()))["balances"] for day in (5, 11)]
    assert survivor == [{"provisional": 400, "available": 200}, {"provisional": 200, "available": 400}]


def test_whose_balance_it_was_is_asked_by_its_learner_and_staff_alone(
    http: FlaskClient, assessment: Assessment
) -> None:
    other = balance_at(http, "mei", march(1), as_learner("lan"))
    assert (other.status_code, other.json["code"]) == (403, "outside_your_scope")
    assert balance_at(http, "nobody", march(1), as_staff()).status_code == 404


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "fields_invalid"),
        ("at=yesterday", "fields_invalid"),
        ("at=2021-03-01T00:00:00", "fields_invalid"),
        ("at=2999-01-01T00:00:00Z", "at_in_future"),
    ],
)
def test_an_instant_that_is_none_or_has_not_come_is_refused(
    http: FlaskClient, assessment: Assessment, query: str, code: str
) -> None:
    refused = http.get(f"/accounts/mei/balance?{query}", headers=as_learner())
    assert (refused.status_code, refused.json["code"]) == (422, code)
