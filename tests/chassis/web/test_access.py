"""Tokens are verified offline, and a route lets in exactly whom it says."""

from __future__ import annotations

import time

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.util import urlsafe_b64encode

from chassis.errors import Defect, Refusal
from chassis.web.access import access_page, access_table, allow, public
from chassis.web.app import create_app
from chassis.web.blueprint import Blueprint
from chassis.web.tokens import Tokens
from tests.chassis.web.conftest import Keeper, blueprint, settings
from tests.chassis.web.test_problems import problem
from tests.chassis.web.tokens import NAME, TestIssuer

THING = {"name": "stone", "weight": 5}


def asked(client: FlaskClient, token: str | None) -> object:
    return client.get("/mine", headers={"Authorization": f"Bearer {token}"} if token is not None else {})


def test_without_a_token_nobody_is_let_in(client: FlaskClient) -> None:
    response = client.get("/mine")
    problem(response, 401, "token_missing")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    problem(client.get("/mine", headers={"Authorization": "Basic eDp5"}), 401, "token_missing")


def test_a_good_token_is_let_in_and_says_what_its_caller_owns(client: FlaskClient, issuer: TestIssuer) -> None:
    assert client.get("/mine", headers=issuer.bearer("things", "clerk")).json == {"count": -1}
    owns = {"owner": ["a", "b"]}
    assert client.get("/mine", headers=issuer.bearer("things", "owner", owns=owns)).json == {"count": 2}


def test_an_expired_token_is_told_so(client: FlaskClient, issuer: TestIssuer) -> None:
    problem(asked(client, issuer.token("things", "clerk", exp=int(time.time()) - 1)), 401, "token_expired")


def test_a_token_that_is_known_expires_all_the_same(issuer: TestIssuer) -> None:
    instants = iter([1_000.0, 1_000.0, 1_299.0, 1_300.0])
    tokens = Tokens("things", issuer, clock=lambda: next(instants))
    token = issuer.token("things", "clerk", iat=1_000, exp=1_300)
    assert tokens.caller_of(token) is tokens.caller_of(token)
    with pytest.raises(Refusal, match="token_expired"):
        tokens.caller_of(token)


def test_a_token_for_another_service_is_told_so(client: FlaskClient, issuer: TestIssuer) -> None:
    problem(asked(client, issuer.token("others", "clerk")), 401, "wrong_audience")


def test_forged_tokens_are_invalid(client: FlaskClient, issuer: TestIssuer) -> None:
    other = TestIssuer()
    good = issuer.token("things", "clerk")
    head, body, signature = good.split(".")
    forged = [
        "",
        "x",
        "a.b.c",
        "é",
        "x" * 10_000,
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        other.token("things", "clerk"),  # another key under the same id
        TestIssuer("unknown").token("things", "clerk"),
        issuer.token("things", "clerk", iss="http://elsewhere"),
        issuer.token("things", "clerk", header={"typ": "JWT"}),
        issuer.token("things", "clerk", roles="clerk"),
        issuer.token("things", "clerk", aud=["things"]),
        issuer.token("things", "clerk", exp="soon"),
        issuer.token("things", "clerk", sub=None),
        jwt.encode({"alg": "HS256", "typ": "at+jwt", "kid": "test-1"}, {"iss": NAME}, OctKey.generate_key(256)),
        jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": "test-1"}, {"iss": NAME}, RSAKey.generate_key(2048)),
    ]
    for token in forged[1:]:
        problem(asked(client, token), 401, "token_invalid")
    problem(asked(client, forged[0]), 401, "token_missing")


def test_an_unsigned_token_is_invalid(client: FlaskClient, issuer: TestIssuer) -> None:
    head = urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt","kid":"test-1"}').decode()
    body = issuer.token("things", "clerk").split(".")[1]
    problem(asked(client, f"{head}.{body}."), 401, "token_invalid")


def test_a_role_that_may_not_is_told_which_may(client: FlaskClient, issuer: TestIssuer) -> None:
    response = client.put("/things/a/x", json=THING, headers=issuer.bearer("things", "guest"))
    assert "owner, clerk" in problem(response, 403, "role_not_allowed")["detail"]


def test_who_is_limited_to_his_own_may_touch_that_alone(client: FlaskClient, issuer: TestIssuer) -> None:
    limited = issuer.bearer("things", "owner", owns={"owner": ["a"]})
    assert client.put("/things/a/x", json=THING, headers=limited).status_code == 200
    problem(client.put("/things/b/x", json=THING, headers=limited), 403, "outside_your_scope")
    elsewhere = issuer.bearer("things", "owner", owns={"branch": ["a"]})
    problem(client.put("/things/a/x", json=THING, headers=elsewhere), 403, "outside_your_scope")
    nothing = issuer.bearer("things", "owner", owns={"owner": []})
    problem(client.put("/things/a/x", json=THING, headers=nothing), 403, "outside_your_scope")
    unlimited = issuer.bearer("things", "clerk")
    assert client.put("/things/b/x", json=THING, headers=unlimited).status_code == 200


@pytest.fixture
def decisions(home: str, mongo_url: str, issuer: TestIssuer) -> FlaskClient:
    """An application with a decision of a person's about the whole college."""
    blp = Blueprint("decisions", __name__)

    @blp.route("/decisions", methods=["POST"])
    @allow(Keeper.CLERK, by_person=True, whole_college=True)
    @blp.response(204)
    def decide() -> None:
        """Decide."""

    made = create_app("things", settings(mongo_url, home), [blp], title="X", trust=issuer)
    return made.test_client()


def test_a_machine_does_not_decide_for_a_person(decisions: FlaskClient, issuer: TestIssuer) -> None:
    assert decisions.post("/decisions", headers=issuer.bearer("things", "clerk", subject="mei")).status_code == 204
    robot = issuer.machine("things", "clerk")
    told = problem(decisions.post("/decisions", headers=robot | {"Accept-Language": "zh"}), 403, "person_needed")
    assert "本人" in told["detail"]
    assert "sign" in problem(decisions.post("/decisions", headers=robot), 403, "person_needed")["detail"]
    problem(decisions.post("/decisions", headers=issuer.machine("things", "guest")), 403, "role_not_allowed")


def test_who_is_limited_does_not_decide_for_the_college(decisions: FlaskClient, issuer: TestIssuer) -> None:
    for owns in ({"owner": ["a"]}, {"owner": []}):
        limited = issuer.bearer("things", "clerk", owns=owns)
        problem(decisions.post("/decisions", headers=limited), 403, "outside_your_scope")


def test_what_a_route_asks_stands_in_the_table_and_the_document(decisions: FlaskClient) -> None:
    app = decisions.application
    table = {(method, rule): cells for method, rule, cells in access_table(app, Keeper)}
    assert table["POST", "/decisions"] == ["", "", "college, person", ""]
    operation = app.extensions["onex.openapi"]["paths"]["/decisions"]["post"]
    assert (operation["x-by-person"], operation["x-whole-college"], operation["x-own-only"]) == (True, True, False)
    assert "people who have signed in, no machines" in decisions.get("/docs?language=en").get_data(as_text=True)


def test_what_is_somebodys_is_not_the_colleges() -> None:
    with pytest.raises(ValueError, match="whole college"):
        allow(Keeper.CLERK, owning=dict, whole_college=True)


def test_access_is_judged_before_the_body(client: FlaskClient) -> None:
    problem(client.put("/things/a/x", data=b"{"), 401, "token_missing")


def test_an_undecorated_route_fails_the_start(home: str, mongo_url: str, issuer: TestIssuer) -> None:
    blp = Blueprint("bare", __name__)

    @blp.route("/bare")
    def bare() -> str:
        return ""

    with pytest.raises(Defect, match=r"bare\.bare"):
        create_app("x", settings(mongo_url, home), [blp], title="X", trust=issuer)


def test_access_below_another_decorator_fails_the_start(home: str, mongo_url: str, issuer: TestIssuer) -> None:
    blp = Blueprint("low", __name__)

    @blp.route("/low")
    @blp.response(204)
    @allow(Keeper.CLERK)
    def low() -> None:
        return None

    with pytest.raises(Defect, match="directly under"):
        create_app("x", settings(mongo_url, home), [blp], title="X", trust=issuer)


def test_a_route_allows_somebody() -> None:
    with pytest.raises(ValueError, match="public"):
        allow()


def test_the_table_says_what_the_routes_do(app: Flask, issuer: TestIssuer) -> None:
    table = {(method, rule): cells for method, rule, cells in access_table(app, Keeper)}
    assert table["PUT", "/things/<owner>/<name>"] == ["", "own", "own", ""]
    assert table["POST", "/things"] == ["", "", "yes", ""]
    assert table["GET", "/healthz"] == ["yes", "yes", "yes", "yes"]
    assert "| PUT | `/things/<owner>/<name>` |  | own | own |  |" in access_page(app, Keeper)


def test_every_cell_of_the_table_is_true(app: Flask, issuer: TestIssuer) -> None:
    client = app.test_client()
    addresses = {
        "/things/<owner>/<name>": "/things/a/x",
        "/numbers/<int:n>": "/numbers/1",
        "/lives/<path:cause>": "/lives/a/b",
    }
    for method, rule, cells in access_table(app, Keeper):
        for role, cell in zip([None, *Keeper], cells, strict=True):
            headers = issuer.bearer("things", role) if role else {}
            status = client.open(addresses.get(rule, rule), method=method, headers=headers).status_code
            assert (status in {401, 403}) == (cell == ""), (method, rule, role, status)


def test_keys_of_another_curve_are_not_trusted(client: FlaskClient, issuer: TestIssuer) -> None:
    issuer.key = ECKey.generate_key("P-384", {"kid": "test-1"})
    token = jwt.encode(
        {"alg": "ES384", "typ": "at+jwt", "kid": "test-1"}, {"iss": NAME}, issuer.key, algorithms=["ES384"]
    )
    problem(asked(client, token), 401, "token_invalid")


def test_public_means_public(client: FlaskClient) -> None:
    assert client.get("/numbers/7").json == {"count": 7}
    assert client.get("/numbers/7", headers={"Authorization": "Bearer nonsense"}).status_code == 200
    assert public.__doc__
    assert blueprint().name == "things"
