"""Each application does what its OpenAPI document says: schemathesis asks, soundly and unsoundly, as every role.

SCHEMATHESIS_EXAMPLES deepens it: how many requests are made up for an operation, beside those that cover its schema.
"""

from __future__ import annotations

import itertools
import os
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import strategies as st
from schemathesis.checks import CheckContext
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema
from schemathesis.generation import GenerationMode
from schemathesis.generation.case import Case
from schemathesis.schemas import APIOperation, BaseSchema

from chassis.web.paging import cursor_of
from contracts.terms import Role
from tests.support.doors import APPLICATIONS, FINAL_PLAN, OPEN_PLAN, SCHEME, TEO, Doors, open_doors
from tests.support.sound import KINDS, Asked, asked_of, previewed

pytestmark = pytest.mark.timeout(900)
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "25"))
SEED = 20190404
PATH, QUERY = ParameterLocation.PATH, ParameterLocation.QUERY
# A rule may refuse what the document allows (422 with a code of its own), but the shape may not: see `shape_is_told`.
ALLOWED = ["2xx", "401", "403", "404", "409", "422", "503"]
SAID_IN_WORDS = {"Too far from today."}  # JSON Schema has no range for instants
SHAPE_CODES = {"fields_invalid", "malformed_body", "media_type", "body_missing"}
# What the document can't say of a cursor, it names as a format; these are sound ones, if seldom of the list asked.
schemathesis.openapi.format("onex-cursor", st.lists(st.text() | st.integers(0, 2**62), min_size=1).map(cursor_of))


@pytest.fixture(scope="module")
def doors(mongo_url: str) -> Iterator[Doors]:
    with open_doors(mongo_url) as made:
        yield made


def schema_of(doors: Doors, application: str) -> BaseSchema:
    """The application's document, with bounded and repeatable generation."""
    given = {
        "seed": SEED,
        "generation": {
            "mode": "all",
            "max-examples": EXAMPLES,
            "deterministic": True,
            "no-shrink": True,
            "with-security-parameters": False,  # tokens are `Callers`' affair; bad ones are test_roles.py's
        },
        "checks": {
            "positive_data_acceptance": {"expected-statuses": ALLOWED},
            "ignored_auth": {"enabled": False},  # 4.32.5 can't ask it over WSGI; test_roles.py asks every route
        },
        "phases": {"stateful": {"enabled": False}},
    }
    app: Flask = doors.apps[application]
    doors.go_to(application)
    return schemathesis.openapi.from_wsgi("/openapi.json", app, config=SchemathesisConfig.from_dict(given))


def operations_of(schema: BaseSchema) -> list[APIOperation[Any, Any, Any, Any]]:
    return [found.ok() for found in schema.get_all_operations()]


def roles_of(operation: APIOperation[Any, Any, Any, Any]) -> list[Role]:
    """Who is let in; for what is public, one role stands for all."""
    return [Role(one) for one in operation.definition.raw.get("x-roles", [])] or [Role.AUDITOR]


def needs_token(operation: APIOperation[Any, Any, Any, Any]) -> bool:
    return bool(operation.definition.raw["security"])


def case_of(operation: APIOperation[Any, Any, Any, Any], asked: Asked) -> Case:
    """A request as schemathesis sends it."""
    given: dict[str, Any] = {"path_parameters": dict(asked.path), "query": dict(asked.query)}
    if asked.media_type:
        given |= {"body": asked.body, "media_type": asked.media_type}
    return operation.Case(**given)


@pytest.mark.parametrize("application", APPLICATIONS)
def test_every_operation_succeeds_for_every_role_it_lets_in(doors: Doors, application: str) -> None:
    schema = schema_of(doors, application)
    made = Counter[str]()
    for operation, role in ((one, role) for one in operations_of(schema) for role in roles_of(one)):
        asked = asked_of(doors, application, operation.method.upper(), operation.path, role)
        doors.go_to(application)
        headers = {"Authorization": f"Bearer {doors.token(application, role)}"} if needs_token(operation) else {}
        response = case_of(operation, asked).call_and_validate(headers=headers)
        assert 200 <= response.status_code < 300, (operation.label, role, response.status_code, response.text)
        made[operation.label] += 1
    assert len(made) == len(operations_of(schema))
    note(f"{application}: {len(made)} operations, {made.total()} sound requests by role, all of them 2xx")


@pytest.mark.parametrize("application", APPLICATIONS)
def test_nothing_undocumented_is_ever_answered(doors: Doors, application: str) -> None:
    schema = schema_of(doors, application)
    callers = Callers(doors, application)
    introduce(schema, callers)
    found = run(schema)
    note(f"{application}: {found.tally}")
    assert not found.failures, "\n\n".join(found.failures)
    assert found.answers > 0


class Callers:
    """Gives made-up requests a caller, in turns one of each role, and mostly names that exist."""

    def __init__(self, doors: Doors, application: str) -> None:
        self._doors, self._application = doors, application
        self._turns: dict[str, itertools.count[int]] = defaultdict(itertools.count)
        self._pool = pool_of(doors, application)
        doors.go_to(application)

    def token_for(self, case: Case) -> str:
        """A token: four times of a role that is let in, then once of any."""
        turn = next(self._turns[case.operation.label])
        roles = list(Role) if turn % 5 == 4 else roles_of(case.operation)
        return self._doors.token(self._application, roles[(turn // 5 if turn % 5 == 4 else turn) % len(roles)])

    def name_what_exists(self, case: Case) -> None:
        """Put names that exist in the place of sound ones that were made up, three times of four."""
        for location, values in ((PATH, case.path_parameters), (QUERY, case.query)):
            if not values or not is_sound(case, location):
                continue
            choice = zlib.crc32(repr(sorted(values.items(), key=str)).encode("utf-8", "surrogatepass"))
            if choice % 4:
                names = [one for one in values if one in self._pool and not is_of_no_sheet(case, one)]
                values |= {name: picked(self._pool[name], choice) for name in names}


def introduce(schema: BaseSchema, callers: Callers) -> None:
    """Have schemathesis send its requests as these callers."""

    @schema.auth(refresh_interval=None, retry_on=[])
    class Bearer:
        def get(self, case: Case, context: Any) -> str:
            return callers.token_for(case)

        def set(self, case: Case, token: str, context: Any) -> None:
            if needs_token(case.operation):
                case.headers["Authorization"] = f"Bearer {token}"
            callers.name_what_exists(case)


def is_of_no_sheet(case: Case, name: str) -> bool:
    """Whether it is the kind of a discrepancy or an outcome, and not of a sheet."""
    return name == "kind" and any(one in case.operation.path for one in ("discrepancies", "/outcomes"))


def is_sound(case: Case, location: ParameterLocation) -> bool:
    """Whether this part of a request was made to fit the document."""
    component = case.meta.components.get(location) if case.meta else None
    return component is not None and component.mode == GenerationMode.POSITIVE


def picked(values: list[Any], choice: int) -> Any:
    return values[choice // 4 % len(values)]


def pool_of(doors: Doors, application: str) -> dict[str, list[Any]]:
    """Names that exist, by the parameter that takes them."""
    college = doors.college
    pool: dict[str, list[Any]] = {
        "learner_id": [college.learner, college.learners[6]],
        "code": {"assessment": [TEO, SCHEME], "training": ["C1"]}.get(application, ["630302"]),
        "year": [2021],
        "teo": [TEO],
        "plan": [OPEN_PLAN, FINAL_PLAN],
        "result_id": [f"{TEO}:{FINAL_PLAN}:A1:1", f"{TEO}:{OPEN_PLAN}:A5:1"],
        "scheme": [SCHEME],
        "level": [1, 2],
        "notice_id": [college.notice],
        "cause": [college.causes.get(application, "")],
        "client_id": ["some-machine"],
        "name": ["learner"],
        "kind": [KINDS.get(application, "")],
    }
    if application in doors.imports:
        role = Role.EXAM_OFFICE if application == "assessment" else Role.REGISTRY
        pool["number"] = [previewed(doors, role, application)]
    return pool


class Found:
    """What a run of schemathesis came to."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.statuses = Counter[int]()
        self.successes = Counter[str]()
        self.operations: set[str] = set()

    def take(self, event: events.EngineEvent) -> None:
        """Count answers, keep what failed."""
        if isinstance(event, events.NonFatalError):
            self.failures.append(f"{event.label}: {event.info.format()}")
        elif isinstance(event, events.FatalError):
            raise event.exception
        elif isinstance(event, events.ScenarioFinished):
            self._take_scenario(event)

    def _take_scenario(self, event: events.ScenarioFinished) -> None:
        recorder = event.recorder
        for case_id, interaction in recorder.interactions.items():
            if interaction.response is None:
                continue
            status = interaction.response.status_code
            label = recorder.cases[case_id].value.operation.label
            self.statuses[status] += 1
            self.operations.add(label)
            self.successes[label] += 200 <= status < 300
        for found in (node.failure_info for nodes in recorder.checks.values() for node in nodes if node.failure_info):
            told = f"{recorder.label}: {found.failure.title}: {found.failure.message}"
            self.failures.append(f"{told}\n{found.code_sample}")

    @property
    def answers(self) -> int:
        return self.statuses.total()

    @property
    def tally(self) -> str:
        none = sorted(label for label in self.operations if not self.successes[label])
        return (
            f"{len(self.operations)} operations, {self.answers} requests, {sum(self.successes.values())} of them 2xx, "
            f"statuses {dict(sorted(self.statuses.items()))}, without success {none}"
        )


def run(schema: BaseSchema) -> Found:
    """Everything schemathesis has to ask."""
    found = Found()
    for event in from_schema(schema).execute():
        found.take(event)
    return found


@schemathesis.check
def shape_is_told(_context: CheckContext, response: Response, case: Case) -> None:
    """What the document allows is never refused for its shape."""
    was_sound = case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE
    if not was_sound or response.status_code not in {400, 415, 422}:
        return
    answer = response.json()
    only_words = {one["detail"] for one in answer.get("errors", [])} == SAID_IN_WORDS
    if answer.get("code") in SHAPE_CODES and not only_words:
        raise Failure(operation=case.operation.label, title="Shape not documented", message=response.text)


def note(line: str) -> None:
    """Say a figure where the run is watched."""
    print(line, file=sys.stderr)
