"""Programmes over HTTP: operators keep them, everyone who works here reads them."""

from __future__ import annotations

from typing import Any

from chassis.web.access import allow
from chassis.web.blueprint import Blueprint
from chassis.web.paging import page, paged, place_after
from chassis.web.problems import language
from contracts.terms import Role
from services.enrolment.programmes import queries
from services.enrolment.programmes.commands import publish_curriculum, publish_programme
from services.enrolment.programmes.domain import Course, Curriculum, Programme, code_of, warnings_of
from services.enrolment.programmes.schemas import (
    CoverageSchema,
    CurriculumBodySchema,
    CurriculumSchema,
    ProgrammeBodySchema,
    ProgrammeSchema,
    shape,
)

blp = Blueprint("programmes", __name__, description="Courses of study, by entry year, and what they teach.")


@blp.route("/programmes/<code>", methods=["PUT"])
@allow(Role.OPERATOR, whole_college=True)
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


@blp.route("/programmes/<code>", methods=["GET"])
@allow(*Role)
@blp.response(200, ProgrammeSchema)
def get_programme(code: str) -> Programme:
    """Show one programme."""
    return queries.programme(code)


@blp.route("/programmes", methods=["GET"])
@allow(*Role)
@paged(ProgrammeSchema)
def list_programmes(query: dict[str, Any]) -> dict[str, Any]:
    """List programmes by code."""
    after = str(query["cursor"][0]) if query["cursor"] else ""
    return page(queries.programmes(after, query["limit"] + 1), query["limit"], lambda programme: [programme.code])


@blp.route("/programmes/<code>/curricula/<int:year>", methods=["PUT"])
@allow(Role.OPERATOR, Role.REGISTRY, whole_college=True)
@blp.arguments(CurriculumBodySchema)
@blp.response(200, CurriculumSchema)
def put_curriculum(courses: tuple[Course, ...], code: str, year: int) -> dict[str, Any]:
    """Keep the courses of an entry year as they are now, whole; a change is announced, a repeat changes nothing."""
    programme = queries.programme(code)
    return _shown(publish_curriculum(code, year, courses), programme)


@blp.route("/programmes/<code>/curricula/<int:year>", methods=["GET"])
@allow(*Role)
@blp.response(200, CurriculumSchema)
def get_curriculum(code: str, year: int) -> dict[str, Any]:
    """The courses of an entry year, with what ought to be looked at."""
    programme = queries.programme(code)
    return _shown(queries.curriculum(code, year), programme)


@blp.route("/curricula", methods=["GET"])
@allow(*Role)
@paged(CoverageSchema)
def list_curricula(query: dict[str, Any]) -> dict[str, Any]:
    """How many core courses each programme and entry year has, which the pilot asks for; by programme and year."""
    found = queries.curricula_after(place_after(query["cursor"]), query["limit"] + 1)
    known = queries.programmes_by_code({one.programme for one in found})
    rows = [_shown(one, known[one.programme]) for one in found]
    return page(rows, query["limit"], lambda row: [f"{row['programme']}:{row['entry_year']}"])


def _shown(one: Curriculum, programme: Programme) -> dict[str, Any]:
    warnings = [{"code": said.code, "detail": said.sentence(language())} for said in warnings_of(one, programme)]
    return shape(one, programme, warnings)
