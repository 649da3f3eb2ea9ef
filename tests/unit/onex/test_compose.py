"""The compose file is read as Docker reads it, and nothing in it is ignored unseen."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from onex.stack import addresses, compose, secrets
from onex.stack.compose import COMPLETED, HEALTHY, Port
from onex.stack.home import Home
from onex.stack.interpolation import fill
from onex.stack.trouble import Trouble


def reading(tmp_path: Path, text: str, **variables: str) -> compose.Stack:
    file = tmp_path / "docker-compose.yml"
    file.write_text(text)
    return compose.read(file, variables)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("${A}", "one"),
        ("$A-x", "one-x"),
        ("${A:-other}", "one"),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY-other}", ""),
        ("${NONE-other}", "other"),
        ("${NONE:-http://x:${B:-8080}/${A}}", "http://x:8080/one"),
        ("${NONE:+x}${A:+y}", "y"),
        ("$${A} costs $$5", "${A} costs $5"),
        ("${A:?must be there}", "one"),
        ("${NONE}", ""),
    ],
)
def test_variables_are_filled_in_as_docker_does(text: str, filled: str) -> None:
    assert fill(text, {"A": "one", "EMPTY": ""}) == filled


@pytest.mark.parametrize("text", ["${A", "$", "${}", "${A!x}", "${1A}", "a $ b"])
def test_a_malformed_variable_is_an_error(text: str) -> None:
    with pytest.raises(Trouble, match=r"docker-compose\.yml"):
        fill(text, {"A": "one"})


def test_a_variable_that_must_be_given_is_named(tmp_path: Path) -> None:
    text = "services: {a: {command: x, environment: {KEY: '${SEAL_KEY:?run onex secrets}'}}}"
    with pytest.raises(Trouble, match="SEAL_KEY is missing: run onex secrets"):
        reading(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("services: {a: {command: x, entrypoint: y}}", "service a has entrypoint"),
        ("services: {a: {command: x, healthcheck: {test: [CMD, x], disable: true}}}", "health check of a has disable"),
        ("services: {a: {command: x, healthcheck: {test: [NONE]}}}", "must be a CMD or CMD-SHELL"),
        ("services: {a: {command: x, depends_on: [b]}}", "depends on b"),
        ("services: {a: {command: x, depends_on: [b]}, b: {command: x, depends_on: [a]}}", "wait for each other"),
        ("services: {a: {command: x}, b: {depends_on: {a: {condition: service_healthy}}}}", "no health check"),
        ("services: {a: {command: x}, b: {depends_on: {a: {condition: soon}}}}", "waits for 'soon'"),
        ("services: {a: {command: x, ports: ['8080']}}", "write published:inside"),
        ("services: {a: {command: x, expose: ['8080']}}", "a cannot listen on '8080'"),
        ("services: {a: {command: x, expose: ['${A_PORT:-70000}']}}", "a cannot listen on '70000'"),
        ("services: {a: {command: x, deploy: {replicas: 0}}}", "1 to 100 of a, not 0"),
        ("services: {a: {command: x, deploy: {replicas: many}}}", "1 to 100 of a, not many"),
        ("services: {a: {command: x, deploy: {replicas: 2}, ports: ['81:81']}}", "a publishes a port"),
        ("secrets: {}\nservices: {a: {command: x}}", "has secrets"),
        ("services: [a]", "describes no services"),
        ("services: {a: {command: [}}", "cannot be read"),
    ],
)
def test_whatever_would_be_ignored_stops_with_a_sentence(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(Trouble, match=named):
        reading(tmp_path, text)


def test_dockers_own_keys_and_profiles_are_left_to_docker(tmp_path: Path) -> None:
    text = """
    x-common: &common {image: i, build: ., volumes: [v], networks: [n], restart: always, deploy: {}}
    services:
      a: {<<: *common, command: run it, ports: ["127.0.0.1:${A_PORT:-81}:81"]}
      watch: {<<: *common, profiles: [watching], depends_on: [a]}
    """
    stack = reading(tmp_path, text, A_PORT="9081")
    assert list(stack.services) == ["a"]
    assert stack.left == {"watch": "watching"}
    assert stack.services["a"].command == ["run", "it"]
    assert stack.services["a"].ports == [Port(9081, "A_PORT")]


def test_replicas_are_named_apart_and_listen_apart(tmp_path: Path) -> None:
    text = """
    services:
      a: {command: "run ${A_PORT:-81}", expose: ["${A_PORT:-81}"], deploy: {replicas: "${MANY:-1}"}, depends_on: [b]}
      b: {command: x}
    """
    assert list(reading(tmp_path, text).services) == ["b", "a"]
    stack = reading(tmp_path, text, MANY="3", A_PORT="9081")
    assert list(stack.services) == ["b", "a", "a-2", "a-3"]
    assert [one.ports for one in stack.services.values()][1:] == [[Port(9081 + n, "A_PORT")] for n in (0, 100, 200)]
    assert stack.services["a-3"].command == ["run", "9281"]
    assert stack.services["a-3"].depends_on == stack.services["a"].depends_on


def test_any_number_of_workers_takes_no_setting_but_the_count(tmp_path: Path) -> None:
    given = {f"WORKERS_{name.upper()}": str(n + 1) for n, name in enumerate(secrets.SERVICES)}
    known = addresses.variables(Home(tmp_path), given, compose.port_defaults(addresses.COMPOSE))
    services = compose.read(addresses.COMPOSE, known | secrets.made()).services
    for n, name in enumerate(secrets.SERVICES):
        workers = [one for one in services.values() if one.name.startswith(f"{name}-worker")]
        assert len(workers) == n + 1
        assert all(one.health and one.environment["WORKER_PORT"] in one.health.test[-1] for one in workers)
    numbers = [port.number for service in services.values() for port in service.ports]
    assert len(numbers) == len(set(numbers))


def test_environment_lists_mappings_and_passed_on_names_are_read(tmp_path: Path) -> None:
    text = """
    services:
      a: {command: x, environment: {N: 1, FLAG: true, PASSED: null, ABSENT: null, EMPTY: ""}}
      b: {command: x, environment: [N=1, PASSED, ABSENT, TWO=a=b]}
    """
    services = reading(tmp_path, text, PASSED="on").services
    assert services["a"].environment == {"N": "1", "FLAG": "true", "PASSED": "on", "EMPTY": ""}
    assert services["b"].environment == {"N": "1", "PASSED": "on", "TWO": "a=b"}


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("10s", 10.0), ("1m30s", 90.0)])
def test_durations_are_read(text: str, seconds: float) -> None:
    assert compose.seconds(text) == seconds


def test_a_malformed_duration_is_an_error() -> None:
    with pytest.raises(Trouble, match="'ten' is no duration"):
        compose.seconds("ten")


def test_the_stacks_own_description_is_read_whole(tmp_path: Path) -> None:
    defaults = compose.port_defaults(addresses.COMPOSE)
    known = addresses.variables(Home(tmp_path), {}, defaults, offset=100)
    stack = compose.read(addresses.COMPOSE, known | secrets.made())

    pairs = {name for service in secrets.SERVICES for name in (service, f"{service}-worker")}
    assert set(stack.services) == {"mongo", "kafka", "topics", "mail-sink", "portal", "auditor"} | pairs
    assert set(stack.left) == {"prometheus", "grafana"}
    for service in secrets.SERVICES:
        app, worker = stack.services[service], stack.services[f"{service}-worker"]
        assert app.depends_on == {"mongo": HEALTHY}
        assert worker.depends_on == {"mongo": HEALTHY, "topics": COMPLETED}
        assert app.environment["SERVICE_PORT"] == str(app.ports[0].number)
        assert worker.environment["WORKER_PORT"] == str(worker.ports[0].number)
        assert app.environment["SEAL_KEY"] == worker.environment["SEAL_KEY"]
        assert "PROMETHEUS_MULTIPROC_DIR" not in worker.environment
    numbers = [port.number for service in stack.services.values() for port in service.ports]
    assert len(numbers) == len(set(numbers))
    assert all(port.variable for service in stack.services.values() for port in service.ports)


def test_two_stacks_side_by_side_share_no_port() -> None:
    defaults = compose.port_defaults(addresses.COMPOSE)
    one = addresses.variables(Home(Path("/one")), {}, defaults)
    other = addresses.variables(Home(Path("/other")), {}, defaults, offset=1000)
    ports = {name for name in one if name.endswith("_PORT")}
    assert not {one[name] for name in ports} & {other[name] for name in ports}
    assert not {one[name] for name in one if name.endswith("_URL")} & set(other.values())


def test_engines_of_ones_own_are_where_they_are_said_to_be() -> None:
    given = {"KAFKA": "broker:9999", "MONGO": "mongodb://db:1/?replicaSet=x", "PORTAL_PORT": "80"}
    known = addresses.variables(Home(Path("/one")), given, {"PORTAL_PORT": 8080}, offset=5)
    assert known["KAFKA"] == "broker:9999"
    assert known["MONGO"] == "mongodb://db:1/?replicaSet=x"
    assert known["PORTAL_URL"] == "http://127.0.0.1:80"


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_what_is_no_port_is_said_to_be_none(port: str) -> None:
    with pytest.raises(Trouble, match=f"PORTAL_PORT={port} is no port"):
        addresses.variables(Home(Path("/one")), {"PORTAL_PORT": port}, {"PORTAL_PORT": 8080})


def test_docker_and_the_embedded_kafka_are_set_alike() -> None:
    described = yaml.safe_load(addresses.COMPOSE.read_text())["services"]["kafka"]["environment"]
    lines = (addresses.ROOT / "deploy/kafka/server.properties").read_text().splitlines()
    embedded = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    names = {f"KAFKA_{name.upper().replace('.', '_')}": name for name in embedded}
    same = [name for name in described if name in names and "LISTENERS" not in name and "LOG_DIRS" not in name]
    for name in set(same) - {"KAFKA_CONTROLLER_QUORUM_VOTERS"}:
        assert described[name] == embedded[names[name]], name
    assert {"KAFKA_AUTO_CREATE_TOPICS_ENABLE", "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR"} <= set(same)
