"""Ports: whether one is free, and who has it."""

from __future__ import annotations

import errno
import socket
from typing import Any

import psutil

LOOPBACK = "127.0.0.1"
CONNECT_SECONDS = 1.0


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_taken(port: int) -> bool:
    """Whether a server could not listen here."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        error = _bind_error(probe, port)
    if error and error.errno != errno.EADDRINUSE:
        raise error
    return error is not None


def _bind_error(probe: socket.socket, port: int) -> OSError | None:
    try:
        probe.bind((LOOPBACK, port))
    except OSError as error:
        return error
    return None


def answers(host: str, port: int) -> bool:
    """Whether somebody accepts a connection there."""
    try:
        with socket.create_connection((host, port), CONNECT_SECONDS):
            return True
    except OSError:
        return False


def holder_of(port: int) -> str:
    """The process that listens on a port, for a sentence; empty when the system does not tell."""
    try:
        pid = next((one.pid for one in psutil.net_connections("tcp") if one.pid and _listens(one, port)), None)
        return f"{psutil.Process(pid).name()}, process {pid}" if pid else ""
    except (psutil.Error, PermissionError):
        return ""


def _listens(connection: Any, port: int) -> bool:
    return connection.status == psutil.CONN_LISTEN and bool(connection.laddr) and connection.laddr.port == port
