"""S1 of the stories on a real stack: the window, a higher level, and a batch of 220 of which 38 were wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from pymongo import MongoClient

from tests.support.doors import PROGRAMME_BODY, SCHEME, SCHEME_BODY, TEO
from tests.support.registry import Registry, at_work, wait_for
from tests.support.stack import ROOT, onex, running_stack
from tests.unit.enrolment.rosters import ACCOUNTING, identity, student

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]
XIAOLAN, XIAOLAN_SERIAL = "2019040117", 117
ELEMENTARY, INTERMEDIATE, EARLIER = "SF-2021-1", "SF-2021-2", "SF-2021-0"
RIGHT, MISTAKEN, BARRED = range(200, 374), range(374, 412), range(412, 415)  # 174, 38 and 3
CONTINUING, FROZEN, REVIEWED = range(415, 417), 417, 418  # 2, 1 and 1
OTHERS = range(200, 419)
FROM, UNTIL = "2021-01-01", "2023-12-31"
POLICY = {
    "title": "学分转换办法",
    "issued_on": FROM,
    "valid_from": FROM,
    "valid_until": UNTIL,
    "shares": [{"category": "继续教育", "percent": 50, "departments": ["继续教育学院"]}],
    "windows": [
        {"term": "2020-2021-2", "opens_on": "2021-03-01", "closes_on": "2021-03-12"},
        {"term": "2021-2022-1", "opens_on": "2021-09-06", "closes_on": "2021-09-17"},
    ],
    "is_folklore_default": True,
}
CALENDAR = ("holidays", "made_up_days")
Course = dict[str, Any]


def course(code: str, name: str, points: int, kind: str = "core", **more: Any) -> Course:
    return {"code": code, "name": name, "credit_points": points, "kind": kind, "term": 4, **more}


COURSES = [
    course("KJ2101", "财务大数据基础", 200, "foundation"),
    course("KJ2103", "中级财务会计", 400),
    course("KJ2130", "税务会计", 400, modules=[{"code": "KJ2130-1", "name": "个税核算", "credit_points": 200}]),
    course("KJ2140", "管理会计", 200),
    course("KJ2150", "审计", 400),
]
NOW_NEVER_EXEMPT = [one | {"is_never_exempt": one["code"] == "KJ2140"} for one in COURSES]
BASICS, TAX = {"course": "KJ2101", "credit_points": 200}, {"course": "KJ2130", "credit_points": 400}
MODULE = {"course": "KJ2130", "module": "KJ2130-1", "credit_points": 200}
WRONG = {"course": "KJ2103", "credit_points": 400}
MANAGEMENT, AUDIT = {"course": "KJ2140", "credit_points": 200}, {"course": "KJ2150", "credit_points": 400}


@pytest.fixture(scope="module")
def college(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The college on 2021-01-15: its annex, its people, and 陈晓岚 with 初级 and its number on record."""
    home = tmp_path_factory.mktemp("s1")
    assert onex(home, "clock", "2021-01-15T09:00").returncode == 0
    with running_stack(home) as stack, at_work(stack) as registry:
        hire(registry)
        found(registry)
        publish(registry, "finance-1", [1], [BASICS])
        publish(registry, "finance-2", [2], [TAX])
        enrol(registry, [XIAOLAN_SERIAL], "初级")
        registry.register("chen", "learner", owns=[f"learner={registry.learner(XIAOLAN)}"])
        examine(registry, ELEMENTARY, [XIAOLAN_SERIAL], "初级")
        wait_for("初级 is credited", lambda: registry.pockets(XIAOLAN), (0, 200, 0, 0))
        number(registry, ELEMENTARY, [XIAOLAN_SERIAL], "初级")
        yield registry


# --- the college ---------------------------------------------------------------------------------------------------
def hire(registry: Registry) -> None:
    registry.register("zhou", "department")
    registry.register("qian", "department")
    registry.register("li", "registry")
    registry.register("sun", "registry")
    registry.register("wang", "registry", "department")
    registry.register("office", "exam_office")
    registry.register("teo", "teo", owns=[f"teo={TEO}"])


def found(registry: Registry) -> None:
    """The programme, the certificate, the plans, what levels are worth, and the policy."""

    def put(service: str, path: str, body: Any) -> None:
        registry.operator.put(service, path, body)

    put("enrolment", f"/programmes/{ACCOUNTING.code}", PROGRAMME_BODY)
    put("enrolment", f"/programmes/{ACCOUNTING.code}/curricula/2019", {"courses": COURSES})
    calendar = ROOT / "deploy" / "catalogue" / "calendar" / "2021.json"
    put("enrolment", "/calendar/2021", {name: json.loads(calendar.read_text())[name] for name in CALENDAR})
    put("assessment", f"/teos/{TEO}", {"name": "中联集团教育科技有限公司"})
    put("assessment", f"/schemes/{SCHEME}", SCHEME_BODY | {"needs_training": False, "needs_certificate_number": True})
    plans = ((EARLIER, 2, "2021-05-15", 0), (ELEMENTARY, 1, "2021-01-09", 0), (INTERMEDIATE, 2, "2021-06-19", 5))
    for plan, level, on, days in plans:
        body = {"scheme": SCHEME, "level": level, "session_date": on, "quota": 400, "publicity_days": days}
        put("assessment", f"/teos/{TEO}/plans/{plan}", body)
    for level in (1, 2, 3):
        rule = {"credit_points": 200 * level, "sessions_from": "2019-04-01", "is_folklore_default": True}
        put("creditbank", f"/recognition-rules/{SCHEME}/{level}", rule)
    put("creditbank", "/conversion-policies/measures", POLICY)


def publish(registry: Registry, code: str, levels: Sequence[int], targets: Sequence[Mapping[str, Any]]) -> int:
    """Draft a rule's next version, have two people approve it, and publish it; its version."""
    body = {"policy": "measures", "programme": ACCOUNTING.code, "entry_year": 2019, "scheme": SCHEME}
    body |= {"levels": levels, "targets": targets, "valid_from": FROM, "valid_until": UNTIL}
    path = f"/conversion-rules/{code}"
    wait_for("the bank knows the certificate", lambda: registry["li"].refusal("creditbank", "PUT", path, json=body), "")
    version = max(one["version"] for one in registry["li"].get("creditbank", path))
    draft = {"rule": {"code": code, "version": version}}
    number = registry["li"].post("creditbank", "/conversion-simulations", draft)["number"]
    place = f"/conversion-simulations/{number}"
    wait_for("the draft is simulated", lambda: registry["li"].get("creditbank", place)["state"], "finished")
    for name in ("sun", "wang"):
        registry[name].put("creditbank", f"{path}/versions/{version}/approval?simulation={number}", {})
    registry["li"].put("creditbank", f"{path}/versions/{version}/publication", {})
    return int(version)


def enrol(registry: Registry, serials: Sequence[int], level: str) -> None:
    """Students apply for 智能财税, and the registry approves."""
    rows = [student(serial, 申请等级=level) | department(serial) for serial in serials]
    registry.take("li", "enrolment", "roster", rows)
    number = {"初级": 1, "中级": 2}[level]
    wanted = [{"application_id": f"{registry.learner(one['学号'])}:{SCHEME}:{number}"} for one in rows]
    judged = registry["li"].post("enrolment", "/applications/approvals", wanted)
    assert {one["status"] for one in judged} == {"accepted"}, judged


def department(serial: int) -> dict[str, str]:
    return {"院系": "继续教育学院"} if serial in CONTINUING else {}


def examine(registry: Registry, plan: str, serials: Sequence[int], level: str) -> None:
    """They are registered in a plan, and pass."""
    rows = [{"考核计划": plan, "准考证号": f"{plan}-{serial}"} | person(serial) for serial in serials]
    registry.take("office", "assessment", "candidates", rows)
    as_of = registry.operator.get("assessment", f"/teos/{TEO}/plans/{plan}")["session_date"] + "T18:00:00+08:00"
    marks = [
        {"admission_number": f"{plan}-{serial}", "theory": 80, "practical": 70, "as_of": as_of} for serial in serials
    ]
    judged = registry["teo"].post("assessment", f"/teos/{TEO}/plans/{plan}/results", marks)
    assert {one["status"] for one in judged} == {"accepted"}, judged


def number(registry: Registry, plan: str, serials: Sequence[int], level: str) -> None:
    """The TEO reports the numbers of their certificates."""
    said = {"证书名称": "智能财税", "职业技能等级": level, "发证日期": "2021-01-15"}
    rows = [
        person(serial) | said | {"准考证号": f"{plan}-{serial}", "证书编号": f"N-{plan}-{serial}"} for serial in serials
    ]
    registry.take("teo", "assessment", "certificates", rows)


def person(serial: int) -> dict[str, str]:
    return {"姓名": student(serial)["姓名"], "证件类型": "居民身份证", "证件号码": identity(serial)}


def of(serial: int) -> str:
    return student(serial)["学号"]


# --- the story -----------------------------------------------------------------------------------------------------
def test_the_window_the_higher_level_and_the_wrong_batch(college: Registry) -> None:
    """Steps 1 to 6, in one life of one stack."""
    a_first_exemption(college)
    wish = filed_on_provisional_credit(college)
    filed = two_hundred_and_nineteen(college)
    filed[XIAOLAN] = refused_and_offered(college, wish)
    approved_in_bulk(college, filed)
    thirty_eight_undone(college, filed)
    told_once(college, filed)
    exported_once(college, filed)
    assert college.operator.get("creditbank", "/books")["sum"] == 0
    assert college.stack.onex("ledger", "verify").returncode == 0


def apply(college: Registry, who: str, student_number: str, rule: str, target: Mapping[str, Any]) -> dict[str, Any]:
    """File for a course or module of a rule."""
    wish = {"rule": rule, "course": target["course"], "module": target.get("module", "")}
    path = f"/accounts/{college.learner(student_number)}/conversion-applications"
    filed: dict[str, Any] = college[who].post("creditbank", path, wish)
    return filed


def decide(college: Registry, who: str, applications: Sequence[str]) -> Counter[str]:
    """Approve in bulk; what became of the items."""
    body = [{"application": one, "verdict": "approve"} for one in applications]
    judged = college[who].post("creditbank", "/conversion-decisions", body)
    return Counter(one.get("code") or one["status"] for one in judged)


def export(college: Registry) -> dict[str, Any]:
    """The registry's next export."""
    made: dict[str, Any] = college["li"].post("creditbank", "/exemption-exports")
    return made


def a_first_exemption(college: Registry) -> None:
    """Step 1: in the window she converts 初级, warned of what that forecloses; two people approve."""
    college.day("2021-03-03T09:00")
    wait_for("the number is on record", lambda: is_numbered(college), True)
    [choice] = college["chen"].get("creditbank", f"/accounts/{college.learner(XIAOLAN)}/plan")["choices"]
    [warning] = choice["forecloses"]
    assert (choice["course"], warning["level"], warning["course"]) == ("KJ2101", 2, "KJ2130")
    one = apply(college, "chen", XIAOLAN, "finance-1", BASICS)["application"]
    assert decide(college, "zhou", [one]) == {"accepted": 1}
    assert decide(college, "li", [one]) == {"accepted": 1}
    college.day("2021-03-03T09:31")
    wait_for("her exemption is told", lambda: college.told(XIAOLAN, "ConversionDecided"), ["ConversionDecided"])
    sheet = export(college)
    [row] = sheet["rows"]
    named = ("student_number", "code", "term", "credits", "kind_zh")
    assert [row[name] for name in named] == [XIAOLAN, "KJ2101", "2020-2021-2", "2.0", "免修"]
    acknowledge(college, sheet["number"], {one: ""})
    assert college.pockets(XIAOLAN) == (0, 0, 0, 200)


def is_numbered(college: Registry) -> bool:
    [holding] = college["chen"].get("creditbank", f"/accounts/{college.learner(XIAOLAN)}")["holdings"]
    return not holding["unnumbered"]


def acknowledge(college: Registry, export_number: int, answers: Mapping[str, str]) -> None:
    body = [{"application": one, "reason": reason} for one, reason in answers.items()]
    judged = college["li"].post("creditbank", f"/exemption-exports/{export_number}/acknowledgement", body)
    assert {one["status"] for one in judged} == {"accepted"}, judged


def filed_on_provisional_credit(college: Registry) -> str:
    """Steps 2 and 3: she fails the course, sits 中级, and files on the last day of the window, before it is final."""
    mark = {"student_number": XIAOLAN, "course": "KJ2130", "term": "2020-2021-2", "mark": 52}
    judged = college["li"].post("training", "/course-results", [mark | {"as_of": "2021-03-03T09:00:00+08:00"}])
    assert judged[0]["status"] == "accepted", judged
    college.day("2021-09-16T09:00")
    enrol(college, [XIAOLAN_SERIAL], "中级")
    examine(college, INTERMEDIATE, [XIAOLAN_SERIAL], "中级")
    wait_for("中级 is provisional", lambda: college.pockets(XIAOLAN), (200, 0, 0, 200))
    college.day("2021-09-17T10:00")
    wish = apply(college, "chen", XIAOLAN, "finance-2", TAX)
    assert wish["state"] == "waiting"
    return str(wish["application"])


def refused_and_offered(college: Registry, wish: str) -> str:
    """Step 4: at the close of 09-24 it is final, and not enough; the module is offered until 09-28. She accepts."""
    college.day("2021-09-24T23:59")
    assert college.application(wish)["state"] == "waiting"
    college.day("2021-09-25T00:00")
    wait_for("中级 is final", lambda: college.pockets(XIAOLAN), (0, 200, 0, 200))
    number(college, INTERMEDIATE, [XIAOLAN_SERIAL], "中级")
    wait_for("it is refused", lambda: college.application(wish)["state"], "refused")
    refused = college.application(wish)
    assert refused["because"]["code"] == "above_balance"
    offered = refused["offer"]
    assert (offered["target"]["module"], offered["until"]) == ("KJ2130-1", "2021-09-28")
    college.day("2021-09-26T09:00")
    taken = str(college["chen"].post("creditbank", f"/conversion-applications/{wish}/offer")["application"])
    assert decide(college, "zhou", [taken]) == {"accepted": 1}
    assert college.pockets(XIAOLAN) == (0, 0, 200, 200)
    return taken


def two_hundred_and_nineteen(college: Registry) -> dict[str, str]:
    """Who passed 中级 before files on the last day of the window, when v3 of the rule names a wrong course.

    The campus' own app files for each: that much a machine may, but not decide. Their applications by student number,
    each after the department.
    """
    enrol(college, OTHERS, "中级")
    examine(college, EARLIER, OTHERS, "中级")
    wait_for("all are credited", lambda: {college.pockets(of(serial)) for serial in OTHERS}, {(0, 400, 0, 0)})
    number(college, EARLIER, OTHERS, "中级")
    for serial in OTHERS:
        college.install(of(serial), "learner", owns=[f"learner={college.learner(of(serial))}"])
    publish(college, "finance-management", [2], [MANAGEMENT])
    publish(college, "finance-audit", [2], [AUDIT])
    assert [publish(college, "finance-2", [2], [target, MODULE]) for target in (TAX, WRONG)] == [2, 3]
    wishes: dict[int, tuple[str, Mapping[str, Any]]] = dict.fromkeys(OTHERS, ("finance-audit", AUDIT))
    wishes |= dict.fromkeys(MISTAKEN, ("finance-2", WRONG)) | dict.fromkeys(BARRED, ("finance-management", MANAGEMENT))
    filed = {of(one): apply(college, of(one), of(one), *wishes[one]) for one in OTHERS}
    ids = {name: str(one["application"]) for name, one in filed.items()}
    wait_for("all are held", lambda: {college.application(one)["state"] for one in ids.values()}, {"review"})
    college.day("2021-09-22T09:00")
    college.install("robot", "registry", "department")
    verdicts = [{"application": one, "verdict": "approve"} for one in ids.values()]
    assert college["robot"].refusal("creditbank", "POST", "/conversion-decisions", json=verdicts) == "person_needed"
    assert decide(college, "wang", [ids[of(REVIEWED)]]) == {"accepted": 1}
    assert decide(college, "qian", [one for name, one in ids.items() if name != of(REVIEWED)]) == {"accepted": 218}
    return ids


def approved_in_bulk(college: Registry, filed: Mapping[str, str]) -> None:
    """Step 5: on 09-28, of 220 there are 213 approved and 7 refused, each for its own reason."""
    college.day("2021-09-28T09:00")
    college.operator.put("enrolment", f"/programmes/{ACCOUNTING.code}/curricula/2019", {"courses": NOW_NEVER_EXEMPT})
    wait_for("the bank knows the curriculum", lambda: is_known(college, "KJ2140", is_never_exempt=True), True)
    earlier = {"credit_points": 6_900, "note": "69.0 credits converted from courses"}
    for serial in CONTINUING:
        college["li"].put("creditbank", f"/accounts/{college.learner(of(serial))}/earlier-conversions", earlier)
    frozen = {"is_frozen": True, "reason": "asked for by the learner"}
    college["li"].put("creditbank", f"/accounts/{college.learner(of(FROZEN))}/freeze", frozen)
    assert decide(college, "wang", list(filed.values())) == {
        "accepted": 213,
        "course_never_exempt": 3,
        "conversion_share_cap": 2,
        "account_frozen": 1,
        "application_reviewed_by_you": 1,
    }


def is_known(college: Registry, code: str, **facts: Any) -> bool:
    """Whether the bank has a curriculum in which a course is like this."""
    with MongoClient[dict[str, Any]](college.stack.running.variables["MONGO"]) as client:
        found = client["onex_creditbank"]["curricula"].find_one({"courses": {"$elemMatch": {"code": code, **facts}}})
        return found is not None


def thirty_eight_undone(college: Registry, filed: Mapping[str, str]) -> None:
    """Step 6: eleven minutes later the 38 go back with their holds; v4, named by the undo, judges them again."""
    college.day("2021-09-28T09:11")
    mistaken = [filed[of(serial)] for serial in MISTAKEN]
    assert publish(college, "finance-2", [2], [TAX, MODULE]) == 4
    asked = [{"application": one, "rule_version": 4, "course": "KJ2130"} for one in mistaken]
    judged = college["li"].post("creditbank", "/conversion-undos", asked)
    assert Counter(one["status"] for one in judged) == {"accepted": 38}
    back = [college.application(one) for one in mistaken]
    assert {(one["state"], one["step"], one["target"]["course"]) for one in back} == {("review", "registry", "KJ2130")}
    assert {college.pockets(of(serial)) for serial in MISTAKEN} == {(0, 0, 400, 0)}
    in_review = college.operator.listed("creditbank", "/conversion-applications", state="review", step="registry")
    assert Counter(one["target"]["course"] for one in in_review)["KJ2130"] == 38
    assert decide(college, "wang", mistaken) == {"accepted": 38}


def told_once(college: Registry, filed: Mapping[str, str]) -> None:
    """Nobody was told before the window to undo had passed, and then once."""
    spent = [of(serial) for serial in (*RIGHT, *MISTAKEN)]
    assert {tuple(college.told(one, "ConversionDecided")) for one in spent} == {()}
    college.day("2021-09-28T09:42")
    decided = ("ConversionDecided",)
    wait_for("all are told", lambda: {tuple(college.told(one, *decided)) for one in spent}, {decided})
    assert {college.pockets(one) for one in spent} == {(0, 0, 0, 400)}
    assert college.application(filed[XIAOLAN])["state"] == "granted"
    assert college.pockets(XIAOLAN) == (0, 0, 0, 400)


def exported_once(college: Registry, filed: Mapping[str, str]) -> None:
    """The export has 213 rows, each once; the registry's system rejects two, and the next export holds those."""
    first = export(college)
    assert len(first["rows"]) == len({one["application"] for one in first["rows"]}) == 213
    assert Counter(one["code"] for one in first["rows"]) == {"KJ2150": 174, "KJ2130": 38, "KJ2130-1": 1}
    rejected = [one["application"] for one in first["rows"][:2]]
    taken = {one["application"]: "" for one in first["rows"]}
    acknowledge(college, first["number"], taken | dict.fromkeys(rejected, "unknown student"))
    again = export(college)
    assert [one["application"] for one in again["rows"]] == rejected
    acknowledge(college, again["number"], dict.fromkeys(rejected, ""))
    assert export(college)["number"] == 0
    refused = {filed[of(serial)] for serial in (*BARRED, *CONTINUING, FROZEN, REVIEWED)}
    assert {college.application(one)["state"] for one in refused} == {"review"}
