"""Simulations of drafts over HTTP: asked for, followed, read as a table and as a sheet; and what follows from them."""

from __future__ import annotations

from typing import Any

from flask import Response

from chassis.sheet.saving import SavedTableSchema, answered
from chassis.sheet.write import XLSX
from chassis.web.access import allow, caller
from chassis.web.blueprint import Blueprint
from chassis.web.once import once
from chassis.web.paging import number_before, page, paged, place_after
from contracts.terms import Role
from services.creditbank.conversion.queries import shown as shown_version
from services.creditbank.conversion.schemas import KeptPolicySchema, KeptRuleSchema
from services.creditbank.simulations import commands, queries
from services.creditbank.simulations.domain import Draft, Subject
from services.creditbank.simulations.listing import CHANGES
from services.creditbank.simulations.schemas import (
    ApprovalArgs,
    AskedSimulationSchema,
    ChangesArgs,
    ConversionSimulationSchema,
    EffectArgs,
    ExemptionChangeSchema,
    SimulationsArgs,
    draft_of,
)

DECIDERS = (Role.REGISTRY, Role.OPERATOR)
READERS = (Role.REGISTRY, Role.OPERATOR, Role.AUDITOR)
BINARY = {"type": "string", "format": "binary"}

blp = Blueprint("simulations", __name__, description="What a draft of a conversion rule or policy would change.")


@blp.route("/conversion-simulations", methods=["POST"])
@allow(*DECIDERS, whole_college=True)
@once
@blp.arguments(AskedSimulationSchema)
@blp.response(202, ConversionSimulationSchema)
def post_simulation(given: dict[str, Any]) -> Any:
    """Have a draft simulated for every student, in the background: follow Location. Its approvals are void."""
    asked = commands.ask_simulation(draft_of(given), caller().subject)
    return queries.shown(asked), 202, {"Location": f"/conversion-simulations/{asked.number}"}


@blp.route("/conversion-simulations", methods=["GET"])
@allow(*READERS)
@paged(ConversionSimulationSchema, SimulationsArgs)
def list_simulations(args: dict[str, Any]) -> dict[str, Any]:
    """The latest simulations of all drafts, the newest first; with subject, code and version that of one."""
    asked = args["subject"], args["code"], args["version"]
    draft = Draft(Subject(asked[0]), *asked[1:]).place if all(asked) else None
    found = queries.simulations_before(number_before(args["cursor"]), draft, args["limit"] + 1)
    return page(found, args["limit"], key=lambda one: [one["number"]])


@blp.route("/conversion-simulations/<int:number>", methods=["GET"])
@allow(*READERS)
@blp.response(200, ConversionSimulationSchema)
def get_simulation(number: int) -> dict[str, Any]:
    """How far a simulation is, and what it has found: totals by programme, scheme and course."""
    return queries.simulation_of(number)


@blp.route("/conversion-simulations/<int:number>/exemptions")
@allow(*READERS)
@paged(ExemptionChangeSchema, ChangesArgs)
def list_changes(args: dict[str, Any], number: int) -> dict[str, Any]:
    """Every exemption that would change, student by student."""
    found = queries.changes_after(number, args["effect"], place_after(args["cursor"]), args["limit"] + 1)
    return page(found, args["limit"], key=lambda one: [one["place"]])


@blp.route("/conversion-simulations/<int:number>/exemptions.xlsx")
@allow(*READERS)
@blp.arguments(EffectArgs, location="query")
@blp.response(200, BINARY, content_type=XLSX)
@blp.alt_response(202, schema=SavedTableSchema)
def get_sheet(args: dict[str, Any], number: int) -> Response:
    """The same as a sheet, with the totals behind it; a long one in the background."""
    return answered(CHANGES, {"number": number, **args}, f"conversion-simulation-{number}.xlsx")


@blp.route("/conversion-policies/<code>/versions/<int:version>/approval", methods=["PUT"])
@allow(*DECIDERS, by_person=True, whole_college=True)
@blp.arguments(ApprovalArgs, location="query")
@blp.response(200, KeptPolicySchema)
def approve_policy(args: dict[str, Any], code: str, version: int) -> dict[str, Any]:
    """Approve a simulated draft of a policy document; it is approved when two people have."""
    return shown_version(commands.approve_policy(code, version, caller().subject, args["simulation"]))


@blp.route("/conversion-policies/<code>/versions/<int:version>/publication", methods=["PUT"])
@allow(*DECIDERS, by_person=True, whole_college=True)
@blp.response(200, KeptPolicySchema)
def publish_policy(code: str, version: int) -> dict[str, Any]:
    """Publish an approved version; on its days it holds in the place of those before it."""
    return shown_version(commands.publish_policy(code, version))


@blp.route("/conversion-rules/<code>/versions/<int:version>/approval", methods=["PUT"])
@allow(*DECIDERS, by_person=True, whole_college=True)
@blp.arguments(ApprovalArgs, location="query")
@blp.response(200, KeptRuleSchema)
def approve_rule(args: dict[str, Any], code: str, version: int) -> dict[str, Any]:
    """Approve a simulated draft; it is approved when two people have."""
    return shown_version(commands.approve_rule(code, version, caller().subject, args["simulation"]))


@blp.route("/conversion-rules/<code>/versions/<int:version>/publication", methods=["PUT"])
@allow(*DECIDERS, by_person=True, whole_college=True)
@blp.response(200, KeptRuleSchema)
def publish_rule(code: str, version: int) -> dict[str, Any]:
    """Publish an approved version; the one before it is retired."""
    return shown_version(commands.publish_rule(code, version))
