"""The document is valid, states every problem, and its page needs nothing from elsewhere."""

from __future__ import annotations

import re
from typing import Any

from flask.testing import FlaskClient

from chassis.bus.outbox import append
from chassis.database import run_transaction
from tests.chassis.web.tokens import TestIssuer
from tests.support.words import Counted

OPERATIONS = ("get", "put", "post", "delete")


def operations(client: FlaskClient) -> list[tuple[str, str, dict[str, Any]]]:
    paths = client.get("/openapi.json").json["paths"]
    return [(path, method, item[method]) for path, item in paths.items() for method in OPERATIONS if method in item]


def test_it_is_openapi_3_1_with_its_title(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    assert document["openapi"] == "3.1.0"
    assert document["info"]["title"] == "Things"
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_every_operation_states_its_security_and_problems(client: FlaskClient) -> None:
    found = operations(client)
    assert len({one["operationId"] for _, _, one in found}) == len(found)
    for path, method, one in found:
        assert {"422", "429", "500", "503"} <= set(one["responses"]), (path, method)
        assert "security" in one
        if one["security"]:
            assert {"401", "403"} <= set(one["responses"])
            assert one["x-roles"]
        if "requestBody" in one:
            assert {"400", "413", "415"} <= set(one["responses"])
        if "{" in path:
            assert "404" in one["responses"]


def test_lists_and_keys_are_stated(client: FlaskClient) -> None:
    post = client.get("/openapi.json").json["paths"]["/things"]["post"]
    assert post["requestBody"]["content"]["application/json"]["schema"]["maxItems"] == 500
    assert [one["name"] for one in post["parameters"]] == ["Idempotency-Key"]


def test_the_page_is_readable_in_both_languages_without_the_internet(client: FlaskClient) -> None:
    page = client.get("/docs", headers={"Accept-Language": "zh"})
    text = page.get_data(as_text=True)
    assert "参数" in text
    assert "/things/{owner}/{name}" in text
    assert "Arguments" in client.get("/docs?language=en", headers={"Accept-Language": "zh"}).get_data(as_text=True)
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", text)
    assert "<script" not in text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_metrics_count_by_route(client: FlaskClient) -> None:
    client.get("/numbers/7")
    text = client.get("/metrics").get_data(as_text=True)
    assert (
        'onex_http_request_seconds_count{method="GET",route="/numbers/<int:n>",service="things",status="200"}' in text
    )


def test_a_life_tells_what_was_announced(client: FlaskClient, issuer: TestIssuer) -> None:
    run_transaction(lambda: append(Counted(name="stone", amount=3), cause="import:things:1:2"))
    answer = client.get("/lives/import:things:1:2", headers=issuer.bearer("things", "clerk")).json
    assert [(step["what"], step["cause"], step["detail"]) for step in answer["steps"]] == [
        ("Counted", "import:things:1:2", {"amount": 3})
    ]
    assert client.get("/lives/other", headers=issuer.bearer("things", "clerk")).json == {"steps": []}


def test_a_problem_is_stated_as_one(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    stated = document["paths"]["/things"]["get"]["responses"]
    assert stated["422"] == {"$ref": "#/components/responses/Problem422"}
    assert set(document["components"]["responses"]["Problem422"]["content"]) == {"application/problem+json"}
