"""Where everything of a stack is on this machine: ports and addresses, and how they are remembered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from onex.stack import secrets
from onex.stack.compose import HIGHEST_PORT
from onex.stack.home import ROOT, Home
from onex.stack.ports import LOOPBACK
from onex.stack.trouble import Trouble

COMPOSE = ROOT / "docker-compose.yml"
SERVICES = secrets.SERVICES
CONTROLLER_PORT = 9093
ENGINES = {"mongo": "MONGO", "kafka": "KAFKA"}
WORKERS = {name: f"WORKERS_{name.upper()}" for name in SERVICES}
PASSED_ON = (
    *ENGINES.values(),
    "DEMO",
    "LOG_LEVEL",
    "KEEP_IMPORTS_DAYS",
    "PUBLIC_URL",
    "DATABASE_PREFIX",
    "SMTP_HOST",
    "SMTP_PORT",
    "MAIL_FROM",
    "ROOTS_FOLDER",
    "AUDIT_EVERY_SECONDS",
    "AUDIT_FIRST_SECONDS",
    "AUDIT_GRACE_SECONDS",
    *WORKERS.values(),
)


def variables(home: Home, given: Mapping[str, str], defaults: Mapping[str, int], offset: int = 0) -> dict[str, str]:
    """What the compose file's variables stand for here: ports, addresses, folders; what is given goes first."""
    wanted = {"KAFKA_CONTROLLER_PORT": CONTROLLER_PORT, **defaults}
    ports = {name: given.get(name) or str(number + offset) for name, number in wanted.items()}
    for name, port in ports.items():
        if not port.isdigit() or not 0 < int(port) <= HIGHEST_PORT:
            raise Trouble(f"{name}={port} is no port.")
    chosen = {name: given[name] for name in PASSED_ON if given.get(name)}
    return {**ports, **_urls(ports), **_folders(home), **_engines(ports), "BIND": LOOPBACK, **chosen}


def _urls(ports: Mapping[str, str]) -> dict[str, str]:
    named = {f"{name.upper()}_URL": ports.get(f"{name.upper()}_PORT") for name in ("portal", *SERVICES)}
    return {name: f"http://{LOOPBACK}:{port}" for name, port in named.items() if port}


def _engines(ports: Mapping[str, str]) -> dict[str, str]:
    return {
        "KAFKA": f"{LOOPBACK}:{ports.get('KAFKA_PORT', 9092)}",
        "MONGO": f"mongodb://{LOOPBACK}:{ports.get('MONGO_PORT', 27017)}/?replicaSet=rs0",
        "SMTP_HOST": LOOPBACK,
    }


def _folders(home: Home) -> dict[str, str]:
    return {
        "CLOCK_FILE": str(home / "clock"),
        "MAIL_FOLDER": str(home / "mail"),
        "ROOTS_FOLDER": str(home / "roots"),
        "METRICS": str(home / "metrics"),
    }


@dataclass(frozen=True)
class Running:
    """The stack as it was last started from a home: for whoever wants to speak to it."""

    home: Home
    variables: dict[str, str]
    own_engines: dict[str, str]

    @classmethod
    def of(cls, home: Home) -> Running:
        """What was remembered; `Trouble` when no stack was ever started here."""
        file = home / "stack.json"
        if not file.exists():
            raise Trouble(f"No stack was started in {home.folder}. Run: onex up")
        kept = json.loads(file.read_text())
        return cls(home, kept["variables"], kept["own_engines"])

    def remember(self) -> None:
        """Keep it for `onex status`, `onex demo` and the next start; no secrets are in it."""
        half: Path = self.home / "stack.json.half"
        kept = {"variables": self.variables, "own_engines": self.own_engines}
        half.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
        half.replace(self.home / "stack.json")

    def url(self, name: str) -> str:
        """The address of `portal` or a service."""
        return self.variables[f"{name.upper()}_URL"]

    @property
    def urls(self) -> dict[str, str]:
        """The address of the portal and of each service, by its name."""
        return {name: self.url(name) for name in ("portal", *SERVICES)}

    @property
    def clients_key(self) -> str:
        """The key that the built-in clients' secrets derive from."""
        return secrets.read(self.home / "secrets.env")["CLIENTS_KEY"]
