"""Policies and conversion rules over HTTP, and applications as learners and staff make them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook

from chassis import clock
from chassis.database import database
from contracts.terms import Role
from services.creditbank.conversion.deciding import release_decisions
from services.creditbank.conversion.queries import earlier_points_of
from services.creditbank.simulations.commands import simulate_some
from tests.support.forgetting import forget
from tests.support.sound import CONVERSION, DEFAULT_POLICY, POLICY
from tests.unit.creditbank.converting import FROM, IN_WINDOW, UNTIL, Day, enrol, open_college
from tests.unit.creditbank.stories import Assessment, scheme
from tests.unit.creditbank.test_http import ISSUER, answered, as_learner, as_staff, http, settings

__all__ = ["http", "settings"]
RULE: dict[str, Any] = CONVERSION | {"scheme": "cloud-ops"}
ELSEWHERE = {"programme": "elsewhere", "valid_from": FROM.isoformat(), "valid_until": UNTIL.isoformat()}
FORGOTTEN = "/accounts/mei/forgotten-exemptions"
WISH = {"rule": "tax", "course": "KJ2105"}


def as_person(subject: str, role: Role = Role.REGISTRY) -> dict[str, str]:
    return ISSUER.bearer("creditbank", role, subject=subject)


@pytest.fixture
def bank(http: FlaskClient) -> FlaskClient:
    Assessment().tell(scheme())
    answered(http.put("/conversion-policies/measures", json=DEFAULT_POLICY, headers=as_staff()))
    return http


def simulated(http: FlaskClient, **draft: Any) -> dict[str, Any]:
    """A draft that has been simulated, and what that found."""
    asked = http.post("/conversion-simulations", json=draft, headers=as_person("li"))
    assert (asked.status_code, asked.json["state"]) == (202, "running"), asked.json
    while simulate_some():
        pass
    found: dict[str, Any] = answered(http.get(asked.headers["Location"], headers=as_person("li")))
    return found


def test_a_policy_is_read_as_it_was_written(bank: FlaskClient) -> None:
    (kept,) = answered(bank.get("/conversion-policies/measures", headers=as_learner()))
    assert (kept["version"], kept["most_points_per_certificate"], kept["undo_minutes"]) == (1, 800, 0)
    assert kept["steps"] == [{"step": "department", "working_days": 3}, {"step": "registry", "working_days": 5}]
    assert answered(bank.get("/conversion-policies", headers=as_learner()))["items"] == [kept]


def test_a_policy_is_changed_by_two_people(bank: FlaskClient) -> None:
    place = "/conversion-policies/measures"
    draft = answered(bank.put(place, json=POLICY | {"undo_minutes": 5}, headers=as_person("li")))
    assert (draft["version"], draft["state"], draft["drafted_by"]) == (2, "draft", "li")
    approval, publication = f"{place}/versions/2/approval", f"{place}/versions/2/publication"
    early = bank.put(approval, headers=as_person("li"))
    assert (early.status_code, early.json["code"]) == (409, "conversion_not_simulated")
    simulated(bank, policy={"code": "measures", "version": 2})
    answered(bank.put(approval, headers=as_person("li")))
    for path, code in (
        (approval, "conversion_policy_approved_by_you"),
        (publication, "conversion_policy_not_in_state"),
    ):
        again = bank.put(path, headers=as_person("li"))
        assert (again.status_code, again.json["code"]) == (409, code)
    assert bank.put(approval, headers=as_person("mei", Role.LEARNER)).status_code == 403
    answered(bank.put(approval, headers=as_person("wang", Role.OPERATOR)))
    out = answered(bank.put(publication, headers=as_person("li")))
    assert (out["state"], out["approved_by"]) == ("published", ["li", "wang"])


def test_a_rule_is_published_by_two_people(bank: FlaskClient) -> None:
    place = "/conversion-rules/basics"
    draft = answered(bank.put(place, json=RULE, headers=as_person("li")))
    assert (draft["state"], draft["drafted_by"], draft["levels"]) == ("draft", "li", [1])
    number = simulated(bank, rule={"code": "basics", "version": 1})["number"]
    unseen = bank.put(f"{place}/versions/1/approval?simulation={number + 1}", headers=as_person("li"))
    assert (unseen.status_code, unseen.json["code"]) == (409, "conversion_simulation_is_another")
    answered(bank.put(f"{place}/versions/1/approval?simulation={number}", headers=as_person("li")))
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


@pytest.fixture
def college(http: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A college that converts, on a day in its window, with mei and lan."""
    Day(tmp_path / "clock", monkeypatch).set(IN_WINDOW)
    teller = Assessment()
    open_college(teller)
    enrol(teller)
    enrol(teller, "lan", department="机电学院")
    return http


def file(http: FlaskClient, learner_id: str = "mei") -> dict[str, Any]:
    path = f"/accounts/{learner_id}/conversion-applications"
    found: dict[str, Any] = answered(http.post(path, json=WISH, headers=as_learner(learner_id)))
    return found


def decide(http: FlaskClient, headers: dict[str, str], *items: dict[str, str]) -> list[tuple[str, str | None]]:
    found = answered(http.post("/conversion-decisions", json=list(items), headers=headers))
    return [(one["status"], one["code"]) for one in found]


def found_in(http: FlaskClient, state: str, headers: dict[str, str]) -> int:
    return len(answered(http.get(f"/conversion-applications?state={state}", headers=headers))["items"])


def test_an_application_goes_from_the_learner_through_department_and_registry(college: FlaskClient) -> None:
    one = file(college)
    assert (one["state"], one["step"], one["held_points"], one["due_on"]) == ("review", "department", 400, "2021-03-08")
    item = {"application": one["application"], "verdict": "approve"}
    own = ISSUER.bearer("creditbank", Role.DEPARTMENT, subject="zhou", owns={"department": ["财会学院"]})
    assert decide(college, own, item, {"application": "nobody", "verdict": "approve"}) == [
        ("accepted", None),
        ("refused", "not_found"),
    ]
    assert decide(college, own, item) == [("unchanged", None)]
    turned = {**item, "verdict": "refuse", "reason": "too few lessons"}
    assert decide(college, own, turned) == [("refused", "application_step_of_others")]
    assert decide(college, as_person("li"), item) == [("accepted", None)]
    assert decide(college, as_person("li"), item) == [("unchanged", None)]
    path = f"/conversion-applications/{one['application']}"
    assert answered(college.get(path, headers=as_person("li")))["state"] == "granted"
    seen = answered(college.get(path, headers=as_learner()))
    assert (seen["state"], seen["held_points"], seen["spent_points"]) == ("review", 400, 0), "not told yet"
    assert [found_in(college, state, as_learner()) for state in ("review", "granted", "refused")] == [1, 0, 0]
    assert [found_in(college, state, as_person("li")) for state in ("review", "granted", "refused")] == [0, 1, 0]
    asked = [{"application": one["application"]}]
    for subject, status in (("someone", "refused"), ("li", "accepted")):
        [undone] = answered(college.post("/conversion-undos", json=asked, headers=as_person(subject)))
        assert undone["status"] == status, "nobody undoes a decision about their own"


def test_each_sees_and_decides_what_is_theirs(college: FlaskClient) -> None:
    mine, other = file(college), file(college, "lan")
    own = ISSUER.bearer("creditbank", Role.DEPARTMENT, subject="zhou", owns={"department": ["财会学院"]})
    for headers in (own, as_learner()):
        listed = answered(college.get("/conversion-applications", headers=headers))["items"]
        assert [one["application"] for one in listed] == [mine["application"]]
    assert college.get(f"/conversion-applications/{other['application']}", headers=as_learner()).status_code == 403
    item = {"application": other["application"], "verdict": "approve"}
    assert decide(college, own, item) == [("refused", "application_of_other_department")]
    teo = ISSUER.bearer("creditbank", Role.TEO, owns={"teo": ["another"]})
    assert answered(college.get("/conversion-applications", headers=teo))["items"] == []
    everything = answered(college.get("/conversion-applications?state=review", headers=as_person("li")))["items"]
    assert len(everything) == 2
    foreign = college.post("/accounts/mei/conversion-applications", json=WISH, headers=as_learner("lan"))
    assert (foreign.status_code, foreign.json["code"]) == (403, "outside_your_scope")


def test_no_machine_is_one_of_two_people(college: FlaskClient) -> None:
    one = file(college)
    robot = ISSUER.machine("creditbank", Role.REGISTRY, Role.DEPARTMENT, Role.OPERATOR)
    draft = answered(college.put("/conversion-rules/more", json=RULE | ELSEWHERE, headers=robot))
    at = f"/conversion-rules/more/versions/{draft['version']}"
    item = {"application": one["application"]}
    for method, path, body in (
        ("PUT", f"{at}/approval", None),
        ("PUT", f"{at}/publication", None),
        ("DELETE", f"{at}/publication", None),
        ("POST", "/conversion-decisions", [item | {"verdict": "approve"}]),
        ("POST", "/conversion-undos", [item]),
    ):
        refused = college.open(path, method=method, json=body, headers=robot)
        assert (refused.status_code, refused.json["code"]) == (403, "person_needed"), (method, path)
    [kept] = answered(college.get("/conversion-rules/more", headers=robot))
    assert (kept["state"], kept["approved_by"]) == ("draft", [])
    assert found_in(college, "review", robot) == 1


def test_a_registry_of_a_department_notes_earlier_conversions_of_its_own(college: FlaskClient) -> None:
    body = {"credit_points": 200, "note": "prior courses"}

    def noted(learner_id: str, **owns: list[str]) -> tuple[int, str | None]:
        headers = ISSUER.bearer("creditbank", Role.REGISTRY, owns=owns)
        answer = college.put(f"/accounts/{learner_id}/earlier-conversions", json=body, headers=headers)
        return answer.status_code, (answer.json or {}).get("code")

    assert noted("mei", department=["财会学院", "外语学院"]) == (200, None)
    assert noted("lan", department=["财会学院"]) == (403, "outside_your_scope")
    assert noted("nobody", department=["财会学院"]) == (403, "outside_your_scope")
    assert noted("lan", college=["4144012345"]) == (200, None)
    assert noted("lan", college=["another"]) == (403, "outside_your_scope")
    assert earlier_points_of(["mei", "lan"]) == {"mei": 200, "lan": 200}


def test_who_is_limited_neither_rules_nor_exports_for_the_college(college: FlaskClient) -> None:
    limited = ISSUER.bearer("creditbank", Role.REGISTRY, owns={"department": ["财会学院"]})
    for method, path, body in (
        ("PUT", "/conversion-rules/more", RULE),
        ("PUT", "/conversion-policies/measures", POLICY),
        ("POST", "/exemption-exports", None),
        ("GET", "/exemption-exports", None),
        ("POST", "/exemption-exports/1/acknowledgement", [{"application": "nobody"}]),
    ):
        refused = college.open(path, method=method, json=body, headers=limited)
        assert (refused.status_code, refused.json["code"]) == (403, "outside_your_scope"), (method, path)
    robot = ISSUER.machine("creditbank", Role.REGISTRY)
    assert answered(college.post("/exemption-exports", headers=robot)) == {"number": 0, "rows": []}


def test_a_refusal_says_why(college: FlaskClient) -> None:
    one = file(college)
    bare = [{"application": one["application"], "verdict": "refuse"}]
    department = ISSUER.bearer("creditbank", Role.DEPARTMENT, subject="zhou")
    other = {"application": file(college, "lan")["application"], "verdict": "approve"}
    blank = bare[0] | {"reason": " "}
    assert decide(college, department, bare[0], blank, other) == [
        ("refused", "refusal_without_reason"),
        ("refused", "refusal_without_reason"),
        ("accepted", None),
    ]
    assert decide(college, department, bare[0] | {"reason": "too little in common"}) == [("accepted", None)]


def test_a_department_undoes_its_refusal_and_no_learner_hears_who_refused(college: FlaskClient) -> None:
    one, own = file(college), ISSUER.bearer("creditbank", Role.DEPARTMENT, subject="zhou")
    path = f"/conversion-applications/{one['application']}"
    item = {"application": one["application"], "verdict": "refuse", "reason": "too little in common"}
    assert decide(college, own, item) == [("accepted", None)]
    staff = answered(college.get(path, headers=own))
    assert (staff["decided_by"], staff["undo_until"]) == ("zhou", "2021-03-03T02:30:00+00:00")
    listed = answered(college.get("/conversion-applications", headers=as_learner()))["items"]
    for seen in (answered(college.get(path, headers=as_learner())), *listed):
        assert {seen[name] for name in ("decided_by", "decided_at", "undo_until")} == {None}
    [undone] = answered(college.post("/conversion-undos", json=[{"application": one["application"]}], headers=own))
    assert undone["status"] == "accepted"
    assert answered(college.get(path, headers=own))["state"] == "review"


def test_a_withdrawal_is_the_learners(college: FlaskClient) -> None:
    path = f"/conversion-applications/{file(college)['application']}"
    assert college.put(f"{path}/withdrawal", headers=as_learner("lan")).status_code == 403
    assert answered(college.put(f"{path}/withdrawal", headers=as_learner()))["state"] == "withdrawn"
    closed = college.post(f"{path}/offer", headers=as_learner())
    assert (closed.status_code, closed.json["code"]) == (409, "offer_over")


def test_a_simulation_is_read_as_a_table_and_saved_as_a_sheet(college: FlaskClient) -> None:
    body = RULE | {"valid_until": "2023-12-31", "levels": [2]}
    body |= {"targets": [{"course": "KJ2105", "module": "KJ2105-2", "credit_points": 200}]}
    answered(college.put("/conversion-rules/tax", json=body, headers=as_person("li")))
    found = simulated(college, rule={"code": "tax", "version": 2})
    assert (found["state"], found["losers"], found["totals"]["taken_points"]) == ("finished", 2, 800)
    place = f"/conversion-simulations/{found['number']}"
    first = answered(college.get(f"{place}/exemptions?limit=1", headers=as_person("liu", Role.AUDITOR)))
    rest = answered(college.get(f"{place}/exemptions?limit=1&cursor={first['next']}", headers=as_person("li")))
    assert [one["learner_id"] for one in first["items"] + rest["items"]] == ["lan", "mei"]
    assert rest["next"] is None
    assert answered(college.get(f"{place}/exemptions?effect=allowed", headers=as_person("li")))["items"] == []
    sheet = college.get(f"{place}/exemptions.xlsx", headers=as_person("li") | {"Accept-Language": "zh"})
    book = load_workbook(io.BytesIO(sheet.data))
    lines, *totals = (list(one.iter_rows(values_only=True)) for one in book.worksheets)
    assert [line[1:12] for line in lines[1:]] == [
        (f"2019-{one}", "630302", 2019, "cloud-ops", "tax", "KJ2105", None, "不再可办理", 400, 0, None)
        for one in ("lan", "mei")
    ]
    assert book.sheetnames[1:] == ["按专业合计", "按证书合计", "按课程合计"]
    assert [one[1] for one in totals] == [
        ("630302", 0, 0, 2, 800, 0, 0, 0, 0),
        ("cloud-ops", 0, 0, 2, 800, 0, 0, 0, 0),
        ("630302", "KJ2105", 0, 0, 2, 800, 0, 0, 0, 0),
    ]
    listed = "/conversion-simulations?subject=rule&code=tax&version="
    assert [answered(college.get(f"{listed}{one}", headers=as_person("li")))["items"] for one in (1, 2)] == [
        [],
        [found],
    ]


@pytest.mark.parametrize("given", [{}, {"rule": {"code": "a", "version": 1}, "policy": {"code": "a", "version": 1}}])
def test_a_simulation_is_of_one_draft(bank: FlaskClient, given: dict[str, Any]) -> None:
    refused = bank.post("/conversion-simulations", json=given, headers=as_person("li"))
    assert (refused.status_code, refused.json["code"]) == (422, "simulation_of_one_draft")


def test_who_has_no_say_asks_for_no_simulation(bank: FlaskClient) -> None:
    draft = {"policy": {"code": "measures", "version": 1}}
    for role in (Role.AUDITOR, Role.DEPARTMENT, Role.LEARNER, Role.TEO):
        assert bank.post("/conversion-simulations", json=draft, headers=as_person("x", role)).status_code == 403
    for role in (Role.DEPARTMENT, Role.LEARNER, Role.TEO):
        assert bank.get("/conversion-simulations", headers=as_person("x", role)).status_code == 403


def test_a_learner_changes_no_rules(bank: FlaskClient) -> None:
    assert bank.put("/conversion-rules/basics", json=RULE, headers=as_learner()).status_code == 403
    assert bank.get("/conversion-rules/basics", headers=as_learner()).status_code == 404


def refused_and_told(college: FlaskClient) -> str:
    """mei's application, refused by her department; she knows."""
    one = str(file(college)["application"])
    item = {"application": one, "verdict": "refuse", "reason": "too little in common"}
    assert decide(college, as_person("zhou", Role.DEPARTMENT), item) == [("accepted", None)]
    database()["conversion_applications"].update_one({"_id": one}, {"$set": {"release_at": clock.now()}})
    release_decisions()
    return one


def test_a_learner_appeals_once_and_another_person_at_the_registry_upholds(college: FlaskClient) -> None:
    one = refused_and_told(college)
    path, wish = f"/conversion-applications/{one}", {"reason": "the same book"}
    assert answered(college.get(path, headers=as_learner()))["may_be_appealed"]
    for headers, status in ((as_learner("lan"), 403), (as_person("li"), 403)):
        assert college.put(f"{path}/appeal", json=wish, headers=headers).status_code == status
    bare = college.put(f"{path}/appeal", json={"reason": "  "}, headers=as_learner())
    assert (bare.status_code, bare.json["code"]) == (422, "appeal_without_reason")
    for _ in range(2):
        filed = answered(college.put(f"{path}/appeal", json=wish, headers=as_learner()))
        assert (filed["state"], filed["step"], filed["appeal"]["reason"]) == ("review", "appeal", "the same book")
        assert filed["appeal"]["against"]["zh"] == "too little in common"
    listed = answered(college.get("/conversion-applications?step=appeal&state=review", headers=as_person("li")))
    assert [each["application"] for each in listed["items"]] == [one]
    item = {"application": one, "verdict": "approve"}
    assert decide(college, as_person("zhou"), item) == [("refused", "appeal_against_you")]
    assert decide(college, as_person("sun", Role.OPERATOR), item) == [("refused", "application_step_of_others")]
    assert decide(college, as_person("li"), item) == [("accepted", None)]
    assert answered(college.get(path, headers=as_person("li")))["state"] == "granted"
    assert answered(college.get(path, headers=as_learner()))["state"] == "review", "not told yet"


def granted_and_forgotten(college: FlaskClient) -> str:
    """mei's exemption, granted, told and forgotten in a set-back."""
    one = str(file(college)["application"])
    item = {"application": one, "verdict": "approve"}
    assert decide(college, as_person("zhou", Role.DEPARTMENT), item) == [("accepted", None)]
    assert decide(college, as_person("li"), item) == [("accepted", None)]
    database()["conversion_applications"].update_one({"_id": one}, {"$set": {"release_at": clock.now()}})
    release_decisions()
    assert answered(college.get(FORGOTTEN, headers=as_person("li"))) == []
    forget(["conversion_applications"], ["ConversionDecided", "ExemptionGranted"])
    return one


def test_two_people_at_the_registry_void_what_a_set_back_forgot(college: FlaskClient) -> None:
    one, place = granted_and_forgotten(college), FORGOTTEN
    [lost] = answered(college.get(place, headers=as_person("aud", Role.AUDITOR)))
    assert (lost["application"], lost["course"], lost["void"]) == (one, "KJ2105", None)
    wish = {"reason": "the file is lost", "is_exported": True}
    path, approval = f"{place}/{one}/void", f"/exemption-voids/{one}/approval"
    for headers in (as_learner(), as_person("zhou", Role.DEPARTMENT), as_person("root", Role.OPERATOR)):
        assert college.put(path, json=wish, headers=headers).status_code == 403
    assert college.put(path, json=wish | {"reason": " "}, headers=as_person("li")).status_code == 422
    proposal = answered(college.put(path, json=wish, headers=as_person("li")))
    assert (proposal["state"], proposal["proposed_by"], proposal["revision"]) == ("proposed", "li", 1)
    own = college.put(approval, json={"revision": 1}, headers=as_person("li"))
    assert (own.status_code, own.json["code"]) == (409, "void_proposed_by_you")
    done = answered(college.put(approval, json={"revision": 1}, headers=as_person("wang")))
    assert (done["state"], done["approved_by"]) == ("voided", "wang")
    assert answered(college.get("/exemption-voids", headers=as_person("li")))["items"] == [done]
    assert answered(college.get(place, headers=as_person("li"))) == []


def test_what_was_voided_is_counted_explained_and_a_case_where_it_was_exported(
    college: FlaskClient,
) -> None:
    one = granted_and_forgotten(college)
    wish = {"reason": "the file is lost", "is_exported": True}
    answered(college.put(f"{FORGOTTEN}/{one}/void", json=wish, headers=as_person("li")))
    answered(college.put(f"/exemption-voids/{one}/approval", json={"revision": 1}, headers=as_person("wang")))
    figures = answered(college.get("/exemption-void-figures", headers=as_person("li")))
    assert figures == {"proposed": 0, "voided": 1, "exported": 1}
    cases = answered(college.get("/conversion-applications?is_case=true", headers=as_person("li")))["items"]
    assert [(case["application"], case["state"], case["because"]["code"]) for case in cases] == [
        (one, "fallen", "exemption_voided")
    ]
    why = answered(college.get(f"/accounts/mei/why?application={one}", headers=as_person("li")))
    assert any("a set-back forgot it" in link["en"] for link in why["chain"])


def test_a_policy_says_how_long_one_may_appeal_and_lists_no_appeal_as_a_step(bank: FlaskClient) -> None:
    place = "/conversion-policies/measures"
    given = POLICY | {"appeal_days": 10, "appeal_review_days": 7}
    kept = answered(bank.put(place, json=given, headers=as_staff()))
    assert (kept["appeal_days"], kept["appeal_review_days"]) == (10, 7)
    steps = [{"step": "registry", "working_days": 5}, {"step": "appeal", "working_days": 5}]
    assert bank.put(place, json=POLICY | {"steps": steps}, headers=as_staff()).status_code == 422
