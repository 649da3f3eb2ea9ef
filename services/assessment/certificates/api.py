"""Certificates over HTTP, and the flow of assessment at a glance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chassis.web.access import allow, check_scope
from chassis.web.blueprint import Blueprint
from chassis.web.once import once
from chassis.web.paging import page, paged
from chassis.web.schemas import FlowSchema
from contracts.terms import Role
from services.assessment.certificates import commands, queries
from services.assessment.certificates.domain import Certificate
from services.assessment.certificates.schemas import CertificateSchema, OfLearnerArgs, RevocationSchema

blp = Blueprint("certificates", __name__, description="Certificates that passes earned.")
STAFF = (Role.REGISTRY, Role.DEPARTMENT, Role.TRAINER, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)


def owner(teo: str, number: str) -> Mapping[str, str | None]:
    """Whose a certificate is."""
    return {"teo": teo, "certificate": f"{teo}:{number}"}


@blp.route("/certificates", methods=["GET"])
@allow(*STAFF, Role.LEARNER, Role.SERVICE)
@paged(CertificateSchema, OfLearnerArgs)
def certificates_of_learner(query: dict[str, Any]) -> dict[str, Any]:
    """List a learner's certificates by organisation and number."""
    check_scope({"learner": query["learner_id"]})
    found = queries.certificates_of_learner(query["learner_id"], query["cursor"], query["limit"])
    return page(found, query["limit"], lambda one: [one.id])


@blp.route("/teos/<teo>/certificates/<number>/revocations", methods=["POST"])
@allow(Role.TEO, Role.EXAM_OFFICE, owning=owner)
@once
@blp.arguments(RevocationSchema)
@blp.response(200, CertificateSchema)
def revoke(given: dict[str, str], teo: str, number: str) -> Certificate:
    """Take a certificate back, with a reason."""
    return commands.revoke(f"{teo}:{number}", given["reason"])


@blp.route("/flow", methods=["GET"])
@allow(*STAFF)
@blp.response(200, FlowSchema)
def flow() -> dict[str, Any]:
    """How many stand at each stage of assessment."""
    return {"stages": queries.stages()}
