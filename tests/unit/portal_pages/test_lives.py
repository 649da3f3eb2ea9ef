"""A life is followed through services that answer over HTTP, and told in waves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Flask

from chassis.web.client import Client
from onex.stack.ports import free_port
from portal.pages.lives import MOST_CAUSES, follow
from portal.pages.steps import facts, summary, told

ROW, RESULT, FINAL, ENTRY, NOTICE = "import:assessment:1:2", "teo:plan:1:1", "event-final", "entry-1", "notice-1"
Answers = Mapping[str, list[dict[str, Any]]]


def step(at: str, service: str, what: str, id_: str, cause: str, **detail: Any) -> dict[str, Any]:
    return {
        "at": f"2021-03-01T08:{at}+00:00",
        "service": service,
        "what": what,
        "id": id_,
        "cause": cause,
        "detail": detail,
    }


ASSESSMENT: Answers = {
    ROW: [
        step("00:00.000", "assessment", "row submitted", "1:2", ROW, kind="results", row=2),
        step("00:04.100", "assessment", "ResultFinalised", FINAL, ROW, verdict="passed"),
        step("00:04.000", "assessment", "result", RESULT, ROW, verdict="passed"),
    ]
}
CREDITBANK: Answers = {
    FINAL: [step("00:04.500", "creditbank", "CreditPosted", ENTRY, FINAL, provisional_points=0, available_points=200)]
}
NOTIFY: Answers = {ENTRY: [step("01:10.000", "notify", "notice delivered", NOTICE, ENTRY, event="CreditPosted")]}


@contextmanager
def answering(answers: Answers, status: int = 200) -> Iterator[Client]:
    """A server of a service's /lives, and the way to it."""

    class Lives(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            steps = answers.get(unquote(self.path).removeprefix("/lives/"), [])
            body = json.dumps({"steps": steps}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Lives)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with Client(f"http://127.0.0.1:{server.server_port}", token=lambda: "t", answer_seconds=5) as client:
            yield client
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def services(**answers: Answers) -> Iterator[dict[str, Client]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(answering(some)) for name, some in answers.items()}


@pytest.fixture
def in_english() -> Iterator[None]:
    with Flask("pages").test_request_context(headers={"Accept-Language": "en"}):
        yield


def test_a_result_is_followed_from_its_row_to_its_notice() -> None:
    with services(assessment=ASSESSMENT, creditbank=CREDITBANK, notify=NOTIFY) as clients:
        life = follow([ROW], clients)
    assert [one["what"] for one in life.steps] == [
        "row submitted", "result", "ResultFinalised", "CreditPosted", "notice delivered",
    ]  # fmt: skip
    assert (life.silent, life.is_cut) == ([], False)


def test_a_silent_service_is_named_and_the_others_are_told() -> None:
    nobody = Client(f"http://127.0.0.1:{free_port()}", token=lambda: "t")
    with nobody, services(assessment=ASSESSMENT, notify=NOTIFY) as clients:
        life = follow([ROW], clients | {"creditbank": nobody})
    assert life.silent == ["creditbank"]
    assert [one["service"] for one in life.steps] == ["assessment"] * 3


def test_a_service_that_refuses_has_nothing_to_tell() -> None:
    with answering(ASSESSMENT, status=403) as refusing, services(creditbank=CREDITBANK) as clients:
        life = follow([FINAL], clients | {"assessment": refusing})
    assert life.silent == []
    assert [one["what"] for one in life.steps] == ["CreditPosted"]


def test_a_circle_of_causes_ends() -> None:
    circle = {"a": [step("00:00", "notify", "x", "b", "a")], "b": [step("00:01", "notify", "x", "a", "b")]}
    with services(notify=circle) as clients:
        assert len(follow(["a"], clients).steps) == 2


def test_what_is_too_long_is_cut_and_says_so() -> None:
    many = {"a": [step("00:00", "notify", "x", f"b{number}", "a") for number in range(MOST_CAUSES + 50)]}
    with services(notify=many) as clients:
        life = follow(["a"], clients)
    assert life.is_cut
    assert len(life.steps) == MOST_CAUSES + 50


@pytest.mark.usefixtures("in_english")
def test_steps_that_followed_at_once_stand_together() -> None:
    with services(assessment=ASSESSMENT, creditbank=CREDITBANK, notify=NOTIFY) as clients:
        waves = told(follow([ROW], clients).steps, {})
    assert [(wave["elapsed"], len(wave["steps"])) for wave in waves] == [(0.0, 1), (4.0, 3), (70.0, 1)]
    assert told([], {}) == []


@pytest.mark.usefixtures("in_english")
def test_a_step_is_summed_up_in_a_few_words() -> None:
    assert summary(ASSESSMENT[ROW][1]) == "passed"
    assert summary(CREDITBANK[FINAL][0]) == "provisional 0, available +200"
    assert summary(NOTIFY[ENTRY][0]) == "Credit posted"
    submitted = step("00:00", "assessment", "row submitted", "1:2", ROW, **{"kind": "results", "import": 1, "row": 2})
    assert summary(submitted) == "Results, import 1, row 2"
    assert summary(step("00:00", "training", "place held", "p", ROW)) == ""


@pytest.mark.usefixtures("in_english")
def test_details_are_told_in_the_readers_words() -> None:
    detail = {
        "level": 2,
        "scheme": "online-shop",
        "verdict": "failed",
        "theory": None,
        "withdrawn": False,
        "novel": [1, 2],
    }
    found = dict(facts(step("00:00", "assessment", "result", RESULT, ROW, **detail), {"online-shop": "网店运营推广"}))
    assert found == {
        "Level": "intermediate",
        "Certificate": "网店运营推广",
        "Verdict": "failed",
        "Theory": "—",
        "Withdrawn": "no",
        "novel": "1, 2",
    }
