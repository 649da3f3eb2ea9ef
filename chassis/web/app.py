"""An application: blueprints in, and out comes a service that answers every request properly."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import mongoengine
from flask import Flask, Response, request
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import fields

from chassis.database import connect
from chassis.seal import key_of
from chassis.watch import start_logging
from chassis.web import openapi
from chassis.web.access import allow, check_access, public
from chassis.web.blueprint import Blueprint
from chassis.web.docs import docs_page
from chassis.web.health import (
    Check,
    Step,
    StepSchema,
    announced,
    database_answers,
    health_blueprint,
    measure,
    metrics,
    steps_of,
)
from chassis.web.limits import LIMITS, MEMORY, limit
from chassis.web.schemas import Schema
from chassis.web.tokens import PortalTrust, Tokens, Trust

MAX_BODY_BYTES = 1024 * 1024
MAX_UPLOAD_BYTES = 32 * 1024 * 1024
MAX_FORM_PARTS = 50

Life = Callable[[str], list[Step]]


class Places(Protocol):
    """What an application reads of its service's settings."""

    @property
    def mongo(self) -> str: ...
    @property
    def database(self) -> str: ...
    @property
    def portal_url(self) -> str: ...
    @property
    def log_level(self) -> str: ...
    @property
    def seal_key(self) -> str: ...


class LifeSchema(Schema):
    steps = fields.List(fields.Nested(StepSchema), required=True)


def create_app(
    name: str,
    settings: Places,
    blueprints: Iterable[SmorestBlueprint],
    *,
    title: str,
    lives: Sequence[Life] = (),
    lives_for: Collection[StrEnum] = (),
    checks: Mapping[str, Check] | None = None,
    trust: Trust | None = None,
    limits: Sequence[str] = LIMITS,
    limits_storage: str = MEMORY,
) -> Flask:
    """Make a service's application; Defect when a route does not say who may use it.

    `lives_for`: the roles that may see /lives/<cause>, which tells what was announced here because of a cause and what
    `lives` adds to it; without such roles there is no such route.
    `checks`: what must answer before requests are sent here, besides the database; each says why not, or None.
    """
    start_logging(name, settings.log_level)
    _connect(settings)
    app = Flask(name, static_folder=None)
    _configure(app)
    app.extensions["onex.seal_key"] = key_of(settings.seal_key)
    app.extensions["onex.tokens"] = Tokens(name, trust or PortalTrust(settings.portal_url))
    measure(app, name)
    limit(app, limits, limits_storage)
    extra = [health_blueprint({"database": database_answers} | dict(checks or {}))]
    if lives_for:
        extra.append(_lives_blueprint([announced(name), *lives], lives_for))
    api = openapi.assemble(app, name, title, [*blueprints, *extra])
    app.add_url_rule("/metrics", view_func=metrics)
    _publish(app, api)
    return app


def _connect(settings: Places) -> None:
    """Connect unless the process is connected already."""
    try:
        mongoengine.get_connection()
    except mongoengine.ConnectionFailure:
        connect(settings.mongo, settings.database)


def _configure(app: Flask) -> None:
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        MAX_FORM_PARTS=MAX_FORM_PARTS,
        JSON_SORT_KEYS=False,
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.url_map.merge_slashes = False

    @app.before_request
    def admit_uploads() -> None:
        """A route that takes files may get a larger body."""
        if request.endpoint and openapi.is_upload(app.view_functions[request.endpoint]):
            request.max_content_length = MAX_UPLOAD_BYTES

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def _publish(app: Flask, api: openapi.Api) -> None:
    """Serve the finished document and its page, once every route is known."""

    @public
    def openapi_json() -> Response:
        return Response(written, content_type="application/json")

    @public
    def docs() -> Response:
        return docs_page(document)

    app.add_url_rule("/openapi.json", view_func=openapi_json)
    app.add_url_rule("/docs", view_func=docs)
    check_access(app)
    document: dict[str, Any] = openapi.document(app, api)
    app.extensions["onex.openapi"] = document
    written = json.dumps(document, ensure_ascii=False)


def _lives_blueprint(lives: Sequence[Life], roles: Collection[StrEnum]) -> Blueprint:
    blp = Blueprint("lives", __name__, description="What happened because of a cause.")

    @blp.route("/lives/<path:cause>")
    @allow(*roles)
    @blp.response(200, LifeSchema)
    def life(cause: str) -> Any:
        """Tell what this service did because of a cause, oldest first."""
        return {"steps": steps_of(cause, lives)}

    return blp
