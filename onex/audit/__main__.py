"""`python -m onex.audit`: audits every hour, figures at /metrics; `--once`: now, exit 1 when it does not balance."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from onex.audit.auditor import Auditor, Report
from onex.audit.reading import SERVICES, Reader, Unreadable
from onex.audit.telling import as_json, log, log_report, metrics, table
from onex.stack.secrets import client_secret

USUAL = {"AUDIT_EVERY_SECONDS": 3600.0, "AUDIT_FIRST_SECONDS": 300.0, "AUDIT_GRACE_SECONDS": 600.0}
AGAIN_SECONDS = 300.0  # after an audit that could not read
BALANCED, IMBALANCED, UNREAD = 0, 1, 2
CLIENT = "auditor"


@dataclass
class State:
    """What the process knows of its audits."""

    started: float = field(default_factory=time.time)
    report: Report | None = None
    failures: int = 0
    trouble: str = ""


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Audit once, or until SIGTERM; the exit code."""
    urls = {name: environment[f"{name.upper()}_URL"] for name in ("portal", *SERVICES)}
    reader = Reader(urls, environment.get("CLIENT_ID", CLIENT), environment["CLIENT_SECRET"])
    auditor = Auditor(reader, timedelta(seconds=_seconds(environment, "AUDIT_GRACE_SECONDS")))
    if "--once" in arguments:
        return once(auditor, in_json="--json" in arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    auditor.pause = stop.wait
    state = State()
    serve(environment.get("BIND", "127.0.0.1"), int(environment.get("AUDITOR_PORT", "8120")), state)
    keep_auditing(auditor, state, stop, environment)
    reader.close()
    return BALANCED


def audit_stack(urls: Mapping[str, str], clients_key: str, grace_seconds: int, in_json: bool) -> int:
    """Audit a stack of this machine now, as the machine that is built in for it; the exit code."""
    reader = Reader(urls, CLIENT, client_secret(clients_key, CLIENT))
    try:
        return once(Auditor(reader, timedelta(seconds=grace_seconds)), in_json)
    finally:
        reader.close()


def _seconds(environment: Mapping[str, str], name: str) -> float:
    """A setting in seconds, above zero."""
    given = float(environment.get(name) or USUAL[name])
    if not 0 <= given <= 86_400:
        raise SystemExit(f"{name}={given:g}: write seconds, at most a day.")
    return given


def once(auditor: Auditor, in_json: bool = False) -> int:
    """Audit now and print what came of it; 1 when something does not agree, 2 when it could not be read."""
    try:
        report = auditor.audit()
    except Unreadable as trouble:
        print(f"onex: {trouble}", file=sys.stderr)
        return UNREAD
    print(as_json(report) if in_json else table(report))
    return BALANCED if report.is_balanced else IMBALANCED


def keep_auditing(auditor: Auditor, state: State, stop: threading.Event, environment: Mapping[str, str]) -> None:
    """Audit at the interval, sooner again when something could not be read, until told to stop."""
    every, pause = (_seconds(environment, name) for name in ("AUDIT_EVERY_SECONDS", "AUDIT_FIRST_SECONDS"))
    while not stop.wait(pause):
        try:
            state.report = auditor.audit()
        except (Unreadable, ValueError) as trouble:
            state.failures, state.trouble, pause = state.failures + 1, str(trouble), min(AGAIN_SECONDS, every)
            log("an audit could not be made", "error", why=str(trouble))
        else:
            state.trouble, pause = "", max(every - state.report.seconds, 0.0)
            log_report(state.report)


def serve(host: str, port: int, state: State) -> ThreadingHTTPServer:
    """Answer /healthz, /readyz and /metrics."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = answer(self.path, state)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Probes are not news."""

    server = ThreadingHTTPServer((host, port), Answers)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server


def answer(path: str, state: State) -> tuple[int, str, bytes]:
    """Status, media type and content; ready unless the last audit could not read."""
    if path == "/metrics":
        text = metrics(state.report, state.started, state.failures)
        return 200, "text/plain; version=0.0.4; charset=utf-8", text.encode()
    if path == "/healthz":
        return 200, "application/json", b'{"status": "alive"}'
    if path == "/readyz":
        body = json.dumps({"status": "waiting" if state.trouble else "ready", "trouble": state.trouble}).encode()
        return 503 if state.trouble else 200, "application/json", body
    return 404, "application/json", b'{"status": "not found"}'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
