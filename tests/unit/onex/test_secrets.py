"""Secrets are made once, kept for their owner's eyes, and derived as the portal derives them."""

from __future__ import annotations

from pathlib import Path

from chassis import seal
from onex.stack import secrets
from onex.stack.home import Home
from portal.identity.machines.domain import derived_secret


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").made()
    first = secrets.kept(home)
    assert secrets.kept(home) == first
    assert (home / "secrets.env").stat().st_mode & 0o777 == 0o600
    assert len({value for name, value in first.items() if name.startswith("SEAL_KEY")}) == 6


def test_what_an_older_file_lacks_is_added_and_the_rest_stays(tmp_path: Path) -> None:
    home = Home(tmp_path).made()
    first = secrets.kept(home)
    older = {name: value for name, value in first.items() if name not in ("SEAL_KEY_NOTIFY", "CLIENT_SECRET_NOTIFY")}
    (home / "secrets.env").write_text("".join(f"{name}={value}\n" for name, value in older.items()))
    completed = secrets.kept(home)
    assert {name: completed[name] for name in older} == older
    assert completed["CLIENT_SECRET_NOTIFY"] == first["CLIENT_SECRET_NOTIFY"]
    assert completed["SEAL_KEY_NOTIFY"] != first["SEAL_KEY_NOTIFY"]


def test_every_key_opens_what_it_sealed() -> None:
    for name, value in secrets.made().items():
        if name.startswith("SEAL_KEY"):
            key = seal.key_of(value)
            assert seal.open_(key, seal.seal(key, "text", "here"), "here") == "text"


def test_the_portal_derives_the_same_client_secrets() -> None:
    made = secrets.made()
    for client in secrets.CLIENTS:
        assert made[f"CLIENT_SECRET_{client.upper()}"] == derived_secret(seal.key_of(made["CLIENTS_KEY"]), client)
