"""Health: alive, ready, measured, and what happened because of a cause."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

import msgspec
from flask import Flask, Response, g, request
from marshmallow import fields
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from pymongo.errors import PyMongoError

from chassis.database import database
from chassis.watch import log
from chassis.web.access import caller_if_any, public
from chassis.web.blueprint import Blueprint
from chassis.web.problems import NOT_READY, RETRY_LATER, answer, problem_of, route
from chassis.web.schemas import Schema

HTTP_SECONDS = Histogram(
    "onex_http_request_seconds",
    "One request, by route; its count by status is in the same series.",
    ["service", "route", "method", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
KNOWN_METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
MAX_STEPS = 500
SEALED_FIELDS = {"name", "phone", "email", "document_number"}
QUIET_ROUTES = {"/healthz", "/readyz", "/metrics"}

Check = Callable[[], str | None]


class Step(TypedDict, total=False):
    """One thing that happened because of a cause."""

    at: datetime
    service: str
    what: str
    id: str
    cause: str
    learner_id: str
    detail: dict[str, Any]


class StepSchema(Schema):
    at = fields.AwareDateTime(required=True)
    service = fields.String(required=True)
    what = fields.String(required=True, metadata={"description": "the event's type, or what was written"})
    id = fields.String(required=True)
    cause = fields.String(required=True)
    learner_id = fields.String()
    detail = fields.Dict(keys=fields.String())


class HealthSchema(Schema):
    status = fields.String(required=True)


def health_blueprint(checks: Mapping[str, Check]) -> Blueprint:
    """/healthz and /readyz."""
    blp = Blueprint("health", __name__, description="Whether the process lives and may be sent requests.")

    @blp.route("/healthz")
    @public
    @blp.response(200, HealthSchema)
    def healthz() -> Any:
        """Say that the process is alive."""
        return {"status": "alive"}

    @blp.route("/readyz")
    @public
    @blp.response(200, HealthSchema)
    def readyz() -> Any:
        """Say whether everything needed answers; 503 with the reasons if not."""
        reasons = [f"{name}: {reason}" for name, check in checks.items() if (reason := check())]
        if reasons:
            return answer(problem_of(NOT_READY(reasons="; ".join(reasons)), **RETRY_LATER))
        return {"status": "ready"}

    return blp


def database_answers() -> str | None:
    """Nothing when the database answers, otherwise why not."""
    try:
        database().command("ping")
    except PyMongoError as error:
        return type(error).__name__
    return None


@public
def metrics() -> Response:
    """What Prometheus reads: of all processes of this application, if there are several."""
    registry: CollectorRegistry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def measure(app: Flask, service: str) -> None:
    """Count and log each request by its rule; no address, query, name or number is kept."""

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        method = request.method if request.method in KNOWN_METHODS else "OTHER"
        HTTP_SECONDS.labels(service, route(), method, response.status_code).observe(seconds)
        if route() not in QUIET_ROUTES:
            visitor = caller_if_any() if "caller" in g else None
            log.info(
                "request",
                service=service,
                route=route(),
                method=method,
                status=response.status_code,
                ms=round(seconds * 1000, 1),
                client=visitor.client_id if visitor else None,
            )
        return response


def announced(service: str) -> Callable[[str], list[Step]]:
    """The steps a service's outbox tells: its announcements with a cause."""

    def life(cause: str) -> list[Step]:
        found = database()["outbox"].find({"cause": cause}).sort("time", 1).limit(MAX_STEPS)
        return [_step(service, row) for row in found]

    return life


def _step(service: str, row: dict[str, Any]) -> Step:
    body: dict[str, Any] = msgspec.json.decode(row["body"])
    step = Step(at=row["time"], service=service, what=row["type"], id=row["_id"], cause=row["cause"])
    if "learner_id" in body:
        step["learner_id"] = body.pop("learner_id")
    step["detail"] = {name: value for name, value in body.items() if name not in SEALED_FIELDS}
    return step


def steps_of(cause: str, lives: Sequence[Callable[[str], list[Step]]]) -> list[Step]:
    """All that happened here because of a cause, oldest first."""
    return sorted((step for life in lives for step in life(cause)), key=lambda step: step["at"])
