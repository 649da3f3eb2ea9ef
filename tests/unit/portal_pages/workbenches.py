"""A service's dead-letter workbench that answers over HTTP with letters of a test."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Letter = dict[str, Any]
Body = dict[str, Any]
OPEN = {"waiting", "asked", "discarding"}
EMPTY: dict[str, Any] = {
    "/flow": {"stages": []},
    "/warnings": {"warnings": []},
    "/schemes": {"items": [], "next": None},
}


def letter(number: int = 1, key: str = "learner:l1", **more: Any) -> Letter:
    """A letter as the API gives it; without a key it is of a record that is no event."""
    place = "onex.assessment.v1:3"
    about = {
        "id": f"assessment|{key}|{number}" if key else f"{place}|{number}",
        "state": "waiting",
        "type": "ResultFinalised" if key else "",
        "source": "assessment" if key else "",
        "key": key,
        "seq": number if key else 0,
        "cause": "import:assessment:1:2" if key else "",
        "place": place,
        "offset": 40 + number,
        "attempts": 1,
        "first_at": f"2021-03-01T08:00:{number % 60:02d}+00:00",
        "last_at": f"2021-03-01T08:00:{number % 60:02d}+00:00",
        "code": "handling_broke" if key else "record_broken",
        "why": "Handling it broke: KeyError at services/creditbank/handlers.py:40 outcome_of.",
        "waiting": 0,
        "due_on": None,
        "decisions": [],
        "event": {"learner_id": key.removeprefix("learner:"), "verdict": "passed", "level": 2} if key else None,
        "frames": ["/srv/onex/services/creditbank/handlers.py:40 outcome_of"],
    }
    return about | more


class Workbench:
    """What one service has, refuses (reason by id), and was sent."""

    def __init__(self, *letters: Letter, refused: dict[str, str] | None = None) -> None:
        self.letters = list(letters)
        self.refused = refused or {}
        self.sent: list[tuple[str, Body]] = []

    def listed(self, query: dict[str, str]) -> Body:
        """A page of the letters, as GET /dead-letters reads them."""
        states = {query["state"]} if "state" in query else OPEN
        of_type = [one for one in self.letters if query.get("type", one["type"]) == one["type"]]
        wanted = [one for one in of_type if one["state"] in states]
        start, limit = int(query.get("cursor", "0")), int(query["limit"])
        ahead = start + limit if len(wanted) > start + limit else None
        bare = [{name: one[name] for name in one if name not in {"event", "frames"}} for one in wanted]
        return {"items": bare[start : start + limit], "next": None if ahead is None else str(ahead)}

    def told(self, path: str, body: Body) -> list[Body]:
        """A word on each letter sent."""
        self.sent.append((path, body))
        return [
            {"id": one, "status": "refused", "code": "handling_broke", "detail": self.refused[one]}
            if one in self.refused
            else {"id": one, "status": "accepted", "code": None, "detail": None}
            for one in body["ids"]
        ]

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        """What a GET is answered."""
        if path == "/dead-letters":
            return 200, self.listed(query)
        found = [one for one in self.letters if path == f"/dead-letters/{one['id']}"]
        if found:
            return 200, found[0]
        return (200, EMPTY[path]) if path in EMPTY else (404, {"status": 404, "code": "not_found", "detail": "none"})


@contextmanager
def answering(workbench: Workbench) -> Iterator[str]:
    """A server of the workbench; its address."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self.say(*workbench.answer(unquote(parts.path), query))

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            answer = workbench.told(unquote(self.path), json.loads(self.rfile.read(length)) if length else None)
            self.say(*(answer if isinstance(answer, tuple) else (200, answer)))

        do_PUT = do_DELETE = do_POST  # noqa: N815 -- as the server's base names them

        def say(self, status: int, answer: Any) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
