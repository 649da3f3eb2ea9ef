"""The calendar over HTTP: operators keep it, everyone who works here reads it."""

from __future__ import annotations

from typing import Any

from chassis.web.access import allow
from chassis.web.blueprint import Blueprint
from contracts.terms import Role
from services.enrolment.calendar import queries
from services.enrolment.calendar.commands import publish_year
from services.enrolment.calendar.domain import Year, year_of
from services.enrolment.calendar.schemas import YearBodySchema, YearSchema

blp = Blueprint("calendar", __name__, url_prefix="/calendar", description="Which days of a year are worked.")


@blp.route("/<int:year>", methods=["PUT"])
@allow(Role.OPERATOR, whole_college=True)
@blp.arguments(YearBodySchema)
@blp.response(200, YearSchema)
def put_year(body: dict[str, Any], year: int) -> Year:
    """Keep a year's calendar as it is now; a change is announced, a repeat changes nothing."""
    kept = year_of(year, body["holidays"], body["made_up_days"])
    publish_year(kept)
    return kept


@blp.route("/<int:year>", methods=["GET"])
@allow(*Role)
@blp.response(200, YearSchema)
def get_year(year: int) -> Year:
    """Show a year's calendar."""
    return queries.year(year)
