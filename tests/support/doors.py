"""Six applications in one process, each on a database of its own, with a small college that has walked the road.

Everything gets in by the public API and by events; what time and the workers do is done by calling their verbs.
"""

from __future__ import annotations

import csv
import io
import runpy
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from werkzeug.test import TestResponse

from chassis import waiters
from chassis.clock import today
from chassis.database import all_documents, connect, database, ensure_indexes
from chassis.seal import key_of, key_text
from chassis.sheet.imports import Sheets
from chassis.sheet.jobs import sheet_jobs
from chassis.web.tokens import ALGORITHM, TYPE
from contracts.terms import Role
from portal.assembly import assemble
from portal.identity.tokens.domain import Grant, claims_of
from portal.identity.tokens.mint import Mint
from services.assessment.certificates.sheet import sheets as assessment_sheets
from services.assessment.results.commands import close_due_publicity
from services.creditbank.papers.desk import KEPT as DESK
from services.creditbank.recognition.commands import OUTCOME, settle_again
from services.creditbank.sheets import sheets as creditbank_sheets
from services.enrolment.applications.roster import sheets as enrolment_sheets
from services.enrolment.learners.keyring import Keyring
from services.notify.notices.commands import WAITER, settle_emails
from services.training.completions.sheet import sheets as training_sheets
from tests.chassis.web.servers import serving
from tests.support.campus import SERVICES, Campus, is_of
from tests.unit.enrolment.rosters import ACCOUNTING, identity, student
from tests.unit.portal.conftest import settings as portal_settings

PORTAL = "portal"
APPLICATIONS = (*SERVICES, PORTAL)
TEO, OTHER_TEO = "91110000000000043U", "911100000000000276"
SCHEME = "smart-finance"
FINAL_PLAN, OPEN_PLAN = "SF-2021-A1", "SF-2021-B1"
WEIGHTED = {
    "version": 1, "sessions_from": "2019-04-01", "kind": "weighted", "theory": 40, "practical": 60, "pass_at": 60,
}  # fmt: skip
SCHEME_BODY = {"name": "智能财税", "teo": TEO, "levels": [1, 2, 3], "needs_training": True, "pass_rules": [WEIGHTED]}
PROGRAMME_BODY = {
    "name": ACCOUNTING.name, "entry_years": list(ACCOUNTING.entry_years),
    "credit_points_total": ACCOUNTING.credit_points_total, "code_2021": ACCOUNTING.code_2021,
}  # fmt: skip
TAX = {
    "code": "KJ2105", "name": "税务会计", "credit_points": 400, "kind": "core", "term": 4,
    "modules": [{"code": "KJ2105-2", "name": "个税核算", "credit_points": 200}],
}  # fmt: skip
BASICS = {"code": "KJ2101", "name": "财务大数据基础", "credit_points": 200, "kind": "foundation", "term": 2}
CURRICULUM = {"courses": [BASICS, TAX]}
CLASS_BODY = {
    "scheme": SCHEME, "level": 1, "places": 40, "starts_on": "2020-09-01", "ends_on": "2020-12-01", "class_hours": 48,
}  # fmt: skip
SEATED = range(1, 8)  # approved, trained and registered: from 5 on in the plan whose publicity is open
APPLIED = range(8, 13)  # registered in the roster and waiting for approval
MARKED = range(1, 7)  # with a result
CERTIFIED = range(1, 4)


class InProcessRegister:
    """Enrolment's own match route, asked at enrolment's own database."""

    def __init__(self, doors: Doors, service: str) -> None:
        self._doors, self._service = doors, service

    def match(self, documents: Sequence[tuple[str, str]], purpose: str | None = None) -> list[str | None]:
        body = [{"document_type": kind, "document_number": number} for kind, number in documents]
        found = self._doors.call("enrolment", "POST", "/match", Role.SERVICE, json=body).json
        self._doors.go_to(self._service)
        return [one["learner_id"] for one in found]


@dataclass
class College:
    """Names that exist: learners by their serial number, one of everything else."""

    learners: dict[int, str] = field(default_factory=dict)
    notice: str = ""
    causes: dict[str, str] = field(default_factory=dict)

    @property
    def learner(self) -> str:
        """A learner with an account, a result, a certificate and a mailbox."""
        return self.learners[1]

    def application(self, serial: int) -> str:
        return f"{self.learners[serial]}:{SCHEME}:1"


class Doors:
    """The applications by name, tokens for them, and a college behind them."""

    def __init__(self, mongo_url: str, prefix: str) -> None:
        self.mongo_url, self._stack = mongo_url, ExitStack()
        self.campus = Campus(mongo_url, prefix)
        self.prefix = self.campus.prefix
        self.campus.sweeps = {
            "creditbank": [lambda: waiters.sweep(OUTCOME, settle_again)],
            "assessment": [close_due_publicity],
            "notify": [lambda: waiters.sweep(WAITER, settle_emails)],
        }
        self.college = College()
        self.imports: dict[str, Sheets] = {}
        self.apps = {PORTAL: self._portal()}
        self.mint: Mint = self.apps[PORTAL].extensions["portal.mint"]
        self.apps |= self._services()
        self.clients: dict[str, FlaskClient] = {name: app.test_client() for name, app in self.apps.items()}

    # --- the applications -----------------------------------------------------------------------------------------
    def _portal(self) -> Flask:
        """The portal as it starts; its pages find services that have nothing."""
        elsewhere = self._stack.enter_context(serving(_nothing_here))
        given = portal_settings(self.mongo_url, f"{self.prefix}_portal", demo="1")
        places = {f"{name}_url": elsewhere for name in SERVICES}
        return assemble(msgspec.structs.replace(given, **places))

    def _services(self) -> dict[str, Flask]:
        """The five as their own modules make them, trusting the portal by the keys it publishes."""
        self.trusted = self._stack.enter_context(serving(self.apps[PORTAL]))
        secret = key_text(b"m" * 32)
        given = {
            "MONGO": self.mongo_url, "PORTAL_URL": self.trusted, "CLIENT_SECRET": "secret", "SEAL_KEY": secret,
            "PEPPER": "pepper", "ENROLMENT_URL": "http://127.0.0.1:1", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": "1",
            "MAIL_FROM": "onex@example.cn", "LOG_LEVEL": "ERROR",
            "GUESSES": "1000000 per minute",
        }  # fmt: skip
        made = {}
        with pytest.MonkeyPatch.context() as environment:
            for name, value in given.items():
                environment.setenv(name, value)
            for name in SERVICES:
                self.go_to(name)
                environment.setenv("DATABASE", database().name)
                environment.delitem(sys.modules, module := f"services.{name}.app", raising=False)  # another test's own
                made[name] = runpy.run_module(module)["app"]
                ensure_indexes(*(one for one in all_documents() if is_of(one, name)))
        desk = made["creditbank"].extensions[DESK]
        made["creditbank"].extensions[DESK] = replace(desk, name_of=self._name_of)
        self.imports = {
            "enrolment": enrolment_sheets(Keyring.of(secret, "pepper")),
            "training": training_sheets(InProcessRegister(self, "training"), key_of(secret)),
            "assessment": assessment_sheets(InProcessRegister(self, "assessment"), key_of(secret)),
            "creditbank": creditbank_sheets(InProcessRegister(self, "creditbank"), key_of(secret), 180),
        }
        return made

    def _name_of(self, learner_id: str) -> str:
        """A name by enrolment's own route, asked from the credit bank's desk."""
        more = {"query_string": {"purpose": "credential"}}
        found = self.sound("enrolment", "GET", f"/learners/{learner_id}/particulars", Role.SERVICE, **more)
        self.go_to("creditbank")
        return str(found["name"])

    def go_to(self, application: str) -> None:
        """Stand in one application's database: models know one at a time."""
        connect(self.mongo_url, f"{self.prefix}_{application}")

    def close(self) -> None:
        """Forget everything."""
        self._stack.close()
        self.go_to(PORTAL)
        database().client.drop_database(f"{self.prefix}_{PORTAL}")
        self.campus.drop()

    # --- callers --------------------------------------------------------------------------------------------------
    def token(self, audience: str, role: Role, owns: Mapping[str, Sequence[str]] | None = None) -> str:
        """A token as the portal issues it; a learner and an organisation own themselves."""
        own = self.owns(role) if owns is None else owns
        return self.mint.issue(Grant(f"some-{role}", f"client-{role}", (role,), own), audience)

    def owns(self, role: Role) -> dict[str, list[str]]:
        """What a caller of this role is limited to."""
        mine = {Role.LEARNER: {"learner": [self.college.learners.get(1, "nobody")]}, Role.TEO: {"teo": [TEO]}}
        return mine.get(role, {})

    def forged(self, audience: str, header: Mapping[str, Any], key: Any = None, **claims: Any) -> str:
        """A token of an operator with other claims or another header, signed by the portal's own key unless told."""
        now = int(claims.pop("now"))
        content = claims_of(Grant("chief", "chief", (Role.OPERATOR,), {}), self.mint.name, audience, now)
        kept = {name: value for name, value in (content | claims).items() if value is not None}
        head = {"alg": ALGORITHM, "typ": TYPE, "kid": self.mint._key.kid} | dict(header)
        return jwt.encode(
            {name: value for name, value in head.items() if value is not None},
            kept,
            key or self.mint._key,
            algorithms=[str(head["alg"])],
        )

    def call(
        self,
        application: str,
        method: str,
        path: str,
        role: Role | None = None,
        owns: Mapping[str, Sequence[str]] | None = None,
        **more: Any,
    ) -> TestResponse:
        """One request, as a caller of this role."""
        self.go_to(application)
        headers = dict(more.pop("headers", None) or {})
        if role is not None:
            headers["Authorization"] = f"Bearer {self.token(application, role, owns)}"
        return self.clients[application].open(path, method=method, headers=headers, **more)

    def sound(self, application: str, method: str, path: str, role: Role, **more: Any) -> Any:
        """What a request that must succeed is answered."""
        answer = self.call(application, method, path, role, **more)
        assert 200 <= answer.status_code < 300, (method, path, answer.get_data(as_text=True))
        return answer.get_json(silent=True)

    # --- sheets ---------------------------------------------------------------------------------------------------
    def upload(self, service: str, kind: str, rows: Sequence[Mapping[str, str]], role: Role) -> int:
        """Upload rows and have them previewed; the import's number. Reports to the bank are of the organisation."""
        more = {"data": {"file": (io.BytesIO(sheet_of(rows)), f"{kind}.csv")}}
        query = f"kind={kind}&teo={TEO}" if kind == "certificate-report" else f"kind={kind}"
        number = int(self.sound(service, "POST", f"/imports?{query}", role, **more)["number"])
        self.work(service)
        return number

    def work(self, service: str) -> None:
        """What the service's worker does for its sheets."""
        for _, verb, _ in sheet_jobs(self.imports[service]):
            while verb():
                pass

    def take(self, service: str, kind: str, rows: Sequence[Mapping[str, str]], role: Role) -> int:
        """Upload, preview and commit rows, all of which are sound."""
        number = self.upload(service, kind, rows, role)
        self.sound(service, "POST", f"/imports/{number}/commit", role)
        self.work(service)
        done = self.sound(service, "GET", f"/imports/{number}", role)
        assert (done["state"], done["done"]["new"] + done["done"]["changed"]) == ("committed", len(rows)), done
        self.campus.pump()
        return number


@contextmanager
def open_doors(mongo_url: str) -> Iterator[Doors]:
    """The six applications with a college behind them, for as long as it lasts."""
    doors = Doors(mongo_url, f"doors_{uuid.uuid4().hex[:8]}")
    try:
        found_college(doors)
        yield doors
    finally:
        doors.close()


def _nothing_here(_environ: Any, start_response: Any) -> list[bytes]:
    """A service that has nothing: every address is unknown."""
    start_response("404 NOT FOUND", [("Content-Type", "application/problem+json")])
    return [b'{"type": "about:blank", "title": "Not Found", "status": 404, "code": "not_found", "detail": "nothing"}']


def sheet_of(rows: Sequence[Mapping[str, str]]) -> bytes:
    """Rows as a CSV file."""
    written = io.StringIO()
    writer = csv.DictWriter(written, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue().encode("utf-8-sig")


# --- the college --------------------------------------------------------------------------------------------------
def found_college(doors: Doors) -> None:
    """The annex, then the road from a roster to the mailbox."""
    _annex(doors)
    _enrol(doors)
    _train_and_register(doors)
    _examine(doors)
    _machines(doors)


def _annex(doors: Doors) -> None:
    def put(service: str, path: str, body: Any) -> None:
        doors.sound(service, "PUT", path, Role.OPERATOR, json=body)

    put("enrolment", f"/programmes/{ACCOUNTING.code}", PROGRAMME_BODY)
    put("enrolment", f"/programmes/{ACCOUNTING.code}/curricula/2019", CURRICULUM)
    for year in (2021, today().year):
        put("enrolment", f"/calendar/{year}", {"holidays": [f"{year}-01-01"], "made_up_days": []})
    put("assessment", f"/teos/{TEO}", {"name": "中联集团教育科技有限公司", "aliases": ["中联"]})
    put("assessment", f"/teos/{OTHER_TEO}", {"name": "济南阳光大姐服务有限责任公司"})
    put("assessment", f"/schemes/{SCHEME}", SCHEME_BODY)
    for plan, days in ((FINAL_PLAN, 0), (OPEN_PLAN, 5)):
        body = {"scheme": SCHEME, "level": 1, "session_date": "2021-01-09", "quota": 400, "publicity_days": days}
        put("assessment", f"/teos/{TEO}/plans/{plan}", body)
    put("training", "/classes/C1", CLASS_BODY)
    for level in (1, 2, 3):
        rule = {"credit_points": 200 * level, "sessions_from": "2019-04-01", "is_folklore_default": True}
        put("creditbank", f"/recognition-rules/{SCHEME}/{level}", rule)
    doors.campus.pump()


def _enrol(doors: Doors) -> None:
    college = doors.college
    everybody = [student(serial) for serial in (*SEATED, *APPLIED)]
    number = doors.take("enrolment", "roster", everybody, Role.REGISTRY)
    college.causes["enrolment"] = f"import:enrolment:{number}:2"
    for serial in (*SEATED, *APPLIED):
        path = f"/learners?student_number={student(serial)['学号']}"
        [found] = doors.sound("enrolment", "GET", path, Role.REGISTRY)["items"]
        college.learners[serial] = found["learner_id"]
    wanted = [{"application_id": college.application(serial)} for serial in SEATED]
    judged = doors.sound("enrolment", "POST", "/applications/approvals", Role.REGISTRY, json=wanted)
    assert {one["status"] for one in judged} == {"accepted"}, judged
    doors.campus.pump()


def _train_and_register(doors: Doors) -> None:
    completed = [_person(serial) | {"证书名称": "智能财税", "等级": "初级", "培训结果": "合格"} for serial in SEATED]
    number = doors.take("training", "completion", completed, Role.TRAINER)
    doors.college.causes["training"] = f"import:training:{number}:2"
    candidates = [
        {"考核计划": FINAL_PLAN if serial < 5 else OPEN_PLAN, "准考证号": f"A{serial}"} | _person(serial)
        for serial in SEATED
    ]
    doors.take("assessment", "candidates", candidates, Role.EXAM_OFFICE)


def _person(serial: int) -> dict[str, str]:
    one = student(serial)
    return {"姓名": one["姓名"], "证件类型": "居民身份证", "证件号码": identity(serial)}


def _examine(doors: Doors) -> None:
    college = doors.college
    for plan in (FINAL_PLAN, OPEN_PLAN):
        marks = [marked(serial) for serial in MARKED if (serial < 5) == (plan == FINAL_PLAN)]
        judged = doors.sound("assessment", "POST", f"/teos/{TEO}/plans/{plan}/results", Role.TEO, json=marks)
        assert {one["status"] for one in judged} == {"accepted"}, judged
    doors.campus.pump()
    certificates = [
        _person(serial)
        | {"证书名称": "智能财税", "职业技能等级": "初级", "准考证号": f"A{serial}"}
        | {"证书编号": f"N{serial}", "发证日期": "2021-02-01"}
        for serial in CERTIFIED
    ]
    number = doors.take("assessment", "certificates", certificates, Role.TEO)
    college.causes["assessment"] = f"import:assessment:{number}:2"
    learner = college.learner
    entries = doors.sound("creditbank", "GET", f"/accounts/{learner}/entries", Role.AUDITOR)["items"]
    notices = doors.sound("notify", "GET", f"/mailboxes/{learner}/notices", Role.LEARNER)["items"]
    assert len(entries) > 1
    assert len(notices) > 2
    college.causes["creditbank"] = entries[-1]["cause"]
    college.causes["notify"], college.notice = notices[0]["cause"], notices[0]["id"]


def marked(serial: int) -> dict[str, Any]:
    """A result that passes."""
    return {"admission_number": f"A{serial}", "theory": 80, "practical": 70, "as_of": "2021-01-09T18:00:00+08:00"}


def _machines(doors: Doors) -> None:
    doors.sound(PORTAL, "PUT", "/clients/some-machine", Role.OPERATOR, json={"roles": ["auditor"]})
    user = {"password": "eight-or-more", "roles": ["learner"], "owns": {"learner": [doors.college.learner]}}
    doors.sound(PORTAL, "PUT", "/users/learner", Role.OPERATOR, json=user)
