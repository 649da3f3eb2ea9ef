"""Read docker-compose.yml: of each service what a supervisor needs, and nothing unseen."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from onex.stack.interpolation import interpolated
from onex.stack.trouble import Trouble

READ = frozenset({"command", "environment", "ports", "expose", "healthcheck", "depends_on", "profiles", "deploy"})
DOCKERS_OWN = frozenset({"image", "build", "volumes", "networks", "restart"})  # and of deploy all but replicas
TOP = frozenset({"name", "services", "volumes", "networks"})
HEALTH = frozenset({"test", "interval", "timeout", "retries", "start_period", "start_interval"})
STARTED, HEALTHY, COMPLETED = "service_started", "service_healthy", "service_completed_successfully"
PORT_VARIABLE = re.compile(r"\$\{([A-Z0-9_]*PORT):?-(\d+)\}")
HIGHEST_PORT = 65_535
PORTS_APART = 100  # between a service and its next replica, on one machine
MOST_REPLICAS = 100
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Port:
    """A port a service listens on, and the variable that moves it."""

    number: int
    variable: str


@dataclass(frozen=True)
class Health:
    """How to ask a service whether it is well."""

    test: list[str]
    timeout_seconds: float = 30.0
    start_seconds: float = 60.0


@dataclass(frozen=True)
class Service:
    """One service as the compose file describes it; `replica`: which of several alike it is, from 1."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(repr=False)
    ports: list[Port]
    health: Health | None
    depends_on: dict[str, str]
    replica: int = 1


@dataclass(frozen=True)
class Stack:
    """The services to run, each after those it depends on, and those left to Docker with their profile."""

    services: dict[str, Service]
    left: dict[str, str]

    def runs_once(self, name: str) -> bool:
        """Whether others wait for this service to end, rather than to be well."""
        return any(service.depends_on.get(name) == COMPLETED for service in self.services.values())


def port_defaults(file: Path) -> dict[str, int]:
    """Every port variable of the file with its default."""
    return {name: int(number) for name, number in PORT_VARIABLE.findall(file.read_text())}


def read(file: Path, variables: Mapping[str, str]) -> Stack:
    """The stack a compose file describes; `Trouble` for whatever in it would be ignored unseen."""
    raw = _parsed(file)
    known = {name: body or {} for name, body in raw["services"].items()}
    for name, body in known.items():
        _must_be_known(f"{file.name}: the service {name}", set(body) - READ - DOCKERS_OWN)
    left = {name: ", ".join(body["profiles"]) for name, body in known.items() if body.get("profiles")}
    kept = {name: body for name, body in known.items() if name not in left}
    services = {one.name: one for name, body in kept.items() for one in _replicas(name, body, variables)}
    return Stack(_in_order(services), left)


def _parsed(file: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise Trouble(f"{file} cannot be read: {' '.join(str(error).split())}.") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("services"), dict):
        raise Trouble(f"{file} describes no services.")
    _must_be_known(file.name, {key for key in raw if not key.startswith("x-")} - TOP)
    return raw


def _must_be_known(where: str, unknown: set[str]) -> None:
    if unknown:
        raise Trouble(
            f"{where} has {', '.join(sorted(unknown))}, which onex does not read; leave it out, or teach onex."
        )


def _replicas(name: str, body: dict[str, Any], variables: Mapping[str, str]) -> Iterator[Service]:
    """The service as often as `deploy.replicas` says; the second is `name-2` and has its port variables raised."""
    first = _service(name, body, variables)
    wanted = interpolated((body.get("deploy") or {}).get("replicas", 1), variables)
    if not str(wanted).isdigit() or not 1 <= int(wanted) <= MOST_REPLICAS:
        raise Trouble(f"docker-compose.yml: there can be 1 to {MOST_REPLICAS} of {name}, not {wanted}.")
    if int(wanted) > 1 and body.get("ports"):
        raise Trouble(f"docker-compose.yml: {name} publishes a port, so there can be but one; write expose instead.")
    yield first
    for number in range(2, int(wanted) + 1):
        raised = {port.variable: str(port.number + (number - 1) * PORTS_APART) for port in first.ports}
        yield replace(_service(name, body, {**variables, **raised}), name=f"{name}-{number}", replica=number)


def _service(name: str, body: dict[str, Any], variables: Mapping[str, str]) -> Service:
    filled = interpolated({key: body[key] for key in READ & set(body)}, variables)
    return Service(
        name=name,
        command=_words(filled.get("command")),
        environment=_environment(filled.get("environment"), variables),
        ports=[
            *(_port(name, filled_port, raw) for filled_port, raw in _pairs(filled, body, "ports")),
            *(_exposed(name, filled_port, raw) for filled_port, raw in _pairs(filled, body, "expose")),
        ],
        health=_health(name, filled.get("healthcheck")),
        depends_on=_dependencies(filled.get("depends_on")),
    )


def _pairs(filled: dict[str, Any], body: dict[str, Any], key: str) -> list[tuple[Any, Any]]:
    return list(zip(filled.get(key, []), body.get(key, []), strict=True))


def _words(command: str | list[Any] | None) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else [str(word) for word in command or []]


def _environment(given: dict[str, Any] | list[str] | None, variables: Mapping[str, str]) -> dict[str, str]:
    """As a mapping; a name without a value is passed on from outside, if it is there."""
    if isinstance(given, list):
        split = (item.partition("=") for item in given)
        pairs: dict[str, Any] = {name: value if equals else None for name, equals, value in split}
    else:
        pairs = given or {}
    passed = {name: variables.get(name) if value is None else value for name, value in pairs.items()}
    return {name: _text(value) for name, value in passed.items() if value is not None}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _port(name: str, filled: Any, raw: Any) -> Port:
    """A published port, written `[address:]published:inside`."""
    parts = str(filled).split(":")
    if len(parts) < 2 or not parts[-2].isdigit():
        raise Trouble(f"docker-compose.yml: the service {name} has the port '{filled}'; write published:inside.")
    return Port(int(parts[-2]), _variable_in(raw))


def _exposed(name: str, filled: Any, raw: Any) -> Port:
    """A port that is not published: in a container of its own, each replica has the same."""
    if not str(filled).isdigit() or int(filled) > HIGHEST_PORT or not _variable_in(raw):
        raise Trouble(f"docker-compose.yml: {name} cannot listen on '{filled}' ({raw}); write ${{..._PORT:-number}}.")
    return Port(int(filled), _variable_in(raw))


def _variable_in(raw: Any) -> str:
    found = PORT_VARIABLE.search(str(raw))
    return found[1] if found else ""


def _health(name: str, given: dict[str, Any] | None) -> Health | None:
    if not given:
        return None
    _must_be_known(f"docker-compose.yml: the health check of {name}", set(given) - HEALTH)
    test = given.get("test", [])
    words = ["CMD-SHELL", test] if isinstance(test, str) else [str(word) for word in test]
    if words[:1] not in (["CMD"], ["CMD-SHELL"]) or len(words) < 2:
        raise Trouble(f"docker-compose.yml: the health check of {name} must be a CMD or CMD-SHELL test.")
    command = words[1:] if words[0] == "CMD" else ["/bin/sh", "-c", words[1]]
    return Health(command, seconds(given.get("timeout", "30s")), seconds(given.get("start_period", "60s")))


def seconds(duration: str) -> float:
    """A duration as compose writes it: 500ms, 10s, 1m30s."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", str(duration))
    if "".join(number + unit for number, unit in parts) != str(duration):
        raise Trouble(f"docker-compose.yml: '{duration}' is no duration; write 500ms, 10s or 1m30s.")
    return sum(float(number) * SECONDS[unit] for number, unit in parts)


def _dependencies(given: dict[str, Any] | list[str] | None) -> dict[str, str]:
    if isinstance(given, dict):
        return {name: (how or {}).get("condition", STARTED) for name, how in given.items()}
    return dict.fromkeys(given or [], STARTED)


def _in_order(services: dict[str, Service]) -> dict[str, Service]:
    """The services, each after those it depends on."""
    for service in services.values():
        for other, condition in service.depends_on.items():
            _must_be_possible(service.name, other, condition, services)
    try:
        order = TopologicalSorter({name: one.depends_on.keys() for name, one in services.items()}).static_order()
        return {name: services[name] for name in order}
    except CycleError as error:
        raise Trouble(f"docker-compose.yml: these services wait for each other: {', '.join(error.args[1])}.") from error


def _must_be_possible(name: str, other: str, condition: str, services: dict[str, Service]) -> None:
    if other not in services:
        raise Trouble(f"docker-compose.yml: {name} depends on {other}, which is not among the services to run.")
    if condition not in (STARTED, HEALTHY, COMPLETED):
        raise Trouble(f"docker-compose.yml: {name} waits for '{condition}' of {other}, which onex does not know.")
    if condition == HEALTHY and services[other].health is None:
        raise Trouble(f"docker-compose.yml: {name} waits for {other} to be healthy, and {other} has no health check.")
