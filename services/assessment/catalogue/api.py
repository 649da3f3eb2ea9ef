"""TEOs and schemes: operators set them, everyone who works here reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis.web.access import allow
from chassis.web.blueprint import Blueprint
from chassis.web.paging import page, paged
from contracts.terms import Role, credit_code_of
from services.assessment.catalogue import commands, queries
from services.assessment.catalogue.domain import Scheme, Teo
from services.assessment.catalogue.schemas import SchemeSchema, TeoSchema, scheme_of

blp = Blueprint("catalogue", __name__, description="TEOs, schemes and their pass rules")


@blp.route("/teos/<code>", methods=["PUT"])
@allow(Role.OPERATOR, whole_college=True)
@blp.arguments(TeoSchema)
@blp.response(200, TeoSchema)
def put_teo(given: dict[str, Any], code: str) -> Teo:
    """Keep a training-evaluation organisation under its unified social credit code."""
    return commands.put_teo(Teo(credit_code_of(code), given["name"], tuple(dict.fromkeys(given["aliases"]))))


@blp.route("/teos/<code>", methods=["GET"])
@allow(*Role)
@blp.response(200, TeoSchema)
def get_teo(code: str) -> Teo:
    """One training-evaluation organisation."""
    return queries.teo_of(code)


@blp.route("/teos", methods=["GET"])
@allow(*Role)
@paged(TeoSchema)
def list_teos(query: dict[str, Any]) -> dict[str, Any]:
    """List training-evaluation organisations by credit code."""
    return _page(queries.teos(), query)


@blp.route("/schemes/<code>", methods=["PUT"])
@allow(Role.OPERATOR, whole_college=True)
@blp.arguments(SchemeSchema)
@blp.response(200, SchemeSchema)
def put_scheme(given: dict[str, Any], code: str) -> Scheme:
    """Keep a certificate scheme; pass rules are only added to."""
    return commands.put_scheme(scheme_of(code, given))


@blp.route("/schemes/<code>", methods=["GET"])
@allow(*Role)
@blp.response(200, SchemeSchema)
def get_scheme(code: str) -> Scheme:
    """One certificate scheme with its pass rules."""
    return queries.scheme_of(code)


@blp.route("/schemes", methods=["GET"])
@allow(*Role)
@paged(SchemeSchema)
def list_schemes(query: dict[str, Any]) -> dict[str, Any]:
    """List certificate schemes by code."""
    return _page(list(queries.schemes().values()), query)


def _page(everything: Sequence[Teo | Scheme], query: dict[str, Any]) -> dict[str, Any]:
    """One page of a short list that was read whole."""
    beyond = str(query["cursor"][0]) if query["cursor"] else ""
    rows = [one for one in everything if one.code > beyond]
    return page(rows[: query["limit"] + 1], query["limit"], lambda one: [one.code])
