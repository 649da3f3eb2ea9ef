"""Ask an address whether it is well: `python -m onex.stack.probe http://… | tcp://…`; the standard library only."""

from __future__ import annotations

import http.client
import socket
import sys
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 3.0


def is_well(address: str, timeout_seconds: float = TIMEOUT_SECONDS) -> bool:
    """Whether an HTTP address answers with 200, or a TCP one takes a connection."""
    url = urlsplit(address)
    host, port = url.hostname or "127.0.0.1", url.port or 80
    try:
        if url.scheme == "tcp":
            socket.create_connection((host, port), timeout_seconds).close()
            return True
        return _status(host, port, url.path or "/", timeout_seconds) == http.client.OK
    except (OSError, http.client.HTTPException):
        return False


def _status(host: str, port: int, path: str, timeout_seconds: float) -> int:
    line = http.client.HTTPConnection(host, port, timeout=timeout_seconds)
    try:
        line.request("GET", path, headers={"Connection": "close"})
        return line.getresponse().status
    finally:
        line.close()


if __name__ == "__main__":
    sys.exit(0 if is_well(sys.argv[1]) else 1)
