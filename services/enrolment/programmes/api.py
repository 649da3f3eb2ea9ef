"""Programmes over HTTP: operators keep them, everyone who works here reads them."""

from __future__ import annotations

from typing import Any

from chassis.web.access import allow
from chassis.web.blueprint import Blueprint
from chassis.web.paging import page, paged
from contracts.terms import Role
from services.enrolment.programmes import queries
from services.enrolment.programmes.commands import publish_programme
from services.enrolment.programmes.domain import Programme, code_of
from services.enrolment.programmes.schemas import ProgrammeBodySchema, ProgrammeSchema

blp = Blueprint("programmes", __name__, url_prefix="/programmes", description="Courses of study, by entry year.")


@blp.route("/<code>", methods=["PUT"])
@allow(Role.OPERATOR)
@blp.arguments(ProgrammeBodySchema)
@blp.response(200, ProgrammeSchema)
def put_programme(body: dict[str, Any], code: str) -> Programme:
    """Keep a programme as it is now; its new and changed entry years are announced, a repeat changes nothing."""
    programme = Programme(
        code=code_of(code),
        name=body["name"],
        entry_years=tuple(sorted(set(body["entry_years"]))),
        credit_points_total=body["credit_points_total"],
        code_2021=body["code_2021"],
    )
    publish_programme(programme)
    return programme


@blp.route("/<code>", methods=["GET"])
@allow(*Role)
@blp.response(200, ProgrammeSchema)
def get_programme(code: str) -> Programme:
    """Show one programme."""
    return queries.programme(code)


@blp.route("", methods=["GET"])
@allow(*Role)
@paged(ProgrammeSchema)
def list_programmes(query: dict[str, Any]) -> dict[str, Any]:
    """List programmes by code."""
    after = str(query["cursor"][0]) if query["cursor"] else ""
    return page(queries.programmes(after, query["limit"] + 1), query["limit"], lambda programme: [programme.code])
