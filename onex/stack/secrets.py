"""The stack's secrets, made at the first start and kept: `.onex/secrets.env`; the standard library only."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from onex.stack.home import Home

SERVICES = ("enrolment", "training", "assessment", "creditbank", "notify")
SEALING = (*SERVICES, "portal")
CLIENTS = (*SEALING, "auditor")
KEY_BYTES = 32


def _text(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


def _new() -> str:
    return _text(secrets.token_bytes(KEY_BYTES))


def client_secret(clients_key: str, client_id: str) -> str:
    """The secret of a built-in client, derived from the key the portal holds."""
    key = base64.urlsafe_b64decode(clients_key + "=" * (-len(clients_key) % 4))
    return _text(hmac.new(key, client_id.encode(), hashlib.sha256).digest())


def made() -> dict[str, str]:
    """A new set: a seal key for each service, the pepper, and the clients' secrets."""
    clients_key = _new()
    return {
        **{f"SEAL_KEY_{name.upper()}": _new() for name in SEALING},
        "PEPPER": _new(),
        "CLIENTS_KEY": clients_key,
        **{f"CLIENT_SECRET_{name.upper()}": client_secret(clients_key, name) for name in CLIENTS},
    }


def read(file: Path) -> dict[str, str]:
    """The names and values of an env file."""
    lines = (line.strip() for line in file.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def kept(home: Home) -> dict[str, str]:
    """The secrets of a stack: those it has, completed by those it lacks."""
    file = home / "secrets.env"
    have = read(file) if file.exists() else {}
    lacks = {name: value for name, value in made().items() if name not in have}
    if not lacks:
        return have
    if "CLIENTS_KEY" in have:
        lacks = {name: _derived(name, value, have["CLIENTS_KEY"]) for name, value in lacks.items()}
    complete = have | lacks
    _write(file, complete)
    return complete


def _derived(name: str, value: str, clients_key: str) -> str:
    client = name.removeprefix("CLIENT_SECRET_")
    return client_secret(clients_key, client.lower()) if client != name else value


def _write(file: Path, values: dict[str, str]) -> None:
    """Write the file whole or not at all, for its owner's eyes."""
    half = file.with_suffix(".half")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write("# Whoever reads this reads everything: sealed fields open with these keys. Back it up apart.\n")
        out.writelines(f"{name}={value}\n" for name, value in values.items())
        out.flush()
        os.fsync(out.fileno())
    half.replace(file)


if __name__ == "__main__":
    kept(Home.from_environment().made())
