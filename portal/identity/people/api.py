"""Users, for the operator."""

from __future__ import annotations

from typing import Any

from chassis.web.access import allow, caller
from chassis.web.blueprint import Blueprint
from chassis.web.paging import after, page, paged
from contracts.terms import Role
from portal.identity.people import commands, queries
from portal.identity.people.domain import NAME, User
from portal.identity.people.schemas import UserBodySchema, UserSchema

blp = Blueprint("people", __name__, url_prefix="/users", description="People who may sign in.")
NAME_PARAMETER = {"in": "path", "name": "name", "schema": {"type": "string", "pattern": f"^{NAME}$"}}


@blp.route("")
@allow(Role.OPERATOR)
@paged(UserSchema)
def list_users(args: dict[str, Any]) -> dict[str, Any]:
    """Users by name."""
    found = queries.users_page(after(args["cursor"], "_id"), args["limit"] + 1)
    return page(found, args["limit"], key=lambda user: [user.name])


@blp.route("/<name>", parameters=[NAME_PARAMETER])
@allow(Role.OPERATOR)
@blp.response(200, UserSchema)
def get_user(name: str) -> Any:
    """A user."""
    return queries.user_named(name)


@blp.route("/<name>", methods=["PUT"], parameters=[NAME_PARAMETER])
@allow(Role.OPERATOR, whole_college=True)
@blp.arguments(UserBodySchema)
@blp.response(200, UserSchema)
def put_user(body: dict[str, Any], name: str) -> Any:
    """Register a user or change one; a change signs him out everywhere."""
    password = body.pop("password")
    user = User(name=name, **{**body, "roles": tuple(Role(role) for role in body["roles"])})
    return commands.put_user(user, password, by=caller().subject)
