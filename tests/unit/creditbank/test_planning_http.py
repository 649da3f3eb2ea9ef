"""Plans over HTTP: who may read one, in which language, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from contracts.terms import Role
from tests.unit.creditbank.converting import DEPARTMENT, IN_WINDOW, Day, enrol, open_college
from tests.unit.creditbank.stories import Assessment, registered
from tests.unit.creditbank.test_http import ISSUER, answered, as_learner, as_staff, http, settings

__all__ = ["http", "settings"]
PLAN = "/accounts/mei/plan"


@pytest.fixture
def college(http: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Assessment:
    """会计 2019级 in the window, with mei, who has 4.00 credits to spend."""
    Day(tmp_path / "clock", monkeypatch).set(IN_WINDOW)
    teller = Assessment()
    open_college(teller)
    enrol(teller)
    return teller


def as_department(name: str) -> dict[str, str]:
    return ISSUER.bearer("creditbank", Role.DEPARTMENT, owns={"department": [name]})


def test_a_plan_is_read_in_ones_own_language(http: FlaskClient, college: Assessment) -> None:
    found = answered(http.get(PLAN, headers=as_learner() | {"Accept-Language": "zh"}))
    (choice,) = found["choices"]
    assert (choice["course"], choice["when"], choice["file_on"]) == ("KJ2105", "now", "2021-03-03")
    assert choice["text"] == choice["zh"]
    assert (found["on"], found["because"], found["spend"], found["price"]) == ("2021-03-03", None, None, None)
    assert all(one["text"] == one["zh"] for one in found["left_out"])
    assert answered(http.get(PLAN, headers=as_learner()))["choices"][0]["text"] == choice["en"]


def test_spending_and_a_certificate_are_asked_about_in_the_query(http: FlaskClient, college: Assessment) -> None:
    query = "?spend=tax:KJ2105:KJ2105-2&with_scheme=cloud-ops&with_level=3"
    found = answered(http.get(PLAN + query, headers=as_learner()))
    assert (found["spend"]["module"], found["spend"]["credit_points"]) == ("KJ2105-2", 200)
    assert (found["price"]["credit_points"], found["price"]["after_points"]) == (200, 600)
    assert [one["course"] for one in found["price"]["extra"]] == ["KJ2101"]


def test_a_plan_is_the_learners_their_departments_and_the_colleges(http: FlaskClient, college: Assessment) -> None:
    college.tell(registered("lan"))
    assert http.get(PLAN, headers=as_learner("lan")).status_code == 403
    assert http.get(PLAN, headers=as_department("机电学院")).status_code == 403
    assert http.get(PLAN).status_code == 401
    allowed = [as_department(DEPARTMENT), *map(as_staff, (Role.REGISTRY, Role.OPERATOR, Role.AUDITOR))]
    assert all(answered(http.get(PLAN, headers=one))["credit_points"] == 400 for one in allowed)
    assert http.get(PLAN, headers=as_staff(Role.TEO)).status_code == 403


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("?with_scheme=cloud-ops", 422, "certificate_half_named"),
        ("?with_level=2", 422, "certificate_half_named"),
        ("?with_scheme=unheard-of&with_level=2", 404, "not_found"),
        ("?spend=tax", 422, "fields_invalid"),
        ("?spend=tax:KJ2101", 422, "conversion_target_not_in_rule"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    http: FlaskClient, college: Assessment, query: str, status: int, code: str
) -> None:
    refused = http.get(PLAN + query, headers=as_learner())
    assert (refused.status_code, refused.json["code"]) == (status, code)


def test_without_an_account_there_is_no_plan(http: FlaskClient, college: Assessment) -> None:
    assert http.get("/accounts/nobody/plan", headers=as_staff(Role.REGISTRY)).status_code == 404
