"""Behind a real gunicorn: what no application sees is a problem document too, and bodies in chunks are bounded."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.engines import free_port

ROOT = Path(__file__).parents[3]
START_SECONDS = 60


@pytest.fixture(scope="module")
def port(mongo_url: str) -> Iterator[int]:
    number = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{number}", "--threads", "4", "--no-control-socket",
        "--worker-class", "chassis.web.server.Worker", "tests.chassis.web.served:app",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"MONGO": mongo_url}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "Booting worker" in line:
            break
    with httpx.Client(transport=httpx.HTTPTransport(retries=20)) as client:
        assert client.get(f"http://127.0.0.1:{number}/healthz", timeout=START_SECONDS).status_code == 200
    yield number
    process.terminate()
    process.communicate(timeout=START_SECONDS)


def spoken(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """What comes back for these bytes: status, headers, body."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(request)
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), dict(text.split(": ", 1) for text in lines), body


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nBad Header : a\r\n\r\n", 400),
        (b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", 400),
        (b"TRACE /mine HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 405),
        (b"GET /%00%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
        (b"GET //mine HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 401),
    ],
    ids=["garbage", "long line", "long header", "bad header", "bad length", "trace", "bytes", "slashes"],
)
def test_every_bad_request_is_a_problem(port: int, request_bytes: bytes, status: int) -> None:
    answered, headers, body = spoken(port, request_bytes)
    assert answered == status
    assert headers["Content-Type"] == "application/problem+json"
    assert json.loads(body)["status"] == status
    assert ("Allow" in headers) == (status == 405)


def chunks(count: int) -> Iterator[bytes]:
    yield b"["
    for _ in range(count):
        yield b" " * 65536
    yield b"]"


def test_a_body_in_chunks_is_bounded_like_any_other(port: int) -> None:
    address = f"http://127.0.0.1:{port}/open/things"
    headers = {"Content-Type": "application/json"}
    assert httpx.post(address, content=chunks(2), headers=headers).json() == {"count": 0}
    refused = httpx.post(address, content=chunks(40), headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")


def test_the_master_does_not_load_the_metrics() -> None:
    program = "import sys, chassis.web.server; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
