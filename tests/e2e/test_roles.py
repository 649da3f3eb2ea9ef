"""Every route and every role: exactly what the access table says, and no token but a good one opens anything."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from flask.testing import FlaskClient
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from chassis.database import database
from chassis.web.access import access_table
from contracts.terms import Role
from portal.identity.demo import PASSWORD
from tests.support.doors import APPLICATIONS, FINAL_PLAN, OPEN_PLAN, OTHER_TEO, PORTAL, SERVICES, TEO, Doors, open_doors
from tests.support.sound import Asked, asked_of, previewed

PLUMBING = {"/metrics", "/openapi.json", "/docs"}
PARAMETER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
Line = tuple[str, str, list[str]]
STRANGERS: dict[Role, Mapping[str, list[str]]] = {Role.LEARNER: {"learner": ["nobody"]}, Role.TEO: {"teo": [OTHER_TEO]}}
COLLEGE_IMPORTER = {
    "enrolment": Role.REGISTRY,
    "training": Role.REGISTRY,
    "assessment": Role.EXAM_OFFICE,
    "creditbank": Role.REGISTRY,
}
A_DEPARTMENT = {"department": ["别的系"]}


@pytest.fixture(scope="module")
def doors(mongo_url: str) -> Iterator[Doors]:
    with open_doors(mongo_url) as made:
        yield made


def lines_of(doors: Doors, application: str) -> list[Line]:
    """The table's lines for routes that take tokens: (method, route as OpenAPI spells it, cells)."""
    table = access_table(doors.apps[application], Role)
    spelt = [(method, PARAMETER.sub(r"{\1}", rule), cells) for method, rule, cells in table]
    written = doors.apps[application].extensions["onex.openapi"]["paths"]
    return [line for line in spelt if line[1] in PLUMBING or line[0].lower() in written.get(line[1], {})]


def cells_of(doors: Doors, application: str) -> Iterator[tuple[Line, Role, str]]:
    """Each line with each role and what it says of it: yes, own or college, perhaps with person, or nothing."""
    for line in lines_of(doors, application):
        for role, cell in zip(Role, line[2][1:], strict=True):
            yield line, role, cell


def said(doors: Doors, application: str, word: str) -> Iterator[tuple[Line, Role]]:
    """Each line with each role of which it says this."""
    for line, role, cell in cells_of(doors, application):
        if word in cell.split(", "):
            yield line, role


def ask(doors: Doors, application: str, line: Line, asked: Asked, token: str | None) -> TestResponse:
    """One request of a line of the table."""
    method, route, _ = line
    more: dict[str, Any] = {"query_string": dict(asked.query)}
    if asked.media_type == "application/json":
        more["json"] = asked.body
    elif asked.media_type:
        more["data"] = {name: as_field(value) for name, value in asked.body.items()}
        more["content_type"] = asked.media_type
    own_scheme = route == "/oauth/token"  # there, Authorization is the client's own
    headers = {"Authorization": f"Bearer {token}"} if token and not own_scheme else {}
    return doors.call(application, method, route.format(**asked.path), headers=headers, **more)


def as_field(value: Any) -> Any:
    return (io.BytesIO(value), "sheet.csv") if isinstance(value, bytes) else value


def sound(doors: Doors, application: str, line: Line, role: Role) -> Asked:
    """A sound request for a line, made ready for a role that is let in."""
    return Asked() if line[1] in PLUMBING else asked_of(doors, application, line[0], line[1], role)


def welcome(line: Line) -> Role:
    """A role the line lets in."""
    return next(role for role, cell in zip(Role, line[2][1:], strict=True) if cell)


def code_of(answer: TestResponse) -> tuple[int, str | None]:
    return answer.status_code, (answer.get_json(silent=True) or {}).get("code")


@pytest.mark.parametrize("application", APPLICATIONS)
def test_without_a_good_token_every_route_that_asks_for_one_answers_401(doors: Doors, application: str) -> None:
    tokens = {
        None: "token_missing",
        doors.forged(application, {}, now=time.time() - 301): "token_expired",
        doors.token("elsewhere", Role.OPERATOR): "wrong_audience",
    }
    for line, token in ((line, token) for line in lines_of(doors, application) for token in tokens):
        answer = ask(doors, application, line, sound(doors, application, line, welcome(line)), token)
        if line[2][0]:
            assert 200 <= answer.status_code < 300, (line, code_of(answer))
        else:
            assert code_of(answer) == (401, tokens[token]), line
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("application", APPLICATIONS)
def test_each_role_gets_exactly_what_the_table_says(doors: Doors, application: str) -> None:
    for line, role, cell in cells_of(doors, application):
        asked = sound(doors, application, line, role if cell else welcome(line))
        answer = ask(doors, application, line, asked, doors.token(application, role))
        if cell:
            assert 200 <= answer.status_code < 300, (line, role, code_of(answer))
        else:
            assert code_of(answer) == (403, "role_not_allowed"), (line, role)


@pytest.mark.parametrize("application", APPLICATIONS)
def test_what_is_anothers_is_closed_to_whoever_is_limited(doors: Doors, application: str) -> None:
    for line, role in said(doors, application, "own"):
        owner = COLLEGE_IMPORTER[application] if "/imports" in line[1] else role
        stranger = doors.token(application, role, STRANGERS.get(role, A_DEPARTMENT))
        answer = ask(doors, application, line, sound(doors, application, line, owner), stranger)
        assert code_of(answer) == (403, "outside_your_scope"), (line, role)


@pytest.mark.parametrize("application", APPLICATIONS)
def test_what_concerns_the_whole_college_is_closed_to_whoever_is_limited(doors: Doors, application: str) -> None:
    for line, role in said(doors, application, "college"):
        asked = sound(doors, application, line, role)
        for limits in (A_DEPARTMENT, {"college": ["11062"]}, {"department": []}):
            answer = ask(doors, application, line, asked, doors.token(application, role, limits))
            assert code_of(answer) == (403, "outside_your_scope"), (line, role, limits)


@pytest.mark.parametrize("application", APPLICATIONS)
def test_what_a_person_decides_is_closed_to_machines(doors: Doors, application: str) -> None:
    for line, role in said(doors, application, "person"):
        asked = sound(doors, application, line, role)
        answer = ask(doors, application, line, asked, doors.machine_token(application, role))
        assert code_of(answer) == (403, "person_needed"), (line, role)
        answer = ask(doors, application, line, asked, doors.token(application, role))
        assert 200 <= answer.status_code < 300, (line, role, code_of(answer))


# Which changes no machine may make: whoever adds one says so here, and in ADR 22.
OF_PERSONS = {
    ("enrolment", "POST", "/merges"),
    ("creditbank", "PUT", "/conversion-policies/{code}/versions/{version}/approval"),
    ("creditbank", "PUT", "/conversion-policies/{code}/versions/{version}/publication"),
    ("creditbank", "PUT", "/conversion-rules/{code}/versions/{version}/approval"),
    ("creditbank", "PUT", "/conversion-rules/{code}/versions/{version}/publication"),
    ("creditbank", "DELETE", "/conversion-rules/{code}/versions/{version}/publication"),
    ("creditbank", "POST", "/conversion-decisions"),
    ("creditbank", "POST", "/conversion-undos"),
    ("creditbank", "POST", "/conversion-delegations"),
    ("creditbank", "PUT", "/conversion-delegations/{delegation}/revocation"),
    ("creditbank", "PUT", "/accounts/{learner_id}/forgotten-exemptions/{application}/void"),
    ("creditbank", "PUT", "/exemption-voids/{application}/approval"),
    ("creditbank", "POST", "/discrepancy-approvals"),
    ("creditbank", "POST", "/recognition-proposals/{number}/approvals"),
    ("creditbank", "POST", "/recognition-proposals/{number}/enactment"),
    ("training", "PUT", "/excuse-rules/{code}/versions/{version}/approval"),
    ("training", "PUT", "/excuse-rules/{code}/versions/{version}/publication"),
    ("training", "DELETE", "/excuse-rules/{code}/versions/{version}/publication"),
}
# Changes whose owner stands in no address: each item, or what it names, is judged by the view.
JUDGED_INSIDE = {
    ("enrolment", "POST", "/applications/approvals"),
    ("enrolment", "POST", "/applications/withdrawals"),
    ("assessment", "POST", "/results/{result_id}/corrections"),
    ("assessment", "POST", "/results/{result_id}/annulments"),
    ("creditbank", "POST", "/conversion-decisions"),
    ("creditbank", "POST", "/conversion-undos"),
    ("creditbank", "POST", "/conversion-delegations"),
    ("creditbank", "PUT", "/conversion-delegations/{delegation}/revocation"),
    ("creditbank", "POST", "/outcomes"),
    *((name, "POST", "/imports") for name in COLLEGE_IMPORTER),  # each kind of sheet says whom it is for
}


def test_the_decisions_of_persons_are_these(doors: Doors) -> None:
    found = {(name, *line[:2]) for name in APPLICATIONS for line, _ in said(doors, name, "person")}
    assert found == OF_PERSONS


def test_every_change_is_closed_to_whoever_is_limited_elsewhere(doors: Doors) -> None:
    unlimited = {
        (name, *line[:2])
        for name in APPLICATIONS
        for line, role, cell in cells_of(doors, name)
        if line[0] != "GET" and not line[2][0] and role is not Role.SERVICE and cell.split(", ")[0] == "yes"
    }
    assert unlimited == JUDGED_INSIDE


def test_what_a_view_finds_out_itself_is_closed_to_strangers(doors: Doors) -> None:
    """Routes whose owner is known only once the row is read, or is named in the query."""
    learner, result = doors.college.learner, f"{TEO}:{FINAL_PLAN}:A1:1"
    for role, path in (
        (Role.LEARNER, f"/results?learner_id={learner}"),
        (Role.LEARNER, f"/certificates?learner_id={learner}"),
        (Role.LEARNER, f"/results/{result}"),
        (Role.TEO, f"/results/{result}"),
    ):
        answer = doors.call("assessment", "GET", path, role, STRANGERS[role])
        assert code_of(answer) == (403, "outside_your_scope"), (role, path)
    assert doors.call("assessment", "GET", f"/results/{result}", Role.LEARNER).status_code == 200


def test_lists_hold_only_what_is_the_callers_own(doors: Doors) -> None:
    previewed(doors, Role.TEO, "assessment")
    for path in ("/plans", "/imports"):
        assert doors.sound("assessment", "GET", path, Role.TEO)["items"]
        assert doors.sound("assessment", "GET", path, Role.TEO, owns=STRANGERS[Role.TEO])["items"] == []
    assert doors.sound("enrolment", "GET", "/applications", Role.DEPARTMENT)["items"]
    assert doors.sound("enrolment", "GET", "/applications", Role.DEPARTMENT, owns=A_DEPARTMENT)["items"] == []
    body = [{"application_id": doors.college.application(12)}]
    [judged] = doors.sound(
        "enrolment", "POST", "/applications/approvals", Role.DEPARTMENT, owns=A_DEPARTMENT, json=body
    )
    assert (judged["status"], judged["code"]) == ("refused", "other_department")


def test_a_kind_of_sheet_is_closed_to_roles_it_does_not_name(doors: Doors) -> None:
    refused = doors.call("assessment", "GET", "/sheets/candidates/template.xlsx", Role.TEO)
    assert code_of(refused) == (403, "role_not_allowed")
    shown = doors.sound("assessment", "GET", "/sheets", Role.TEO)["items"]
    assert {one["kind"] for one in shown} == {"results", "certificates"}


# --- tokens that are not good ------------------------------------------------------------------------------------
def part(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Header, claims and signature of a token."""
    head, body, signature = token.split(".")
    header, claims = (json.loads(base64.urlsafe_b64decode(one + "==")) for one in (head, body))
    return header, claims, signature


def unsigned(doors: Doors, good: str) -> str:
    header, claims, _ = parts_of(good)
    return f"{part(header | {'alg': 'none'})}.{part(claims)}."


def unsigned_with_its_signature(doors: Doors, good: str) -> str:
    header, claims, signature = parts_of(good)
    return f"{part(header | {'alg': 'none'})}.{part(claims)}.{signature}"


def signed_with_the_public_key(doors: Doors, good: str) -> str:
    """HS256 with what everybody may read as the secret: what a careless verifier takes."""
    header, claims, _ = parts_of(good)
    text = f"{part(header | {'alg': 'HS256'})}.{part(claims)}"
    public = doors.mint._key.as_pem(private=False)
    return f"{text}.{part(hmac.digest(public, text.encode(), hashlib.sha256))}"


def altered(doors: Doors, good: str) -> str:
    header, claims, signature = parts_of(good)
    return f"{part(header)}.{part(claims | {'roles': ['service']})}.{signature}"


def claiming(header: Mapping[str, Any] | None = None, **claims: Any) -> Callable[[Doors, str], str]:
    """The portal's own signature under other claims or another header; times are in seconds from now."""

    def make(doors: Doors, good: str) -> str:
        audience, now = parts_of(good)[1]["aud"], int(time.time())
        timed = {name: now + value if isinstance(value, int) else value for name, value in claims.items()}
        return doors.forged(audience, header or {}, now=now, **timed)

    return make


def of_another_key(doors: Doors, good: str) -> str:
    header, claims, _ = parts_of(good)
    return doors.forged(claims["aud"], header, key=ECKey.generate_key("P-256"), now=time.time())


def with_its_own_key(doors: Doors, good: str) -> str:
    """A stranger's key in the header, for a verifier that takes the key it is handed."""
    stranger = ECKey.generate_key("P-256")
    header = {"jwk": stranger.as_dict(private=False)}
    return doors.forged(parts_of(good)[1]["aud"], header, key=stranger, now=time.time())


def with_an_extension_nobody_knows(doors: Doors, good: str) -> str:
    """Signed soundly, but whoever does not know the extension must refuse it (RFC 7515, 4.1.11)."""
    header, claims, _ = parts_of(good)
    text = f"{part(header | {'crit': ['onex'], 'onex': 1})}.{part(claims)}"
    signed = doors.mint._key.get_op_key("sign").sign(text.encode(), ec.ECDSA(hashes.SHA256()))
    return f"{text}.{part(b''.join(one.to_bytes(32) for one in decode_dss_signature(signed)))}"


BAD: dict[str, Callable[[Doors, str], str]] = {
    "alg none": unsigned,
    "alg none, signed": unsigned_with_its_signature,
    "HS256 with the public key": signed_with_the_public_key,
    "altered": altered,
    "another key under our kid": of_another_key,
    "its own key in the header": with_its_own_key,
    "unknown kid": claiming({"kid": "somebody"}),
    "no kid": claiming({"kid": None}),
    "typ JWT": claiming({"typ": "JWT"}),
    "no typ": claiming({"typ": None}),
    "another issuer": claiming(iss="http://evil.test"),
    "no issuer": claiming(iss=None),
    "two audiences": claiming(aud=["enrolment", "portal"]),
    "no audience": claiming(aud=None),
    "expired": claiming(exp=-1),
    "never expires": claiming(exp=None),
    "expires as text": claiming(exp="never"),
    "not yet valid": claiming(nbf=3600),
    "issued in the future": claiming(iat=3600),
    "roles as text": claiming(roles="operator"),
    "no roles": claiming(roles=None),
    "owns as a list": claiming(owns=["teo"]),
    "critical extension": with_an_extension_nobody_knows,
    "garbage": lambda *_: "x.y.z",
    "not ASCII": lambda *_: "令牌",
    "one part": lambda *_: "x",
    "five parts": lambda *_: "a.b.c.d.e",
    "long": lambda _, good: good + "A" * 9_000,
    "twice": lambda _, good: f"{good}, Bearer {good}",
    "cut": lambda _, good: good[:-5],
    "a trailing dot": lambda _, good: good + ".",
}


@pytest.mark.parametrize("application", ["enrolment", PORTAL])
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_token_opens_nothing(doors: Doors, application: str, kind: str) -> None:
    path = "/audit" if application == PORTAL else "/flow"
    good = doors.token(application, Role.OPERATOR)
    assert doors.call(application, "GET", path, headers={"Authorization": f"Bearer {good}"}).status_code == 200
    bearer = f"Bearer {BAD[kind](doors, good)}".encode().decode("latin-1")
    answer = doors.call(application, "GET", path, headers={"Authorization": bearer})
    assert answer.status_code == 401, kind
    assert answer.json["code"] in {"token_invalid", "token_expired", "wrong_audience"}
    assert answer.content_type == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="onex", error="invalid_token"'


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic YTpi", "bearer\tx", "Token x"])
def test_what_is_no_bearer_token_is_none(doors: Doors, value: str) -> None:
    answer = doors.call("enrolment", "GET", "/flow", headers={"Authorization": value})
    assert code_of(answer) == (401, "token_missing")


def test_two_authorization_headers_open_nothing(doors: Doors) -> None:
    good = f"Bearer {doors.token('enrolment', Role.OPERATOR)}"
    doors.go_to("enrolment")
    both = [("Authorization", good), ("Authorization", good)]
    assert doors.clients["enrolment"].get("/flow", headers=both).status_code == 401


def test_a_token_in_the_query_or_the_body_is_none(doors: Doors) -> None:
    good = doors.token("enrolment", Role.OPERATOR)
    assert doors.call("enrolment", "GET", f"/flow?access_token={good}").status_code == 401


# --- pages: a person with a session ------------------------------------------------------------------------------
PEOPLE = {role: role.value.replace("_", "-") for role in Role if role is not Role.SERVICE}
PLACES = {
    "learner_id": "x", "service": "enrolment", "kind": "roster", "number": "1", "teo": TEO, "plan": OPEN_PLAN,
    "notice_id": "x", "result_id": "x", "chosen": "en", "cause": "x", "letter_id": "x",
    "credential": "1:1", "code": "x", "application": "x",
    "version": "1", "deed": "approve", "subject": "rule", "delegation": "d", "form": "xlsx",
}  # fmt: skip


def pages_of(doors: Doors) -> list[Line]:
    """The table's lines for pages: what has no place in the OpenAPI document."""
    table = access_table(doors.apps[PORTAL], Role)
    spelt = [(method, PARAMETER.sub(r"{\1}", rule), cells) for method, rule, cells in table]
    written = doors.apps[PORTAL].extensions["onex.openapi"]["paths"]
    return [line for line in spelt if line[1] not in PLUMBING and line[0].lower() not in written.get(line[1], {})]


def visit(browser: FlaskClient, line: Line, form: Mapping[str, str] | None = None) -> TestResponse:
    return browser.open(line[1].format(**PLACES), method=line[0], data=form or None)


def is_sent_to_sign_in(answer: TestResponse) -> bool:
    return answer.status_code in {302, 303} and answer.headers["Location"].startswith("/sign-in")


def test_pages_for_somebody_send_a_stranger_to_sign_in(doors: Doors) -> None:
    doors.go_to(PORTAL)
    closed = [line for line in pages_of(doors) if not line[2][0]]
    assert len(closed) > 10
    for line in closed:
        assert is_sent_to_sign_in(visit(doors.apps[PORTAL].test_client(), line)), line
        token = {"Authorization": f"Bearer {doors.token(PORTAL, welcome(line))}"}
        assert is_sent_to_sign_in(doors.call(PORTAL, line[0], line[1].format(**PLACES), headers=token)), line


@pytest.mark.parametrize("role", PEOPLE)
def test_each_page_opens_for_the_roles_the_table_names(doors: Doors, role: Role) -> None:
    doors.go_to(PORTAL)
    browser = doors.apps[PORTAL].test_client()
    password = "eight-or-more" if role is Role.LEARNER else PASSWORD
    entered = browser.post("/sign-in", data={"name": PEOPLE[role], "password": password})
    assert entered.status_code == 302, entered.get_data(as_text=True)
    session = database()["sessions"].find_one({"user": PEOPLE[role]})
    assert session is not None
    for line in (line for line in pages_of(doors) if not line[2][0]):
        answer = visit(browser, line, {"csrf_token": session["csrf"]} if line[0] == "POST" else None)
        if line[2][1 + list(Role).index(role)]:
            assert answer.status_code not in {401, 403}, (line, role)
            assert not is_sent_to_sign_in(answer), (line, role)
        else:
            assert answer.status_code == 403, (line, role)


def test_no_page_lets_a_service_in(doors: Doors) -> None:
    column = 1 + list(Role).index(Role.SERVICE)
    assert not [line for line in pages_of(doors) if line[2][column] and not line[2][0]]


def test_the_walk_knows_every_route(doors: Doors) -> None:
    walked = {name: len(lines_of(doors, name)) for name in APPLICATIONS}
    tables = {name: len(access_table(app, Role)) for name, app in doors.apps.items()}
    assert {name: walked[name] for name in SERVICES} == {name: tables[name] for name in SERVICES}
    assert walked[PORTAL] + len(pages_of(doors)) == tables[PORTAL]
