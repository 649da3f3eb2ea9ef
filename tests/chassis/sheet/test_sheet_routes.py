"""Sheets over HTTP: upload, follow, look, commit, take the workbook; each caller sees what is his."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.database import collection_of
from chassis.sheet.lives import submitted_rows
from chassis.sheet.models import Imports
from chassis.sheet.routes import sheets_blueprint
from chassis.web.app import create_app
from tests.chassis.sheet.library import Desk, counts, csv, lending, run_jobs, sheets_of
from tests.chassis.web.tokens import TestIssuer

SHEETS = sheets_of()
ISSUER = TestIssuer()
TOMORROW = int(time.time()) + 86_400  # made when the file is read, which may be long before its tests
LIBRARIAN = ISSUER.bearer("library", Desk.LIBRARIAN, subject="li", exp=TOMORROW)
BRANCH_ONE = ISSUER.bearer("library", Desk.BRANCH, owns={"branch": ["b1"]}, subject="one", exp=TOMORROW)
BRANCH_TWO = ISSUER.bearer("library", Desk.BRANCH, owns={"branch": ["b2"]}, subject="two", exp=TOMORROW)
VISITOR = ISSUER.bearer("library", Desk.VISITOR, exp=TOMORROW)


class Settings:
    mongo = database = portal_url = ""
    log_level = "INFO"
    seal_key = "c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M"


@pytest.fixture
def client(mongo: str) -> Iterator[FlaskClient]:
    app = create_app(
        "library",
        Settings(),
        [sheets_blueprint(SHEETS)],
        title="Library",
        lives=[submitted_rows(SHEETS)],
        lives_for=[Desk.LIBRARIAN],
        trust=ISSUER,
    )
    with app.test_client() as made:
        yield made


def post(client: FlaskClient, content: bytes, headers: dict[str, str], query: str = "kind=lending", **more: str) -> Any:
    body = {"file": (io.BytesIO(content), "名单.csv")}
    return client.post(f"/imports?{query}", data=body, content_type="multipart/form-data", headers=headers | more)


def test_an_upload_is_followed_looked_at_committed_and_taken_back(client: FlaskClient) -> None:
    taken = post(client, csv([*lending(2), ("黄玉梅", "110101197503070021", 101, "")]), LIBRARIAN)
    assert (taken.status_code, taken.headers["Location"]) == (202, "/imports/1")
    assert taken.json["state"] == "reading"
    run_jobs(SHEETS)
    seen = client.get("/imports/1", headers=LIBRARIAN).json
    assert (seen["state"], seen["counts"], seen["file_name"]) == ("previewed", counts(new=2, refused=1), "名单.csv")
    refused = client.get("/imports/1/rows?status=refused", headers=LIBRARIAN | {"Accept-Language": "zh-CN"}).json[
        "items"
    ]
    assert refused == [
        {
            "row": 4,
            "status": "refused",
            "code": "test_too_many_books",
            "detail": "101 本太多。",
            "notes": [],
            "cells": {"姓名": "黄**", "借书证号": "110***********0021", "册数": "101", "日期": ""},
            "cause": "import:library:1:4",
        }
    ]
    asked = client.post("/imports/1/commit", headers=LIBRARIAN)
    assert (asked.status_code, asked.json["state"]) == (202, "committing")
    run_jobs(SHEETS)
    assert client.get("/imports/1", headers=LIBRARIAN).json["done"] == counts(new=2, refused=1)
    book = client.get("/imports/1/workbook.xlsx", headers=LIBRARIAN)
    assert (book.status_code, book.data[:2]) == (200, b"PK")
    colleague = ISSUER.bearer("library", Desk.LIBRARIAN, subject="wang", exp=TOMORROW)
    assert client.get("/imports/1/rows", headers=colleague).status_code == 200  # masked
    assert client.get("/imports/1/workbook.xlsx", headers=colleague).json["code"] == "workbook_of_another"
    (step, *_) = client.get("/lives/import:library:1:2", headers=LIBRARIAN).json["steps"]
    assert step["detail"]["uploaded_by"] == "li"
    assert client.delete("/imports/1", headers=LIBRARIAN).status_code == 409


def test_rows_are_paged_by_status_across_pieces(client: FlaskClient) -> None:
    lines = [(f"读者{i}", f"C{i}", 101 if i % 300 == 0 else 1, "") for i in range(1300)]
    post(client, csv(lines), LIBRARIAN)
    run_jobs(SHEETS)
    for status, expected in (("refused", [2, 302, 602, 902, 1202]), ("", list(range(2, 1302)))):
        rows, query = [], f"limit=3&status={status}" if status else "limit=450"
        cursor = ""
        while cursor is not None:
            answer = client.get(f"/imports/1/rows?{query}{cursor}", headers=LIBRARIAN).json
            rows += [row["row"] for row in answer["items"]]
            cursor = f"&cursor={answer['next']}" if answer["next"] else None
        assert rows == expected


def test_a_repeated_request_is_answered_alike_and_another_file_under_its_key_is_refused(client: FlaskClient) -> None:
    key = {"Idempotency-Key": "k1"}
    first = post(client, csv(lending(2)), LIBRARIAN | key)
    again = post(client, csv(lending(2)), LIBRARIAN | key)
    assert (first.status_code, again.status_code, first.json["number"], again.json["number"]) == (202, 202, 1, 1)
    assert post(client, csv(lending(3)), LIBRARIAN | key).status_code == 409
    assert post(client, csv(lending(2)), LIBRARIAN).json["number"] == 2


def test_an_organisation_sees_its_own_imports_alone(client: FlaskClient) -> None:
    for headers in (LIBRARIAN, BRANCH_ONE, BRANCH_TWO, BRANCH_ONE):
        post(client, csv(lending(2)), headers)
    numbers = {
        name: [one["number"] for one in client.get("/imports", headers=headers).json["items"]]
        for name, headers in (("li", LIBRARIAN), ("one", BRANCH_ONE), ("two", BRANCH_TWO))
    }
    assert numbers == {"li": [4, 3, 2, 1], "one": [4, 2], "two": [3]}
    for way, path in (
        ("get", "/imports/3"),
        ("get", "/imports/3/rows"),
        ("get", "/imports/1"),
        ("delete", "/imports/3"),
        ("post", "/imports/3/commit"),
        ("get", "/imports/3/workbook.xlsx"),
    ):
        answer = getattr(client, way)(path, headers=BRANCH_ONE)
        assert (answer.status_code, answer.json["code"]) == (403, "outside_your_scope")
    assert client.get("/imports/2", headers=BRANCH_ONE).status_code == 200
    assert client.get("/imports/9", headers=BRANCH_ONE).status_code == 404
    assert client.get("/imports/1", headers=VISITOR).status_code == 403


def test_the_list_of_imports_goes_on_and_is_filtered(client: FlaskClient) -> None:
    for _ in range(5):
        post(client, csv(lending(1)), LIBRARIAN)
    first = client.get("/imports?limit=2&kind=lending", headers=LIBRARIAN).json
    second = client.get(f"/imports?limit=2&cursor={first['next']}", headers=LIBRARIAN).json
    assert [one["number"] for one in first["items"] + second["items"]] == [5, 4, 3, 2]
    assert client.get("/imports?state=committed", headers=LIBRARIAN).json == {"items": [], "next": None}
    assert client.get("/imports?kind=other", headers=LIBRARIAN).json["items"] == []


@pytest.mark.parametrize(
    ("query", "content", "status", "code"),
    [
        ("kind=lending", b"", 422, "file_empty"),
        ("kind=nothing", b"x", 422, "fields_invalid"),
        ("", b"x", 422, "fields_invalid"),
        ("kind=lending&language=fr", b"x", 422, "fields_invalid"),
        ("kind=lending&colour=red", b"x", 422, "fields_invalid"),
        ("kind=lending&as_of=yesterday", b"x", 422, "not_an_instant"),
    ],
)
def test_a_wrong_upload_is_refused_with_what_to_do(
    client: FlaskClient, query: str, content: bytes, status: int, code: str
) -> None:
    answer = post(client, content, LIBRARIAN, query)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert client.get("/imports", headers=LIBRARIAN).json["items"] == []


def test_an_upload_without_a_file_or_that_is_no_form_is_refused(client: FlaskClient) -> None:
    assert client.post("/imports?kind=lending", headers=LIBRARIAN).status_code == 422
    assert client.post("/imports?kind=lending", headers=LIBRARIAN, json={}).status_code == 415
    form = client.post("/imports?kind=lending", headers=LIBRARIAN, data={"x": "y"}, content_type="multipart/form-data")
    assert form.status_code == 422


def test_a_file_over_the_limit_is_refused(client: FlaskClient) -> None:
    body = b"x" * (33 * 1024 * 1024)
    answer = client.post(
        "/imports?kind=lending", headers=LIBRARIAN, data=body, content_type="multipart/form-data; boundary=x"
    )
    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")


def test_options_are_read_and_told(client: FlaskClient) -> None:
    taken = post(client, csv(lending(1)), LIBRARIAN, "kind=lending&as_of=2020-11-21%2018:30&language=en").json
    assert (taken["options"], taken["language"]) == ({"as_of": "2020-11-21T18:30:00+08:00"}, "en")


def test_an_unreadable_file_tells_its_problem_in_the_callers_language(client: FlaskClient) -> None:
    post(client, b"%PDF-1.7\x00", LIBRARIAN)
    run_jobs(SHEETS)
    for language, words in (("zh", "该文件既不是 Excel"), ("en", "This file is neither")):
        seen = client.get("/imports/1", headers=LIBRARIAN | {"Accept-Language": language}).json
        assert (seen["state"], seen["problem"]["code"]) == ("unreadable", "not_a_sheet")
        assert seen["problem"]["detail"].startswith(words)
    assert client.post("/imports/1/commit", headers=LIBRARIAN).json["code"] == "import_unreadable"
    assert client.get("/imports/1/workbook.xlsx", headers=LIBRARIAN).status_code == 409
    assert client.delete("/imports/1", headers=LIBRARIAN).status_code == 204
    assert client.get("/imports/1", headers=LIBRARIAN).status_code == 404


def test_an_emptied_import_is_told_of_with_its_figures(client: FlaskClient) -> None:
    post(client, csv(lending(2)), LIBRARIAN)
    run_jobs(SHEETS)
    assert client.get("/imports/1", headers=LIBRARIAN).json["emptied_at"] is None
    collection_of(Imports).update_one({"_id": 1}, {"$set": {"not_before": datetime(2020, 11, 21, tzinfo=UTC)}})
    run_jobs(SHEETS)
    (told,) = client.get("/imports?state=abandoned", headers=LIBRARIAN).json["items"]
    assert told == client.get("/imports/1", headers=LIBRARIAN).json
    assert (told["file_name"], told["options"], told["problem"], told["counts"]) == ("", {}, None, counts(new=2))
    assert told["uploaded_by"] == "li"
    assert told["emptied_at"] > told["uploaded_at"]
    assert client.get("/imports/1/rows?status=new", headers=LIBRARIAN).json == {"items": [], "next": None}
    for way, path in (("get", "/imports/1/workbook.xlsx"), ("post", "/imports/1/commit")):
        answer = getattr(client, way)(path, headers=LIBRARIAN)
        assert (answer.status_code, answer.json["code"]) == (409, "import_emptied")
    assert client.get("/lives/import:library:1:3", headers=LIBRARIAN).json["steps"][0]["detail"]["uploaded_by"] == "li"


def test_kinds_and_templates_are_told_to_those_who_may_use_them(client: FlaskClient) -> None:
    (kind,) = client.get("/sheets", headers=BRANCH_ONE).json["items"]
    assert [column["name"] for column in kind["columns"]] == ["姓名", "借书证号", "册数", "日期"]
    assert client.get(kind["template"], headers=BRANCH_ONE).data[:2] == b"PK"
    assert client.get("/sheets/other/template.xlsx", headers=BRANCH_ONE).status_code == 404
    assert client.get("/sheets", headers=VISITOR).status_code == 403
