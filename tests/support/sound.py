"""A sound request for every operation of the six applications, made of what the college has or is given for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from chassis import clock
from chassis.bus import outbox
from chassis.bus.dead_letters import bury
from chassis.database import database, run_transaction
from chassis.errors import Defect
from chassis.sheet import saving
from contracts.creditbank import ExemptionGranted
from contracts.terms import Level, Role
from portal.identity.machines.domain import derived_secret
from services.creditbank.conversion.deciding import release_decisions
from services.creditbank.conversion.delegations import DELEGATED, MOST_DAYS
from services.creditbank.conversion.voiding import propose_void
from services.creditbank.jobs import rerate_some
from services.creditbank.proposals.commands import simulate_some
from services.creditbank.reconciliation.commands import compare_some
from services.creditbank.simulations.commands import simulate_some as simulate_conversions
from services.creditbank.tables import TABLES
from tests.support.doors import (
    CLASS_BODY,
    CURRICULUM,
    FINAL_PLAN,
    OPEN_PLAN,
    PORTAL,
    PROGRAMME_BODY,
    SCHEME,
    SCHEME_BODY,
    TEO,
    Doors,
    marked,
    sheet_of,
)
from tests.unit.enrolment.rosters import identity, student
from tests.unit.portal.conftest import CLIENTS_KEY

KINDS = {"enrolment": "roster", "training": "completion", "assessment": "results", "creditbank": "outcomes"}
LICENCE = {
    "external_id": "L-1",
    "kind": "licence",
    "code": "electrician",
    "title": "电工",
    "level": "四级",
    "day": "2021-01-09",
    "state": "final",
    "as_of": "2021-01-12T08:00:00+08:00",
}
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """What goes into one request."""

    path: Values = field(default_factory=dict)
    query: Values = field(default_factory=dict)
    body: Any = None
    media_type: str = ""


Recipe = Callable[[Doors, Role, str], Asked]


def asked_of(doors: Doors, application: str, method: str, route: str, role: Role) -> Asked:
    """A sound request for an operation, by OpenAPI's spelling of its route."""
    recipe = RECIPES.get((application, method, route)) or COMMON[method, route]
    return recipe(doors, role, application)


def _plain(_doors: Doors, _role: Role, _application: str) -> Asked:
    return Asked()


def _path(**values: str | int) -> Recipe:
    return lambda _doors, _role, _name: Asked(values)


def _put(body: Any, **values: str | int) -> Recipe:
    return lambda _doors, _role, _name: Asked(values, body=body, media_type="application/json")


def _learner(doors: Doors, _role: Role, _application: str) -> Asked:
    return Asked({"learner_id": doors.college.learner})


def _of_learner(doors: Doors, _role: Role, _application: str) -> Asked:
    return Asked(query={"learner_id": doors.college.learner})


def _of_cohort(_doors: Doors, _role: Role, _application: str) -> Asked:
    return Asked(query={"programme": "630302", "entry_year": 2019, "term": "2020-2021-2"})


def _posted(make: Callable[[Doors], Any], query: Values | None = None, **values: str) -> Recipe:
    return lambda doors, _role, _name: Asked(values, query or {}, make(doors), "application/json")


def rows_of(doors: Doors, application: str) -> list[dict[str, str]]:
    """Rows that this service's sheet can read."""
    person = {name: student(1)[name] for name in ("姓名", "证件类型")} | {"证件号码": identity(1)}
    return {
        "enrolment": [dict(student(1))],
        "training": [person | {"证书名称": "智能财税", "等级": "初级", "培训结果": "合格"}],
        "assessment": [
            {"考核计划": OPEN_PLAN, "准考证号": "A7", "理论成绩": "90", "实操成绩": "90", "数据时间": "2021-01-09"}
        ],
        "creditbank": [
            person
            | {
                "成果编号": "L-2",
                "成果类别": "职业资格证书",
                "成果代码": "electrician",
                "成果名称": "电工",
                "等级": "五级",
            }
            | {"取得日期": "2021-01-09", "状态": "有效"}
        ],
    }[application]


def report_rows() -> list[dict[str, str]]:
    """What a TEO reports of a certificate whose date differs here."""
    person = {name: student(1)[name] for name in ("姓名", "证件类型")} | {"证件号码": identity(1)}
    return [person | {"证书名称": "智能财税", "职业技能等级": "初级", "证书编号": "N1", "发证日期": "2021-02-02"}]


def previewed(doors: Doors, role: Role, application: str) -> int:
    """A fresh import of the caller's own, previewed."""
    number = doors.upload(application, KINDS[application], rows_of(doors, application), role)
    doors.go_to(application)
    return number


def _import(doors: Doors, role: Role, application: str) -> Asked:
    return Asked({"number": previewed(doors, role, application)})


def _upload(doors: Doors, _role: Role, application: str) -> Asked:
    content = sheet_of(rows_of(doors, application))
    return Asked({}, {"kind": KINDS[application]}, {"file": content}, "multipart/form-data")


def _template(_doors: Doors, _role: Role, application: str) -> Asked:
    return Asked({"kind": KINDS[application]})


def _credential(doors: Doors, _role: Role, _application: str) -> Asked:
    """A credential of the learner's, asked for if there is none."""
    path = f"/accounts/{doors.college.learner}/credentials"
    made = doors.sound("creditbank", "POST", path, Role.REGISTRY, json={"result_id": PASSED})
    return Asked({"learner_id": doors.college.learner, "credential": made["credential"]})


def _life(doors: Doors, _role: Role, application: str) -> Asked:
    return Asked({"cause": doors.college.causes[application]})


def _letter(doors: Doors, _role: Role, application: str) -> Asked:
    return Asked({"letter_id": buried(doors, application)})


def _letters(more: Values) -> Recipe:
    return lambda doors, _role, name: Asked(body={"ids": [buried(doors, name)], **more}, media_type="application/json")


def buried(doors: Doors, application: str) -> str:
    """A dead letter of a record that is no event."""
    doors.go_to(application)
    run_transaction(lambda: bury("onex.enrolment.v1:0", 7, [], b"no event", Defect("KeyError: 'ce_id'")))
    return "onex.enrolment.v1:0|7"


def _document(_doors: Doors) -> Any:
    return [{"document_type": "resident", "document_number": identity(1)}]


def _secret(doors: Doors, _role: Role, _application: str) -> Asked:
    """A machine of its own, without a secret yet."""
    doors.sound(PORTAL, "PUT", "/clients/another-machine", Role.OPERATOR, json={"roles": ["auditor"]})
    shown = doors.sound(PORTAL, "GET", "/clients/another-machine", Role.OPERATOR)
    for one in shown["secrets"]:
        doors.sound(PORTAL, "DELETE", f"/clients/another-machine/secrets/{one['number']}", Role.OPERATOR)
    return Asked({"client_id": "another-machine"})


def _made_secret(doors: Doors, role: Role, application: str) -> Asked:
    path = dict(_secret(doors, role, application).path)
    number = doors.sound(PORTAL, "POST", "/clients/another-machine/secrets", Role.OPERATOR)["number"]
    return Asked(path | {"number": number})


def _token(_doors: Doors, _role: Role, _application: str) -> Asked:
    form = {"grant_type": "client_credentials", "audience": "notify", "client_id": "notify"}
    secret = derived_secret(CLIENTS_KEY, "notify")
    return Asked(body=form | {"client_secret": secret}, media_type="application/x-www-form-urlencoded")


def proposed(doors: Doors) -> int:
    """A proposal to move outcomes to the version that there is."""
    body = {"rerate": {"targets": [{"scheme": SCHEME, "level": 1, "version": 1}]}}
    return int(doors.sound("creditbank", "POST", "/recognition-proposals", Role.REGISTRY, json=body)["number"])


def simulated(doors: Doors) -> int:
    """A proposal that has been simulated."""
    number = proposed(doors)
    doors.sound("creditbank", "POST", f"/recognition-proposals/{number}/simulations", Role.REGISTRY)
    doors.go_to("creditbank")
    while simulate_some():
        pass
    return number


def agreed(doors: Doors) -> int:
    """A proposal that two have approved, while no outcomes are being moved by another."""
    number = simulated(doors)
    while rerate_some():
        pass
    for role in (Role.REGISTRY, Role.OPERATOR):
        place = f"/recognition-proposals/{number}/approvals"
        doors.sound("creditbank", "POST", place, role, json={"simulation": 1})
    return number


def _numbered(make: Callable[[Doors], int], body: Any = None) -> Recipe:
    media_type = "application/json" if body else ""
    return lambda doors, _role, _name: Asked({"number": make(doors)}, body=body, media_type=media_type)


PROPOSAL = {
    "version": {
        "scheme": SCHEME,
        "level": 2,
        "credit_points": 300,
        "sessions_from": "2021-01-01",
        "sessions_until": "2030-12-31",
        "policy": {"code": "P1", "title": "学分认定办法", "number": "1"},
    }
}
MOVING = {"rerate": {"targets": [{"scheme": SCHEME, "level": 2, "version": 1}]}}
PLAN = {"scheme": SCHEME, "level": 1, "session_date": "2021-01-09", "quota": 400, "publicity_days": 5}
RULE = {"credit_points": 200, "sessions_from": "2019-04-01", "is_folklore_default": True}
AT_PLAN = {"teo": TEO, "plan": OPEN_PLAN}
RESULT = f"{TEO}:{FINAL_PLAN}:A4:1"
MARK = {
    "student_number": student(2)["学号"], "course": "KJ2105", "term": "2020-2021-1", "mark": 86,
    "as_of": "2021-01-20T12:00:00+08:00",
}  # fmt: skip
COURSE_RESULT = f"{student(2)['学号']}:KJ2105:2020-2021-1"
PASSED = f"{TEO}:{FINAL_PLAN}:A1:1"

EVER = {"valid_from": "2021-01-01", "valid_until": "2199-12-31"}
WINDOW = {"term": "2020-2021-2", "opens_on": EVER["valid_from"], "closes_on": EVER["valid_until"]}
POLICY = EVER | {"title": "学分转换办法", "issued_on": "2020-12-01", "windows": [WINDOW], "undo_minutes": 0}
DEFAULT_POLICY = POLICY | {"is_folklore_default": True}  # in force at once
EXCUSE_RULE = {"basis": "学分互认办法第八条", "scheme": SCHEME, "level": 1, "programme": "630302", "entry_year": 2019}
EXCUSE_RULE |= {"course": "KJ2105", "valid_from": "2019-09-01", "valid_until": "2030-08-31"}
TARGETS = [{"course": "KJ2101", "credit_points": 200}, {"course": "KJ2105", "module": "KJ2105-2", "credit_points": 200}]
CONVERSION = EVER | {"policy": "measures", "programme": "630302", "entry_year": 2019, "scheme": SCHEME, "levels": [1]}
CONVERSION |= {"targets": TARGETS}
BANK = "creditbank"
TIMES = count(1)
FORGETFUL = 12  # the learner whose exemptions are forgotten; nobody files for them


def converting(state: str) -> Recipe:
    """A version of a conversion rule in a state, of a rule of its own for each role."""

    def recipe(doors: Doors, role: Role, _application: str) -> Asked:
        code = f"{state}-{role}".replace("_", "-")
        doors.sound("creditbank", "PUT", "/conversion-policies/measures", Role.OPERATOR, json=DEFAULT_POLICY)
        body = CONVERSION | {"programme": code, "note": f"asked the {next(TIMES)}. time"}  # another version each time
        path = f"/conversion-rules/{code}"
        version = doors.sound("creditbank", "PUT", path, Role.OPERATOR, json=body)["version"]
        at = f"{path}/versions/{version}"
        simulation = tried(doors, rule={"code": code, "version": version})
        if state != "draft":
            for approver in (Role.OPERATOR, Role.REGISTRY):
                doors.sound("creditbank", "PUT", f"{at}/approval", approver)
        if state == "published":
            doors.sound("creditbank", "PUT", f"{at}/publication", Role.OPERATOR)
        return Asked({"code": code, "version": version}, {"simulation": simulation} if state == "draft" else {})

    return recipe


def ruling(state: str) -> Recipe:
    """A version of a policy document in a state, of a document of its own for each role."""

    def recipe(doors: Doors, role: Role, _application: str) -> Asked:
        path = f"/conversion-policies/{state}-{role}".replace("_", "-")
        body = POLICY | {"title": f"asked the {next(TIMES)}. time"}  # another version each time
        kept = doors.sound(BANK, "PUT", path, Role.OPERATOR, json=body)
        simulation = tried(doors, policy={"code": kept["code"], "version": kept["version"]})
        if state == "approved":
            for approver in (Role.OPERATOR, Role.REGISTRY):
                doors.sound(BANK, "PUT", f"{path}/versions/{kept['version']}/approval", approver)
        path_values = {"code": kept["code"], "version": kept["version"]}
        return Asked(path_values, {"simulation": simulation} if state == "draft" else {})

    return recipe


def tried(doors: Doors, **draft: Any) -> int:
    """A draft that has been simulated; the simulation's number."""
    number = doors.sound(BANK, "POST", "/conversion-simulations", Role.REGISTRY, json=draft)["number"]
    doors.go_to(BANK)
    while simulate_conversions():
        pass
    return int(number)


def saved(doors: Doors, role: Role) -> int:
    """A long table that the caller asked for, ready."""
    number = simulated(doors)
    doors.go_to(BANK)
    usual, saving.AT_ONCE_LINES = saving.AT_ONCE_LINES, -1
    try:
        place = f"/recognition-proposals/{number}/simulation.xlsx" if role != Role.TEO else _workbook_of_teo(doors)
        answer = doors.call(BANK, "GET", place, role)
    finally:
        saving.AT_ONCE_LINES = usual
    scribe = saving.Scribe(TABLES)
    while scribe():
        pass
    return int(answer.json["number"])


def _workbook_of_teo(doors: Doors) -> str:
    return f"/reconciliations/{reconciled(doors)}/discrepancies.xlsx"


def _saved(doors: Doors, role: Role, _application: str) -> Asked:
    return Asked({"number": saved(doors, role)})


def _drafted(doors: Doors, role: Role, application: str) -> Asked:
    draft = dict(converting("draft")(doors, role, application).path)
    return Asked(body={"rule": draft}, media_type="application/json")


def _tried(doors: Doors, role: Role, application: str) -> Asked:
    return Asked({"number": converting("draft")(doors, role, application).query["simulation"]})


def excusing(state: str) -> Recipe:
    """A version of an excuse rule in a state, of a rule and a module of its own for each role."""

    def recipe(doors: Doors, role: Role, _application: str) -> Asked:
        code = f"{state}-{role}".replace("_", "-")
        module = {"name": "纳税申报", "class_hours": 16}
        doors.sound("training", "PUT", f"/training-modules/{SCHEME}/1/{code}", Role.OPERATOR, json=module)
        body = EXCUSE_RULE | {"module": code, "basis": f"asked the {next(TIMES)}. time"}  # another version each time
        path = f"/excuse-rules/{code}"
        version = doors.sound("training", "PUT", path, Role.OPERATOR, json=body)["version"]
        at = f"{path}/versions/{version}"
        if state != "draft":
            for approver in (Role.OPERATOR, Role.REGISTRY):
                doors.sound("training", "PUT", f"{at}/approval", approver)
        if state == "published":
            doors.sound("training", "PUT", f"{at}/publication", Role.OPERATOR)
        return Asked({"code": code, "version": version})

    return recipe


def _excuse_rule(doors: Doors, role: Role, application: str) -> Asked:
    return Asked({"code": excusing("draft")(doors, role, application).path["code"]})


def _excuse_rule_put(doors: Doors, role: Role, application: str) -> Asked:
    code = excusing("draft")(doors, role, application).path["code"]
    return Asked({"code": code}, body=EXCUSE_RULE | {"module": code}, media_type="application/json")


def _rule_put(doors: Doors, role: Role, application: str) -> Asked:
    drafted = converting("draft")(doors, role, application)
    code = str(drafted.path["code"])
    return Asked({"code": code}, body=CONVERSION | {"programme": code}, media_type="application/json")


def opened(doors: Doors) -> None:
    """A rule by which learners convert."""
    doors.sound(BANK, "PUT", "/conversion-policies/measures", Role.OPERATOR, json=DEFAULT_POLICY)
    default = CONVERSION | {"is_folklore_default": True}
    doors.sound(BANK, "PUT", "/conversion-rules/basics", Role.OPERATOR, json=default)


def filed(doors: Doors, serial: int = 1) -> str:
    """A fresh application of a learner's, in the place of any that is open."""
    opened(doors)
    learner_id = doors.college.learners[serial]
    owns = {"learner": [learner_id]}
    open_ones = f"/conversion-applications?state=review&learner_id={learner_id}"
    for one in doors.sound(BANK, "GET", open_ones, Role.LEARNER, owns=owns)["items"]:
        path = f"/conversion-applications/{one['application']}/withdrawal"
        doors.sound(BANK, "PUT", path, Role.LEARNER, owns=owns)
    path = f"/accounts/{learner_id}/conversion-applications"
    wish = {"rule": "basics", "course": "KJ2101"}
    return str(doors.sound(BANK, "POST", path, Role.LEARNER, owns=owns, json=wish)["application"])


def judged(doors: Doors, application: str, role: Role, verdict: str) -> None:
    """One decision, and what the bank's worker does after it."""
    item = {"application": application, "verdict": verdict, "reason": "too little in common"}
    [answer] = doors.sound(BANK, "POST", "/conversion-decisions", role, json=[item])
    assert answer["status"] == "accepted", answer
    release_decisions()


def _wish(doors: Doors, _role: Role, _application: str) -> Asked:
    filed(doors)
    return Asked({"learner_id": doors.college.learner}, {}, {"rule": "basics", "course": "KJ2101"}, "application/json")


def _filed(doors: Doors, _role: Role, _application: str) -> Asked:
    return Asked({"application": filed(doors)})


def _offered(doors: Doors, _role: Role, _application: str) -> Asked:
    application = filed(doors)
    judged(doors, application, Role.DEPARTMENT, "refuse")
    return Asked({"application": application})


def _refused(doors: Doors, _role: Role, _application: str) -> Asked:
    application = filed(doors)
    judged(doors, application, Role.DEPARTMENT, "refuse")
    return Asked({"application": application}, {}, {"reason": "the same book"}, "application/json")


def exported(doors: Doors) -> int:
    """An export with a row in it."""
    answer = doors.call(BANK, "GET", "/exemption-exports/1", Role.REGISTRY)
    if answer.status_code == 200:
        return 1
    application = filed(doors, serial=2)
    judged(doors, application, Role.DEPARTMENT, "approve")
    judged(doors, application, Role.REGISTRY, "approve")
    return int(doors.sound(BANK, "POST", "/exemption-exports", Role.REGISTRY)["number"])


def _export(doors: Doors, _role: Role, _application: str) -> Asked:
    return Asked({"number": exported(doors)})


def _acknowledged(doors: Doors, _role: Role, _application: str) -> Asked:
    return Asked({"number": exported(doors)}, {}, [{"application": "nobody"}], "application/json")


def _delegation(doors: Doors, role: Role, _application: str) -> Asked:
    return Asked({}, {}, delegated(doors, role), "application/json")


def delegated(doors: Doors, role: Role) -> dict[str, Any]:
    """A word that another decides in one's stead; a TEO gives none."""
    today = clock.today()
    mine = role if role in DELEGATED else Role.REGISTRY
    until = today + timedelta(days=next(TIMES) % MOST_DAYS)
    return {"to": "qian", "role": str(mine), "first": today.isoformat(), "until": until.isoformat()}


def _revocation(doors: Doors, role: Role, _application: str) -> Asked:
    giver = role if role in DELEGATED else Role.REGISTRY
    word = doors.sound(BANK, "POST", "/conversion-delegations", giver, json=delegated(doors, giver))
    return Asked({"delegation": word["delegation"]})


def lost(doors: Doors) -> tuple[str, str]:
    """An exemption of a learner's that the topic alone knows of, as after a set-back; the learner and its name."""
    doors.go_to(BANK)
    learner_id, number = doors.college.learners[FORGETFUL], next(TIMES)
    granted = ExemptionGranted(
        learner_id=learner_id,
        application_id=f"lost-{number}",
        scheme=SCHEME,
        level=Level(1),
        course=f"KJ{number}",
        credit_points=200,
        student_number=f"2019-{FORGETFUL}",
        programme="630302",
        entry_year=2019,
        term="2020-2021-2",
        kind="course",
    )
    run_transaction(lambda: outbox.append(granted, cause=f"conversion:lost-{number}:1"))
    forget_row(f"learner:{learner_id}", granted.application_id)
    return learner_id, granted.application_id


def forget_row(key: str, application: str) -> None:
    """What was announced of an application is known from the topic alone."""
    told = {"key": key, "cause": {"$regex": f"^conversion:{application}:"}}
    database()["outbox"].update_many(told, {"$set": {"forgotten": True}, "$unset": {"due": ""}})
    database()["strands"].update_one({"_id": key}, {"$set": {"forgotten": True}})


def _forgotten(doors: Doors, _role: Role, _application: str) -> Asked:
    return Asked({"learner_id": lost(doors)[0]})


def _to_void(doors: Doors, _role: Role, _application: str) -> Asked:
    learner_id, application = lost(doors)
    path = {"learner_id": learner_id, "application": application}
    return Asked(path, {}, {"reason": "the file is lost", "is_exported": False}, "application/json")


def _void_to_approve(doors: Doors, _role: Role, _application: str) -> Asked:
    learner_id, application = lost(doors)
    run_transaction(lambda: propose_void(learner_id, application, "the file is lost", False, "li"))
    return Asked({"application": application}, {}, {"revision": 1}, "application/json")


def reported(doors: Doors) -> int:
    """A certificate report of the organisation's that is all in and was compared."""
    number = doors.upload(BANK, "certificate-report", report_rows(), Role.TEO)
    doors.sound(BANK, "POST", f"/imports/{number}/commit", Role.TEO)
    doors.work(BANK)
    while compare_some():
        pass
    return number


def reconciled(doors: Doors) -> int:
    """The comparison of a report, which found that a date differs."""
    return int(doors.sound(BANK, "GET", f"/certificate-reports/{reported(doors)}", Role.REGISTRY)["run"])


def _discrepancy(doors: Doors) -> Any:
    path = f"/reconciliations/{reconciled(doors)}/discrepancies"
    return {"items": [{"discrepancy": doors.sound(BANK, "GET", path, Role.REGISTRY)["items"][0]["id"]}]}


def _policy(doors: Doors, _role: Role, _application: str) -> Asked:
    doors.sound("creditbank", "PUT", "/conversion-policies/measures", Role.OPERATOR, json=DEFAULT_POLICY)
    return Asked({"code": "measures"})


def _rule(doors: Doors, role: Role, application: str) -> Asked:
    return Asked({"code": converting("draft")(doors, role, application).path["code"]})


COMMON: dict[tuple[str, str], Recipe] = {
    ("GET", "/healthz"): _plain,
    ("GET", "/readyz"): _plain,
    ("GET", "/flow"): _plain,
    ("GET", "/lives/{cause}"): _life,
    ("GET", "/dead-letters"): _plain,
    ("GET", "/dead-letters/{letter_id}"): _letter,
    ("GET", "/unknown-events"): _plain,
    ("GET", "/unknown-event-figures"): _plain,
    ("POST", "/dead-letter-retries"): _letters({}),
    ("POST", "/dead-letter-discards"): _letters({"reason": "no event at all"}),
    ("POST", "/outbox/resend"): _put({"gaps": [{"key": "learner:nobody", "first": 1, "last": 3}]}),
    ("GET", "/outbox"): _plain,
    ("POST", "/outbox/republications"): _put({"key": "learner:nobody", "seq": 3}),
    ("PUT", "/replays/{replay_id}"): _put({"again": False}, replay_id="a-replay"),
    ("DELETE", "/replays/{replay_id}"): _path(replay_id="a-replay"),
    ("GET", "/recovery"): _plain,
    ("POST", "/recovery"): _plain,
    ("GET", "/recovery/forgotten"): _plain,
    ("POST", "/recovery/forgotten/given-up"): _put({"ids": ["nothing"], "reason": "the sheet is lost"}),
    ("GET", "/sheets"): _plain,
    ("GET", "/sheets/{kind}/template.xlsx"): _template,
    ("POST", "/imports"): _upload,
    ("GET", "/imports"): _plain,
    ("GET", "/imports/{number}"): _import,
    ("DELETE", "/imports/{number}"): _import,
    ("POST", "/imports/{number}/commit"): _import,
    ("GET", "/imports/{number}/rows"): _import,
    ("GET", "/imports/{number}/workbook.xlsx"): _import,
}
RECIPES: dict[tuple[str, str, str], Recipe] = {
    ("creditbank", "PUT", "/conversion-policies/{code}"): _put(DEFAULT_POLICY, code="measures"),
    ("creditbank", "GET", "/conversion-policies/{code}"): _policy,
    ("creditbank", "GET", "/conversion-policies"): _plain,
    ("creditbank", "PUT", "/conversion-policies/{code}/versions/{version}/approval"): ruling("draft"),
    ("creditbank", "PUT", "/conversion-policies/{code}/versions/{version}/publication"): ruling("approved"),
    ("creditbank", "PUT", "/conversion-rules/{code}"): _rule_put,
    ("creditbank", "GET", "/conversion-rules/{code}"): _rule,
    ("creditbank", "GET", "/conversion-rules"): _plain,
    ("creditbank", "PUT", "/conversion-rules/{code}/versions/{version}/approval"): converting("draft"),
    ("creditbank", "PUT", "/conversion-rules/{code}/versions/{version}/publication"): converting("approved"),
    ("creditbank", "DELETE", "/conversion-rules/{code}/versions/{version}/publication"): converting("published"),
    ("creditbank", "GET", "/saved-tables/{number}"): _saved,
    ("creditbank", "GET", "/saved-tables/{number}/file.xlsx"): _saved,
    ("creditbank", "POST", "/conversion-simulations"): _drafted,
    ("creditbank", "GET", "/conversion-simulations"): _plain,
    ("creditbank", "GET", "/conversion-simulations/{number}"): _tried,
    ("creditbank", "GET", "/conversion-simulations/{number}/exemptions"): _tried,
    ("creditbank", "GET", "/conversion-simulations/{number}/exemptions.xlsx"): _tried,
    ("creditbank", "POST", "/accounts/{learner_id}/conversion-applications"): _wish,
    ("creditbank", "GET", "/conversion-applications"): _plain,
    ("creditbank", "GET", "/conversion-applications/{application}"): _filed,
    ("creditbank", "PUT", "/conversion-applications/{application}/withdrawal"): _filed,
    ("creditbank", "POST", "/conversion-applications/{application}/offer"): _offered,
    ("creditbank", "PUT", "/conversion-applications/{application}/appeal"): _refused,
    ("creditbank", "POST", "/conversion-decisions"): _put([{"application": "nobody", "verdict": "approve"}]),
    ("creditbank", "POST", "/conversion-undos"): _put([{"application": "nobody"}]),
    ("creditbank", "POST", "/conversion-delegations"): _delegation,
    ("creditbank", "GET", "/conversion-delegations"): _plain,
    ("creditbank", "PUT", "/conversion-delegations/{delegation}/revocation"): _revocation,
    ("creditbank", "POST", "/exemption-exports"): _plain,
    ("creditbank", "GET", "/exemption-exports"): _plain,
    ("creditbank", "GET", "/exemption-exports/{number}"): _export,
    ("creditbank", "GET", "/exemption-exports/{number}/sheet.csv"): _export,
    ("creditbank", "POST", "/exemption-exports/{number}/acknowledgement"): _acknowledged,
    ("creditbank", "PUT", "/accounts/{learner_id}/earlier-conversions"): lambda doors, role, name: Asked(
        _learner(doors, role, name).path, {}, {"credit_points": 200, "note": "prior courses"}, "application/json"
    ),
    ("creditbank", "GET", "/accounts/{learner_id}/forgotten-exemptions"): _forgotten,
    ("creditbank", "PUT", "/accounts/{learner_id}/forgotten-exemptions/{application}/void"): _to_void,
    ("creditbank", "PUT", "/exemption-voids/{application}/approval"): _void_to_approve,
    ("creditbank", "GET", "/exemption-voids"): _plain,
    ("creditbank", "GET", "/exemption-void-figures"): _plain,
    ("creditbank", "GET", "/certificate-reports"): _plain,
    ("creditbank", "GET", "/certificate-reports/{number}"): _numbered(reported),
    ("creditbank", "POST", "/reconciliations"): _put({"report": None}),
    ("creditbank", "GET", "/reconciliations"): _plain,
    ("creditbank", "GET", "/reconciliations/{number}"): _numbered(reconciled),
    ("creditbank", "GET", "/reconciliations/{number}/discrepancies"): _numbered(reconciled),
    ("creditbank", "GET", "/reconciliations/{number}/discrepancies.xlsx"): _numbered(reconciled),
    ("creditbank", "GET", "/reconciliations/{number}/discrepancies.csv"): _numbered(reconciled),
    ("creditbank", "POST", "/discrepancy-approvals"): _posted(_discrepancy),
    ("creditbank", "GET", "/report-profiles/{teo}"): _path(teo=TEO),
    ("creditbank", "PUT", "/report-profiles/{teo}"): _put(
        {"columns": [{"column": "证书编号", "headers": ["证书流水号"]}]}, teo=TEO
    ),
    ("notify", "GET", "/held-mails"): _plain,
    ("notify", "POST", "/held-mail-releases"): _put({"ids": ["nobody"]}),
    ("notify", "POST", "/held-mail-drops"): _put({"ids": ["nobody"]}),
    ("enrolment", "PUT", "/programmes/{code}"): _put(PROGRAMME_BODY, code="630302"),
    ("enrolment", "GET", "/programmes/{code}"): _path(code="630302"),
    ("enrolment", "GET", "/programmes"): _plain,
    ("enrolment", "PUT", "/programmes/{code}/curricula/{year}"): _put(CURRICULUM, code="630302", year=2019),
    ("enrolment", "GET", "/programmes/{code}/curricula/{year}"): _path(code="630302", year=2019),
    ("enrolment", "GET", "/curricula"): _plain,
    ("enrolment", "PUT", "/calendar/{year}"): _put({"holidays": ["2021-01-01"], "made_up_days": []}, year=2021),
    ("enrolment", "GET", "/calendar/{year}"): _path(year=2021),
    ("enrolment", "GET", "/learners"): _plain,
    ("enrolment", "GET", "/learners/{learner_id}"): _learner,
    ("enrolment", "GET", "/learners/{learner_id}/records"): _learner,
    ("enrolment", "GET", "/learners/{learner_id}/particulars"): lambda doors, role, name: Asked(
        _learner(doors, role, name).path, {"purpose": "a test"}
    ),
    ("enrolment", "POST", "/match"): _posted(_document, {"purpose": "a test"}),
    ("enrolment", "POST", "/keys"): _posted(
        lambda doors: {"learner_ids": [doors.college.learner], "purpose": "a test"}
    ),
    ("enrolment", "GET", "/applications"): _plain,
    ("enrolment", "POST", "/applications/approvals"): _posted(
        lambda doors: [{"application_id": doors.college.application(8)}]
    ),
    ("enrolment", "POST", "/applications/withdrawals"): _posted(
        lambda doors: [{"application_id": doors.college.application(9), "reason": "moved away"}]
    ),
    ("enrolment", "GET", "/merges"): _plain,
    ("enrolment", "POST", "/merges"): _posted(
        lambda doors: {"survivor_id": doors.college.learners[10], "merged_id": doors.college.learners[11]}
    ),
    ("training", "POST", "/course-results"): _posted(lambda _doors: [MARK]),
    ("training", "GET", "/course-results"): _of_learner,
    ("training", "POST", "/course-result-withdrawals"): _put([{"result_id": COURSE_RESULT, "reason": "typed twice"}]),
    ("training", "PUT", "/pass-marks/{programme}"): _put({"pass_mark": 60}, programme="630302"),
    ("training", "GET", "/pass-marks"): _plain,
    ("training", "PUT", "/training-modules/{scheme}/{level}/{code}"): _put(
        {"name": "纳税申报", "class_hours": 16}, scheme=SCHEME, level=1, code="tax"
    ),
    ("training", "GET", "/training-modules"): _plain,
    ("training", "PUT", "/excuse-rules/{code}"): _excuse_rule_put,
    ("training", "GET", "/excuse-rules/{code}"): _excuse_rule,
    ("training", "GET", "/excuse-rules"): _plain,
    ("training", "PUT", "/excuse-rules/{code}/versions/{version}/approval"): excusing("draft"),
    ("training", "PUT", "/excuse-rules/{code}/versions/{version}/publication"): excusing("approved"),
    ("training", "DELETE", "/excuse-rules/{code}/versions/{version}/publication"): excusing("published"),
    ("training", "GET", "/learners/{learner_id}/training-excuses"): _learner,
    ("training", "GET", "/classes"): _plain,
    ("training", "GET", "/classes/{code}"): _path(code="C1"),
    ("training", "PUT", "/classes/{code}"): _put(CLASS_BODY, code="C1"),
    ("training", "GET", "/classes/{code}/places"): _path(code="C1"),
    ("assessment", "PUT", "/teos/{code}"): _put({"name": "中联集团教育科技有限公司", "aliases": ["中联"]}, code=TEO),
    ("assessment", "GET", "/teos/{code}"): _path(code=TEO),
    ("assessment", "GET", "/teos"): _plain,
    ("assessment", "PUT", "/schemes/{code}"): _put(SCHEME_BODY, code=SCHEME),
    ("assessment", "GET", "/schemes/{code}"): _path(code=SCHEME),
    ("assessment", "GET", "/schemes"): _plain,
    ("assessment", "PUT", "/teos/{teo}/plans/{plan}"): _put(PLAN, **AT_PLAN),
    ("assessment", "GET", "/teos/{teo}/plans/{plan}"): _path(**AT_PLAN),
    ("assessment", "GET", "/plans"): _plain,
    ("assessment", "GET", "/teos/{teo}/plans/{plan}/candidates"): _path(**AT_PLAN),
    ("assessment", "POST", "/teos/{teo}/plans/{plan}/results"): _posted(lambda _doors: [marked(5)], **AT_PLAN),
    ("assessment", "GET", "/teos/{teo}/plans/{plan}/results"): _path(**AT_PLAN),
    ("assessment", "POST", "/teos/{teo}/plans/{plan}/publicity/close"): _path(**AT_PLAN),
    ("assessment", "GET", "/results"): _of_learner,
    ("assessment", "GET", "/results/{result_id}"): _path(result_id=f"{TEO}:{FINAL_PLAN}:A1:1"),
    ("assessment", "POST", "/results/{result_id}/corrections"): _put(
        {"theory": 90, "practical": 91, "reason": "added up again"}, result_id=RESULT
    ),
    ("assessment", "POST", "/results/{result_id}/annulments"): _put(
        {"reason": "sat for another"}, result_id=f"{TEO}:{FINAL_PLAN}:A3:1"
    ),
    ("assessment", "GET", "/warnings"): _plain,
    ("assessment", "GET", "/certificates"): _of_learner,
    ("assessment", "POST", "/teos/{teo}/certificates/{number}/revocations"): _put(
        {"reason": "issued twice"}, teo=TEO, number="N2"
    ),
    **{(name, "GET", "/audit"): _plain for name in ("assessment", "creditbank", "notify")},
    ("creditbank", "GET", "/accounts/{learner_id}"): _learner,
    ("creditbank", "GET", "/accounts/{learner_id}/entries"): _learner,
    ("creditbank", "GET", "/accounts/{learner_id}/balance"): lambda doors, role, name: Asked(
        {"learner_id": doors.college.learner}, {"at": "2024-06-30T16:00:00+08:00"}
    ),
    ("creditbank", "PUT", "/accounts/{learner_id}/freeze"): lambda doors, role, name: Asked(
        {"learner_id": doors.college.learner},
        body={"is_frozen": role == Role.REGISTRY, "reason": "under review"},
        media_type="application/json",
    ),
    ("creditbank", "POST", "/accounts/{learner_id}/credentials"): lambda doors, role, name: Asked(
        _learner(doors, role, name).path, body={"result_id": PASSED}, media_type="application/json"
    ),
    ("creditbank", "GET", "/accounts/{learner_id}/credentials"): _learner,
    ("creditbank", "GET", "/accounts/{learner_id}/credentials/{credential}/square.svg"): _credential,
    ("creditbank", "GET", "/accounts/{learner_id}/statement"): _learner,
    ("creditbank", "GET", "/accounts/{learner_id}/statement.pdf"): _learner,
    ("creditbank", "GET", "/accounts/{learner_id}/elmo.xml"): _learner,
    ("creditbank", "GET", "/accounts/{learner_id}/why"): _learner,
    ("creditbank", "GET", "/accounts/{learner_id}/plan"): _learner,
    ("creditbank", "GET", "/graduation-rescues"): _of_cohort,
    ("creditbank", "GET", "/credential-keys"): _plain,
    ("creditbank", "GET", "/status-lists/{number}"): _path(number=1),
    ("creditbank", "GET", "/verifications/{code}"): _path(code="nobody-has-this-code"),
    ("creditbank", "POST", "/outcomes"): _posted(lambda doors: [LICENCE | {"learner_id": doors.college.learner}]),
    ("creditbank", "GET", "/outcomes"): _of_learner,
    ("creditbank", "PUT", "/outcome-sources/{kind}/{code}"): _put(
        {"title": "电工"}, kind="licence", code="electrician"
    ),
    ("creditbank", "GET", "/outcome-sources"): _plain,
    ("creditbank", "GET", "/holdings/totals"): _plain,
    ("creditbank", "GET", "/books"): _plain,
    ("creditbank", "PUT", "/recognition-rules/{scheme}/{level}"): _put(RULE, scheme=SCHEME, level="1"),
    ("creditbank", "GET", "/recognition-rules/{scheme}/{level}"): _path(scheme=SCHEME, level="1"),
    ("creditbank", "GET", "/recognition-rules"): _plain,
    ("creditbank", "POST", "/recognition-proposals"): _put(PROPOSAL),
    ("creditbank", "GET", "/recognition-proposals"): _plain,
    ("creditbank", "GET", "/recognition-proposals/{number}"): _numbered(proposed),
    ("creditbank", "PUT", "/recognition-proposals/{number}"): _numbered(proposed, MOVING),
    ("creditbank", "DELETE", "/recognition-proposals/{number}"): _numbered(proposed),
    ("creditbank", "POST", "/recognition-proposals/{number}/simulations"): _numbered(proposed),
    ("creditbank", "GET", "/recognition-proposals/{number}/simulation"): _numbered(simulated),
    ("creditbank", "GET", "/recognition-proposals/{number}/simulation/holdings"): _numbered(simulated),
    ("creditbank", "GET", "/recognition-proposals/{number}/simulation.xlsx"): _numbered(simulated),
    ("creditbank", "POST", "/recognition-proposals/{number}/approvals"): _numbered(simulated, {"simulation": 1}),
    ("creditbank", "POST", "/recognition-proposals/{number}/enactment"): _numbered(agreed),
    ("notify", "GET", "/mailboxes/{learner_id}/notices"): _learner,
    ("notify", "POST", "/mailboxes/{learner_id}/notices/{notice_id}/read"): lambda doors, role, name: Asked(
        {**_learner(doors, role, name).path, "notice_id": doors.college.notice}
    ),
    ("notify", "GET", "/mailboxes/{learner_id}/preference"): _learner,
    ("notify", "PUT", "/mailboxes/{learner_id}/preference"): lambda doors, role, name: Asked(
        _learner(doors, role, name).path, body={"language": "en"}, media_type="application/json"
    ),
    ("notify", "GET", "/notices/counts"): _plain,
    (PORTAL, "GET", "/healthz"): _plain,
    (PORTAL, "GET", "/readyz"): _plain,
    (PORTAL, "POST", "/oauth/token"): _token,
    (PORTAL, "GET", "/.well-known/jwks.json"): _plain,
    (PORTAL, "GET", "/.well-known/oauth-authorization-server"): _plain,
    (PORTAL, "GET", "/users"): _plain,
    (PORTAL, "GET", "/users/{name}"): _path(name="learner"),
    (PORTAL, "PUT", "/users/{name}"): _put(
        {"password": "eight-or-more", "roles": ["auditor"], "owns": {}}, name="another-person"
    ),
    (PORTAL, "GET", "/clients"): _plain,
    (PORTAL, "GET", "/clients/{client_id}"): _path(client_id="some-machine"),
    (PORTAL, "PUT", "/clients/{client_id}"): _put({"roles": ["auditor"]}, client_id="some-machine"),
    (PORTAL, "POST", "/clients/{client_id}/secrets"): _secret,
    (PORTAL, "DELETE", "/clients/{client_id}/secrets/{number}"): _made_secret,
    (PORTAL, "GET", "/audit"): _plain,
}
