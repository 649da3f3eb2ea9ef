"""The record of the gate, for those who audit."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from chassis.database import rows_of
from chassis.web.access import allow
from chassis.web.blueprint import Blueprint
from chassis.web.paging import PageArgs, before, page, paged
from chassis.web.schemas import Schema
from contracts.terms import Role
from portal.identity.audit.models import AuditRows

blp = Blueprint("audit", __name__, url_prefix="/audit", description="Who signed in, and what was issued.")


class AuditArgs(PageArgs):
    who = fields.String(load_default=None, metadata={"description": "a sign-in name or client id"})


class AuditRowSchema(Schema):
    at = fields.AwareDateTime(required=True)
    who = fields.String(required=True)
    act = fields.String(required=True)
    about = fields.String(required=True)


@blp.route("")
@allow(Role.AUDITOR, Role.OPERATOR)
@paged(AuditRowSchema, AuditArgs)
def list_audit(args: dict[str, Any]) -> dict[str, Any]:
    """What happened at the gate, newest first."""
    where = before(args["cursor"], "_id") | ({"who": args["who"]} if args["who"] else {})
    rows = rows_of(AuditRows, where, sort=[("_id", -1)], limit=args["limit"] + 1)
    return page(rows, args["limit"], key=lambda row: [row["_id"]])
