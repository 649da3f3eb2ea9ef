"""Policies and conversion rules over HTTP, and applications as learners and staff make them."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from contracts.terms import Role
from tests.support.sound import CONVERSION, POLICY
from tests.unit.creditbank.stories import Assessment, scheme
from tests.unit.creditbank.test_http import ISSUER, answered, as_learner, as_staff, http, settings

__all__ = ["http", "settings"]
RULE: dict[str, Any] = CONVERSION | {"scheme": "cloud-ops"}


def as_person(subject: str, role: Role = Role.REGISTRY) -> dict[str, str]:
    return ISSUER.bearer("creditbank", role, subject=subject)


@pytest.fixture
def bank(http: FlaskClient) -> FlaskClient:
    Assessment().tell(scheme())
    answered(http.put("/conversion-policies/measures", json=POLICY, headers=as_staff()))
    return http


def test_a_policy_is_read_as_it_was_written(bank: FlaskClient) -> None:
    (kept,) = answered(bank.get("/conversion-policies/measures", headers=as_learner()))
    assert (kept["version"], kept["most_points_per_certificate"], kept["undo_minutes"]) == (1, 800, 30)
    assert kept["steps"] == [{"step": "department", "working_days": 3}, {"step": "registry", "working_days": 5}]
    assert answered(bank.get("/conversion-policies", headers=as_learner()))["items"] == [kept]


def test_a_rule_is_published_by_two_people(bank: FlaskClient) -> None:
    place = "/conversion-rules/basics"
    draft = answered(bank.put(place, json=RULE, headers=as_person("li")))
    assert (draft["state"], draft["drafted_by"], draft["levels"]) == ("draft", "li", [1])
    answered(bank.put(f"{place}/versions/1/approval", headers=as_person("li")))
    again = bank.put(f"{place}/versions/1/approval", headers=as_person("li"))
    assert (again.status_code, again.json["code"]) == (409, "conversion_rule_approved_by_you")
    early = bank.put(f"{place}/versions/1/publication", headers=as_person("li"))
    assert (early.status_code, early.json["code"]) == (409, "conversion_rule_not_in_state")
    answered(bank.put(f"{place}/versions/1/approval", headers=as_person("wang")))
    out = answered(bank.put(f"{place}/versions/1/publication", headers=as_person("li")))
    assert (out["state"], out["approved_by"]) == ("published", ["li", "wang"])
    listed = answered(bank.get("/conversion-rules?programme=630302&state=published", headers=as_learner()))
    assert [one["code"] for one in listed["items"]] == ["basics"]
    assert answered(bank.get("/conversion-rules?state=draft", headers=as_learner()))["items"] == []
    gone = answered(bank.delete(f"{place}/versions/1/publication", headers=as_person("li")))
    assert gone["state"] == "retired"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"valid_until": None}, "conversion_rule_without_end"),
        ({"levels": [3], "scheme": "nowhere"}, "scheme_unknown"),
        ({"levels": [4]}, "fields_invalid"),
        ({"targets": []}, "fields_invalid"),
        ({"policy": "nothing"}, "conversion_policy_unknown"),
        ({"teacher": 1}, "fields_invalid"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(bank: FlaskClient, change: dict[str, Any], code: str) -> None:
    refused = bank.put("/conversion-rules/basics", json=RULE | change, headers=as_staff())
    assert (refused.status_code, refused.json["code"]) == (422, code)


def test_a_learner_changes_no_rules(bank: FlaskClient) -> None:
    assert bank.put("/conversion-rules/basics", json=RULE, headers=as_learner()).status_code == 403
    assert bank.get("/conversion-rules/basics", headers=as_learner()).status_code == 404
