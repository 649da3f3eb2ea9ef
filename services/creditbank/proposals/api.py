"""Proposals: made, simulated, approved by two, carried out; and what a simulation found, as a table and as a sheet."""

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
from services.creditbank.proposals import commands, queries
from services.creditbank.proposals.listing import SHIFTS
from services.creditbank.proposals.schemas import (
    ApproveSchema,
    ChangeSchema,
    DirectionArgs,
    ProposalsArgs,
    ProposalSchema,
    ShiftsArgs,
    ShiftSchema,
    SimulationSchema,
    change_of,
)

DECIDERS = (Role.REGISTRY, Role.OPERATOR)
READERS = (Role.REGISTRY, Role.OPERATOR, Role.AUDITOR)
BINARY = {"type": "string", "format": "binary"}

blp = Blueprint("proposals", __name__, description="How what is recognised changes.")


@blp.route("/recognition-proposals", methods=["POST"])
@allow(*DECIDERS, whole_college=True)
@once
@blp.arguments(ChangeSchema)
@blp.response(201, ProposalSchema)
def post_proposal(given: dict[str, Any]) -> Any:
    """Propose a new version of a rule, its retirement, or that pinned outcomes are moved to versions."""
    proposal = commands.draft(change_of(given), caller().subject)
    return queries.shown(proposal), 201, {"Location": f"/recognition-proposals/{proposal.number}"}


@blp.route("/recognition-proposals", methods=["GET"])
@allow(*READERS)
@paged(ProposalSchema, ProposalsArgs)
def list_proposals(args: dict[str, Any]) -> dict[str, Any]:
    """All proposals, the newest first."""
    found = queries.proposals_before(number_before(args["cursor"]), args.get("state"), args["limit"] + 1)
    return page(found, args["limit"], key=lambda one: [one["number"]])


@blp.route("/recognition-proposals/<int:number>", methods=["GET"])
@allow(*READERS)
@blp.response(200, ProposalSchema)
def get_proposal(number: int) -> dict[str, Any]:
    """A proposal and how far it is."""
    return queries.proposal_of(number)


@blp.route("/recognition-proposals/<int:number>", methods=["PUT"])
@allow(*DECIDERS, whole_college=True)
@blp.arguments(ChangeSchema)
@blp.response(200, ProposalSchema)
def put_proposal(given: dict[str, Any], number: int) -> dict[str, Any]:
    """Say it in other words; what was simulated and approved of it is void."""
    return queries.shown(commands.edit(number, change_of(given)))


@blp.route("/recognition-proposals/<int:number>", methods=["DELETE"])
@allow(*DECIDERS, whole_college=True)
@blp.response(204)
def delete_proposal(number: int) -> None:
    """Take a proposal back that is not carried out."""
    commands.withdraw(number)


@blp.route("/recognition-proposals/<int:number>/simulations", methods=["POST"])
@allow(*DECIDERS, whole_college=True)
@blp.response(202, SimulationSchema)
def post_simulation(number: int) -> Any:
    """Have it simulated for every account, in the background: follow Location. Earlier approvals are void."""
    commands.ask_simulation(number, caller().subject)
    return queries.simulation_of(number), 202, {"Location": f"/recognition-proposals/{number}/simulation"}


@blp.route("/recognition-proposals/<int:number>/simulation")
@allow(*READERS)
@blp.response(200, SimulationSchema)
def get_simulation(number: int) -> dict[str, Any]:
    """How far the latest simulation is, and what it has found: who gains, who loses, by scheme and level."""
    return queries.simulation_of(number)


@blp.route("/recognition-proposals/<int:number>/simulation/holdings")
@allow(*READERS, whole_college=True)
@paged(ShiftSchema, ShiftsArgs)
def list_shifts(args: dict[str, Any], number: int) -> dict[str, Any]:
    """Every holding that would change, by learner."""
    found = queries.shifts_after(number, args["direction"], place_after(args["cursor"]), args["limit"] + 1)
    return page(found, args["limit"], key=lambda one: [f"{one['learner_id']}:{one['scheme']}"])


@blp.route("/recognition-proposals/<int:number>/simulation.xlsx")
@allow(*READERS, whole_college=True)
@blp.arguments(DirectionArgs, location="query")
@blp.response(200, BINARY, content_type=XLSX)
@blp.alt_response(202, schema=SavedTableSchema)
def get_sheet(args: dict[str, Any], number: int) -> Response:
    """The same as a sheet, with the totals by programme and by scheme behind it; a long one in the background."""
    return answered(SHIFTS, {"number": number, **args}, f"simulation-{number}.xlsx")


@blp.route("/recognition-proposals/<int:number>/approvals", methods=["POST"])
@allow(*DECIDERS, by_person=True, whole_college=True)
@blp.arguments(ApproveSchema)
@blp.response(200, ProposalSchema)
def post_approval(given: dict[str, int], number: int) -> dict[str, Any]:
    """Approve it, having looked at its latest simulation; two different people have to, the author may be one."""
    return queries.shown(commands.approve(number, given["simulation"], caller().subject))


@blp.route("/recognition-proposals/<int:number>/enactment", methods=["POST"])
@allow(*DECIDERS, by_person=True, whole_college=True)
@blp.response(202, ProposalSchema)
def post_enactment(number: int) -> Any:
    """Carry out what two people approved; a rerate goes on in the background: follow Location."""
    proposal = commands.enact(number, caller().subject)
    return queries.shown(proposal), 202, {"Location": f"/recognition-proposals/{number}"}
