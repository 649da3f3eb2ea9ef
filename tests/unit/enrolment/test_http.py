"""Enrolment over HTTP: who may do what, what is answered, and what is noted about it."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.database import database, rows_of
from chassis.seal import key_of, key_text, open_
from services.enrolment.applications.models import Applications
from services.enrolment.learners.models import Disclosures, StudentRecords
from tests.chassis.web.tokens import TestIssuer
from tests.unit.enrolment.rosters import KEYRING, announced, identity, neighbour, open_the_annex, student, upload

ISSUER = TestIssuer()
Asks = Callable[..., Any]


@pytest.fixture
def client(mongo: str, mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    given = {
        "MONGO": mongo_url, "DATABASE": mongo, "PORTAL_URL": "http://portal.test", "CLIENT_SECRET": "s",
        "SEAL_KEY": key_text(KEYRING.master), "PEPPER": KEYRING.pepper.decode(), "LOG_LEVEL": "WARNING",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    door = importlib.import_module("services.enrolment.app")
    app = door.enrolment(door.settings(), trust=ISSUER)
    with app.test_client() as made:
        yield made


def as_a(role: str, **owns: list[str]) -> dict[str, str]:
    return ISSUER.bearer("enrolment", role, owns=owns)


def learner_ids() -> list[str]:
    return sorted(row["_id"] for row in database()["learners"].find())


def test_a_programme_is_put_and_read_back(client: FlaskClient) -> None:
    body = {"name": "会计", "entry_years": [2019, 2018, 2019], "credit_points_total": 14000, "code_2021": "530302"}
    for _ in range(2):
        answer = client.put("/programmes/630302", json=body, headers=as_a("operator"))
        assert answer.status_code == 200
        assert answer.json == body | {"code": "630302", "entry_years": [2018, 2019]}
    assert client.get("/programmes/630302", headers=as_a("learner")).json == answer.json
    assert client.get("/programmes", headers=as_a("service")).json == {"items": [answer.json], "next": None}
    assert len(announced("ProgrammePublished")) == 2
    assert client.put("/programmes/a%20b", json=body, headers=as_a("operator")).json["code"] == "programme_code_invalid"


def test_a_calendar_is_put_and_read_back(client: FlaskClient) -> None:
    body = {"holidays": ["2021-09-20"], "made_up_days": ["2021-09-18"]}
    assert client.put("/calendar/2021", json=body, headers=as_a("operator")).json == body | {"year": 2021}
    assert client.get("/calendar/2021", headers=as_a("registry")).json == body | {"year": 2021}
    assert client.get("/calendar/2022", headers=as_a("registry")).status_code == 404
    assert client.put("/calendar/2022", json=body, headers=as_a("operator")).json["code"] == "day_of_another_year"
    assert client.put("/calendar/2021", json=body, headers=as_a("registry")).status_code == 403


def test_applications_are_listed_in_pages_approved_and_withdrawn(client: FlaskClient) -> None:
    open_the_annex()
    upload(*(student(serial) for serial in range(1, 6)))
    seen: list[str] = []
    cursor = ""
    while True:
        query = f"?limit=2&state=applied{cursor}"
        answer = client.get(f"/applications{query}", headers=as_a("registry")).json
        seen += [one["application_id"] for one in answer["items"]]
        if answer["next"] is None:
            break
        cursor = f"&cursor={answer['next']}"
    assert seen == sorted(row["_id"] for row in rows_of(Applications, {}))
    body = [{"application_id": one} for one in [*seen, "nobody"]]
    judged = client.post("/applications/approvals", json=body, headers=as_a("registry")).json
    assert [one["status"] for one in judged] == ["accepted"] * 5 + ["refused"]
    assert [one["index"] for one in judged] == list(range(6))
    again = client.post("/applications/approvals", json=body[:5], headers=as_a("registry")).json
    assert {one["status"] for one in again} == {"unchanged"}
    gone = [{"application_id": seen[0], "reason": "moved away"}]
    assert client.post("/applications/withdrawals", json=gone, headers=as_a("registry")).json[0]["status"] == "accepted"
    flow = client.get("/flow", headers=as_a("auditor")).json["stages"]
    assert {one["stage"]: one["count"] for one in flow} == {
        "learners": 5, "student_records": 5, "applications": 5, "approved": 4,
    }  # fmt: skip
    life = client.get(f"/lives/approval:{seen[0]}:r2", headers=as_a("registry")).json["steps"]
    assert {step["what"] for step in life} >= {"ApplicationApproved", "EnrolmentApproved"}


def test_a_limited_department_sees_and_decides_its_own(client: FlaskClient) -> None:
    open_the_annex()
    upload(student(1), student(2, 院系="商贸学院"))
    mine = as_a("department", department=["商贸学院"])
    [shown] = client.get("/applications", headers=mine).json["items"]
    assert shown["department"] == "商贸学院"
    theirs = next(row for row in rows_of(Applications, {}) if row["department"] == "财会学院")
    [judged] = client.post("/applications/approvals", json=[{"application_id": theirs["_id"]}], headers=mine).json
    assert (judged["status"], judged["code"]) == ("refused", "other_department")
    assert client.get(f"/learners/{theirs['learner_id']}", headers=mine).status_code == 403
    assert client.get(f"/learners/{shown['learner_id']}", headers=mine).status_code == 200
    listed = client.get("/learners", headers=mine).json["items"]
    assert [one["learner_id"] for one in listed] == [shown["learner_id"]]
    theirs_by_number = (
        "/learners?student_number=" + rows_of(StudentRecords, {"department": "财会学院"})[0]["student_number"]
    )
    assert client.get(theirs_by_number, headers=mine).json["items"] == []
    assert len(client.get(theirs_by_number, headers=as_a("registry")).json["items"]) == 1


def test_a_learner_reads_his_own_account_and_nobody_elses(client: FlaskClient) -> None:
    open_the_annex()
    upload(student(1), student(2))
    first, second = learner_ids()
    me = as_a("learner", learner=[first])
    assert client.get(f"/learners/{first}", headers=me).json["kind"] == "student"
    [record] = client.get(f"/learners/{first}/records", headers=me).json
    assert (record["programme"], record["entry_year"], record["since"], record["until"]) == (
        "630302",
        2019,
        "2019-09-01",
        None,
    )
    assert client.get(f"/learners/{first}/particulars?purpose=page", headers=me).json["name"].startswith("陈晓岚")
    for path in ("", "/records", "/particulars?purpose=page"):
        assert client.get(f"/learners/{second}{path}", headers=me).status_code == 403
        assert client.get(f"/learners/nobody{path}", headers=as_a("registry")).status_code == 404


def test_particulars_are_opened_masked_and_noted(client: FlaskClient) -> None:
    open_the_annex()
    upload(neighbour())
    [learner_id] = learner_ids()
    shown = client.get(f"/learners/{learner_id}/particulars?purpose=诉求核对", headers=as_a("registry")).json
    number = identity(900, "44010619750820")
    assert shown == {
        "learner_id": learner_id, "name": "黄玉梅", "phone": "13900000000", "email": "yumei@example.cn",
        "documents": [{"document_type": "resident", "masked_number": f"440***********{number[-4:]}"}],
    }  # fmt: skip
    [noted] = rows_of(Disclosures, {})
    assert (noted["what"], noted["purpose"], noted["learner_ids"]) == ("particulars", "诉求核对", [learner_id])
    assert client.get(f"/learners/{learner_id}/particulars", headers=as_a("registry")).status_code == 422


def test_match_and_keys_serve_services_and_are_noted(client: FlaskClient) -> None:
    open_the_annex()
    upload(student())
    [learner_id] = learner_ids()
    wanted = [
        {"document_type": "居民身份证", "document_number": identity(1)},
        {"document_type": "", "document_number": "1"},
    ]
    machine = ISSUER.machine("enrolment", "service", subject="assessment")
    found = client.post("/match?purpose=candidates", json=wanted, headers=machine)
    assert found.json == [{"learner_id": learner_id}, {"learner_id": None}]
    asked = {"learner_ids": [learner_id, "nobody", learner_id], "purpose": "mail"}
    keys = client.post("/keys", json=asked, headers=as_a("service")).json["keys"]
    [said] = announced("LearnerRegistered")
    assert list(keys) == [learner_id]
    assert open_(key_of(keys[learner_id]), said["name"], f"learner:{learner_id}:name") == "陈晓岚1"
    noted = {row["what"]: row for row in rows_of(Disclosures, {})}
    assert (noted["match"]["count"], noted["match"]["purpose"], noted["match"]["client_id"]) == (
        2,
        "candidates",
        "assessment",
    )
    assert noted["keys"]["learner_ids"] == sorted([learner_id, "nobody"])
    for route, body in (("/match", wanted), ("/keys", asked)):
        assert client.post(route, json=body, headers=as_a("registry")).status_code == 403
        assert client.post(route, json=body).status_code == 401


def test_learners_are_found_by_student_number_and_by_whole_name(client: FlaskClient) -> None:
    open_the_annex()
    upload(student(1), student(2), neighbour(姓名="买买提•艾力"))
    by_number = client.get("/learners?student_number=2019040002", headers=as_a("registry")).json["items"]
    by_name = client.get("/learners?name=买买提·艾力", headers=as_a("registry")).json["items"]
    assert [one["kind"] for one in by_number] == ["student"]
    assert [one["kind"] for one in by_name] == ["community"]
    assert client.get("/learners?name=买买提", headers=as_a("registry")).json["items"] == []
    assert len(client.get("/learners", headers=as_a("registry")).json["items"]) == 3
    assert [row["what"] for row in rows_of(Disclosures, {})] == ["find", "find"]


def test_a_number_that_two_colleges_gave_is_read_in_pages(client: FlaskClient) -> None:
    open_the_annex()
    upload(student(1), student(2, 学号="2019040001", 学校代码="4144088888"), student(3))
    first = client.get("/learners?student_number=2019040001&limit=1", headers=as_a("registry")).json
    cursor = first["next"]
    rest = client.get(f"/learners?student_number=2019040001&cursor={cursor}", headers=as_a("registry")).json
    assert len(first["items"]) == len(rest["items"]) == 1
    assert rest["next"] is None


def test_two_members_of_staff_make_two_learners_one(client: FlaskClient) -> None:
    open_the_annex()
    upload(student(1), student(2))
    survivor, merged = learner_ids()
    body = {"survivor_id": survivor, "merged_id": merged}
    one, other = as_a("registry"), ISSUER.bearer("enrolment", "registry", subject="somebody-else")
    robot = ISSUER.machine("enrolment", "registry")
    for headers, code in ((robot, "person_needed"), (as_a("registry", college=["11062"]), "outside_your_scope")):
        refused = client.post("/merges", json=body, headers=headers)
        assert (refused.status_code, refused.json["code"]) == (403, code)
    for _ in range(2):
        assert client.post("/merges", json=body, headers=one).json == body | {"status": "asked"}
    assert [row["merged_id"] for row in client.get("/merges", headers=other).json["items"]] == [merged]
    assert client.post("/merges", json=body, headers=robot).json["code"] == "person_needed"
    assert client.get(f"/learners/{merged}", headers=one).json["merged_into"] is None
    assert client.post("/merges", json=body, headers=other).json == body | {"status": "accepted"}
    assert client.post("/merges", json=body, headers=one).json == body | {"status": "unchanged"}
    assert client.get("/merges", headers=other).json["items"] == []
    assert client.get(f"/learners/{merged}", headers=as_a("registry")).json["merged_into"] == survivor
    assert client.post("/merges", json=body | {"merged_id": "x"}, headers=as_a("registry")).status_code == 404


def test_a_roster_goes_from_upload_to_commit_through_the_workers_jobs(client: FlaskClient) -> None:
    open_the_annex()
    jobs = importlib.import_module("services.enrolment.jobs").jobs
    sheets = importlib.import_module("services.enrolment.applications.roster").sheets(KEYRING)
    lines = [student(1), student(2, 申请等级="特级"), student(1)]
    content = "\n".join([",".join(lines[0]), *(",".join(line.values()) for line in lines)]).encode("gb18030")
    for counted in (
        {"new": 1, "changed": 0, "unchanged": 0, "refused": 2},
        {"new": 0, "changed": 0, "unchanged": 1, "refused": 2},
    ):
        number = roster_committed(client, content, [job.verb for job in jobs(sheets, 30)])
        shown = client.get(f"/imports/{number}", headers=as_a("registry")).json
        assert (shown["state"], shown["counts"], shown["done"]) == ("committed", counted, counted)
    rows = client.get(f"/imports/{number}/rows", headers=as_a("registry")).json["items"]
    assert [row["code"] for row in rows] == [None, "level_unknown", "repeated_in_file"]
    assert len(learner_ids()) == 1


def test_who_is_limited_sends_no_roster_of_the_whole_college(client: FlaskClient) -> None:
    limited = as_a("registry", department=["财会学院"])
    form = {"file": (io.BytesIO(b"x"), "roster.csv")}
    refused = client.post("/imports?kind=roster&language=zh", data=form, headers=limited)
    assert (refused.status_code, refused.json["code"]) == (403, "outside_your_scope")
    assert client.get("/sheets", headers=limited).json == {"items": []}
    assert [one["kind"] for one in client.get("/sheets", headers=as_a("registry")).json["items"]] == [
        "roster",
        "curricula",
    ]


def roster_committed(client: FlaskClient, content: bytes, verbs: list[Callable[[], bool | None]]) -> int:
    """Upload, preview and commit a roster; its number."""

    def work() -> None:
        for verb in verbs:
            while verb():
                pass

    form = {"file": (io.BytesIO(content), "roster.csv")}
    taken = client.post("/imports?kind=roster&language=zh", data=form, headers=as_a("registry"))
    assert taken.status_code == 202, taken.json
    number: int = taken.json["number"]
    work()
    assert client.post(f"/imports/{number}/commit", headers=as_a("registry")).status_code == 202
    work()
    return number


TAX = {
    "code": "KJ2105", "name": "税务会计", "credit_points": 400, "kind": "core", "term": 4, "is_never_exempt": False,
    "modules": [{"code": "KJ2105-2", "name": "个税核算", "credit_points": 200}],
}  # fmt: skip


def accounting(client: FlaskClient) -> None:
    body = {"name": "会计", "entry_years": [2019, 2020], "credit_points_total": 14000}
    assert client.put("/programmes/630302", json=body, headers=as_a("operator")).status_code == 200


@pytest.mark.parametrize("role", ["operator", "registry"])
def test_a_curriculum_is_put_and_read_back_with_what_to_look_at(client: FlaskClient, role: str) -> None:
    accounting(client)
    for _ in range(2):
        answer = client.put("/programmes/630302/curricula/2019", json={"courses": [TAX]}, headers=as_a(role))
        assert answer.status_code == 200, answer.json
    assert (answer.json["revision"], answer.json["core_courses"], answer.json["credit_points"]) == (1, 1, 400)
    assert answer.json["courses"] == [TAX]
    assert [one["code"] for one in answer.json["warnings"]] == ["few_core_courses"]
    assert client.get("/programmes/630302/curricula/2019", headers=as_a("learner")).json == answer.json


def test_a_curriculum_that_is_not_there_is_not_found(client: FlaskClient) -> None:
    accounting(client)
    for path in ("/programmes/630302/curricula/2019", "/programmes/999999/curricula/2019"):
        assert client.get(path, headers=as_a("learner")).status_code == 404
    assert client.put("/programmes/9/curricula/2019", json={"courses": []}, headers=as_a("operator")).status_code == 404


@pytest.mark.parametrize(
    ("year", "change", "code"),
    [
        (2031, {}, "entry_year_not_offered"),
        (2019, {"code": "K J"}, "course_code_invalid"),
        (2019, {"credit_points": 100}, "modules_exceed_course"),
        (2019, {"credit_points": 4.5}, "fields_invalid"),
        (2019, {"term": 13}, "fields_invalid"),
        (2019, {"kind": "useful"}, "fields_invalid"),
    ],
)
def test_a_curriculum_that_cannot_be_is_refused(
    client: FlaskClient, year: int, change: dict[str, object], code: str
) -> None:
    accounting(client)
    body = {"courses": [TAX | change]}
    answer = client.put(f"/programmes/630302/curricula/{year}", json=body, headers=as_a("registry"))
    assert (answer.status_code, answer.json["code"]) == (422, code)
    assert client.get("/programmes/630302/curricula/2019", headers=as_a("learner")).status_code == 404


def test_others_do_not_put_curricula(client: FlaskClient) -> None:
    accounting(client)
    for role in ("learner", "trainer", "department", "teo"):
        answer = client.put("/programmes/630302/curricula/2019", json={"courses": [TAX]}, headers=as_a(role))
        assert answer.status_code == 403


def test_coverage_is_listed_by_programme_and_entry_year(client: FlaskClient) -> None:
    accounting(client)
    four = [TAX, *({**TAX, "code": f"K{n}", "modules": []} for n in range(3))]
    for year, courses in ((2020, [TAX]), (2019, four)):
        client.put(f"/programmes/630302/curricula/{year}", json={"courses": courses}, headers=as_a("registry"))
    first = client.get("/curricula?limit=1", headers=as_a("auditor")).json
    rest = client.get(f"/curricula?cursor={first['next']}", headers=as_a("auditor")).json
    found = first["items"] + rest["items"]
    shown = [(one["entry_year"], one["core_courses"], len(one["warnings"])) for one in found]
    assert shown == [(2019, 4, 0), (2020, 1, 1)]
    assert "courses" not in found[0]
    answer = client.get("/curricula", headers=as_a("auditor") | {"Accept-Language": "en"}).json
    assert "core courses" in answer["items"][1]["warnings"][0]["detail"]
