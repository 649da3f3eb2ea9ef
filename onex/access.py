"""docs/access.md: who may do what, as the six applications say themselves; `python -m onex.access` writes it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from chassis.web.access import access_page
from contracts.terms import Role
from onex.stack import addresses, compose, secrets
from onex.stack.engines import start_mongod
from onex.stack.home import ROOT, Home
from onex.stack.ports import free_port
from onex.stack.programs import surroundings
from onex.stack.trouble import Trouble

PAGE = ROOT / "docs" / "access.md"
APPLICATIONS = ("portal", *addresses.SERVICES)
MAKE_SECONDS = 120.0
TOLD_LINES = 5
HEAD = """\
# Who may do what

Made by `make access` from the applications' own routes; a test compares.

- **yes**: the role is let in. Under *no token*: everybody is. Where the route's address does not tell whose a thing is
  (a list, a result by its id), a caller who is limited to his own still gets only his own.
- **own**: the role is let in, and a caller who is limited to his own must own what the route names.
- **college**: the role is let in unless the caller is limited: it concerns the whole college.
- **person** beside one of these: only somebody who has signed in at the portal; a machine's own token is refused.
- empty: 401 without a token, 403 with a token of that role alone.

A learner is always limited (to this learner), and so is a TEO (to its plans); others are where their token says so.

The portal's pages ask for a person who has signed in and has the role, and send others to sign in.
"""


def page(mongo: str, prefix: str) -> str:
    """The whole page; the applications are made upon this MongoDB, with databases of this prefix."""
    given = {"MONGO": mongo, "DATABASE_PREFIX": prefix, "LOG_LEVEL": "ERROR"}
    defaults = compose.port_defaults(addresses.COMPOSE)
    with tempfile.TemporaryDirectory(prefix="onex-access-") as folder:
        known = addresses.variables(Home(Path(folder)), given, defaults) | secrets.made()
        described = compose.read(addresses.COMPOSE, known).services
        tables = [f"\n## {name}\n\n{_table(described[name])}" for name in APPLICATIONS]
    return HEAD + "".join(tables)


def _table(application: compose.Service) -> str:
    """An application's table, made in a process of its own: settings and connections are a process's."""
    environment = surroundings() | application.environment
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)  # gunicorn makes this folder, and nothing is counted here
    command = [sys.executable, "-m", "onex.access", application.command[-1]]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=MAKE_SECONDS, check=False
    )
    if done.returncode:
        raise Trouble(f"{application.name} cannot be made:", done.stderr.splitlines()[-TOLD_LINES:])
    return done.stdout


def _application_page(door: str) -> str:
    """The table of one application, named as gunicorn names it."""
    module, _, name = door.partition(":")
    return access_page(getattr(import_module(module), name), Role)


def _write() -> None:
    with tempfile.TemporaryDirectory(prefix="onex-mongod-", ignore_cleanup_errors=True) as folder:
        engine = start_mongod(Path(folder), free_port())
        try:
            PAGE.write_text(page(engine.mongo_url, "access"))
        finally:
            engine.kill()


if __name__ == "__main__":
    if doors := sys.argv[1:]:
        sys.stdout.write(_application_page(doors[0]))
    else:
        _write()
