"""What speaks to the engines is stopped and comes again, under the same supervisor; half a restore keeps it away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from onex.stack.home import Home
from onex.stack.ports import free_port
from onex.stack.supervisor import Supervisor
from onex.stack.trouble import Trouble
from onex.stack.up import down, engines_alone, up

COMPOSE = """
services:
  web:
    command: [python, -m, http.server, "${WEB_PORT:-8999}", --bind, 127.0.0.1]
    ports: ["127.0.0.1:${WEB_PORT:-8999}:${WEB_PORT:-8999}"]
    healthcheck:
      test: [CMD, python, -m, onex.stack.probe, "tcp://127.0.0.1:${WEB_PORT:-8999}"]
"""


def quiet(_sentence: str) -> None:
    """Nobody reads along."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "home")
    yield made
    down(made, quiet)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "compose.yml"
    made.write_text(COMPOSE)
    return made


def runs(home: Home) -> bool:
    return Supervisor(home).processes()["web"]["statename"] in ("STARTING", "RUNNING")


@pytest.mark.parametrize("runs_before", [True, False])
def test_what_was_stopped_starts_again_under_the_same_supervisor(home: Home, file: Path, runs_before: bool) -> None:
    given = {"WEB_PORT": str(free_port())}
    if runs_before:
        up(home, given, 0, quiet, file)
        assert runs(home)
    engines_alone(home, given, quiet, file)
    assert not runs(home)
    supervisor = Supervisor(home).pid()
    up(home, given, 0, quiet, file)
    assert (runs(home), Supervisor(home).pid()) == (True, supervisor)


def test_nothing_starts_on_databases_that_are_half_loaded(home: Home, file: Path) -> None:
    (home.made() / "restoring").write_text("/backups/monday\n")
    with pytest.raises(Trouble, match="say onex restore /backups/monday"):
        up(home, {"WEB_PORT": str(free_port())}, 0, quiet, file)
    assert Supervisor(home).pid() is None
