"""Machines and their secrets, for the operator."""

from __future__ import annotations

from typing import Any

from flask import current_app

from chassis.web.access import allow, caller
from chassis.web.blueprint import Blueprint
from chassis.web.paging import after, page, paged
from contracts.terms import Role
from portal.identity.machines import commands, queries
from portal.identity.machines.domain import CLIENT_ID, Machine
from portal.identity.machines.schemas import MachineBodySchema, MachineSchema, NewSecretSchema

blp = Blueprint("machines", __name__, url_prefix="/clients", description="Machines that may get tokens.")
ID_PARAMETER = {"in": "path", "name": "client_id", "schema": {"type": "string", "pattern": f"^{CLIENT_ID}$"}}


@blp.route("")
@allow(Role.OPERATOR)
@paged(MachineSchema)
def list_clients(args: dict[str, Any]) -> dict[str, Any]:
    """Registered machines by client id; those of the system are not among them."""
    found = queries.machines_page(after(args["cursor"], "_id"), args["limit"] + 1)
    return page(found, args["limit"], key=lambda machine: [machine.client_id])


@blp.route("/<client_id>", parameters=[ID_PARAMETER])
@allow(Role.OPERATOR)
@blp.response(200, MachineSchema)
def get_client(client_id: str) -> Any:
    """A registered machine."""
    return queries.machine_of(queries.row_named(client_id))


@blp.route("/<client_id>", methods=["PUT"], parameters=[ID_PARAMETER])
@allow(Role.OPERATOR, whole_college=True)
@blp.arguments(MachineBodySchema)
@blp.response(200, MachineSchema)
def put_client(body: dict[str, Any], client_id: str) -> Any:
    """Register a machine or change one; its secrets stay."""
    machine = Machine(client_id, **{**body, "roles": tuple(Role(role) for role in body["roles"])})
    return commands.put_machine(machine, by=caller().subject)


@blp.route("/<client_id>/secrets", methods=["POST"], parameters=[ID_PARAMETER])
@allow(Role.OPERATOR, whole_college=True)
@blp.response(201, NewSecretSchema)
def post_secret(client_id: str) -> Any:
    """Make a second secret, so that the machine can change over before the first is revoked."""
    number, secret = commands.add_secret(client_id, current_app.extensions["portal.clients_key"], caller().subject)
    return {"number": number, "secret": secret}


@blp.route("/<client_id>/secrets/<int:number>", methods=["DELETE"], parameters=[ID_PARAMETER])
@allow(Role.OPERATOR, whole_college=True)
@blp.response(204)
def delete_secret(client_id: str, number: int) -> None:
    """Revoke a secret."""
    commands.revoke_secret(client_id, number, by=caller().subject)
