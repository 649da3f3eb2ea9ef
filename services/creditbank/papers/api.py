"""Credentials over HTTP: a learner asks for them, anybody verifies them."""

from __future__ import annotations

from typing import Any

from flask import Response

from chassis.web.access import allow, caller, caller_if_any, public
from chassis.web.blueprint import Blueprint
from chassis.web.limits import note_guess, refuse_guesser
from chassis.web.paging import page, paged, place_after
from contracts.terms import Role
from services.creditbank.papers import commands, queries
from services.creditbank.papers.desk import carried
from services.creditbank.papers.domain import Standing
from services.creditbank.papers.printing import printed
from services.creditbank.papers.schemas import (
    CredentialSchema,
    PublicKeysSchema,
    RequestSchema,
    StatementSchema,
    VerificationSchema,
)
from services.creditbank.papers.square import square_of

TOKEN = "application/vc+jwt"  # noqa: S105 -- a media type
ELMO = "application/xml"
PDF = "application/pdf"
SVG = "image/svg+xml"
TEXT, BINARY = {"type": "string"}, {"type": "string", "format": "binary"}

blp = Blueprint("papers", __name__, description="Credentials that others can verify.")


def credential_owner(learner_id: str, **_: str) -> dict[str, str]:
    """A credential belongs to its learner."""
    return {"learner": learner_id}


@blp.route("/accounts/<learner_id>/credentials", methods=["POST"])
@allow(Role.LEARNER, Role.REGISTRY, owning=credential_owner)
@blp.arguments(RequestSchema)
@blp.response(200, CredentialSchema)
def post_credential(wanted: dict[str, str], learner_id: str) -> dict[str, Any]:
    """Issue a credential for a final recognised pass; asked again, the same one as long as it is valid."""
    desk = carried()
    return queries.shown(commands.request_credential(learner_id, wanted["result_id"], desk), desk)


@blp.route("/accounts/<learner_id>/credentials", methods=["GET"])
@allow(Role.LEARNER, Role.REGISTRY, owning=credential_owner)
@paged(CredentialSchema)
def list_credentials(args: dict[str, Any], learner_id: str) -> dict[str, Any]:
    """A learner's credentials, revoked ones too."""
    found = queries.credentials_after(learner_id, place_after(args["cursor"]), args["limit"] + 1, carried())
    return page(found, args["limit"], key=lambda one: [one["credential"]])


@blp.route("/accounts/<learner_id>/credentials/<credential>/square.svg")
@allow(Role.LEARNER, Role.REGISTRY, owning=credential_owner)
@blp.response(200, TEXT, content_type=SVG)
def get_square(learner_id: str, credential: str) -> Response:
    """A credential's QR code: the address to verify it at and, behind its #, the credential for whoever is offline."""
    return Response(square_of(queries.carried_by_code(learner_id, credential, carried())), content_type=SVG)


@blp.route("/accounts/<learner_id>/statement")
@allow(Role.LEARNER, Role.REGISTRY, owning=credential_owner)
@blp.response(200, StatementSchema)
def get_statement(learner_id: str) -> dict[str, Any]:
    """A statement of the account with its owner's name, which is opened for it by the audited route."""
    return queries.statement_of(learner_id, carried(), caller().reads_as(Role.LEARNER, "learner", learner_id))


@blp.route("/accounts/<learner_id>/statement.pdf")
@allow(Role.LEARNER, Role.REGISTRY, owning=credential_owner)
@blp.response(200, BINARY, content_type=PDF)
def get_printed_statement(learner_id: str) -> Response:
    """The statement on paper, in Chinese and English."""
    statement = queries.statement_of(learner_id, carried(), caller().reads_as(Role.LEARNER, "learner", learner_id))
    return Response(printed(statement), content_type=PDF)


@blp.route("/accounts/<learner_id>/elmo.xml")
@allow(Role.LEARNER, Role.REGISTRY, owning=credential_owner)
@blp.response(200, BINARY, content_type=ELMO)
def get_elmo(learner_id: str) -> Response:
    """The learner's final passes for universities abroad: ELMO 1.7, as EMREX carries it."""
    return Response(queries.elmo_of(learner_id, carried()), content_type=ELMO)


@blp.route("/credential-keys")
@public
@blp.response(200, PublicKeysSchema)
def get_keys() -> dict[str, Any]:
    """The public keys, with which a credential is verified without asking anybody."""
    return carried().signer().published()


@blp.route("/status-lists/<int:number>")
@public
@blp.response(200, TEXT, content_type=TOKEN)
def get_status_list(number: int) -> Response:
    """Which credentials are revoked: a Bitstring Status List, signed."""
    return Response(queries.status_list(number, carried()), content_type=TOKEN)


@blp.route("/verifications/<code>")
@public
@blp.response(200, VerificationSchema)
def verify(code: str) -> dict[str, Any]:
    """Whether the credential with this code is valid, and what it says; who guesses codes is stopped.

    The portal counts the guesses of its visitors itself.
    """
    desk, visitor = carried(), caller_if_any()
    counts = visitor is None or Role.SERVICE not in visitor.roles
    if counts:
        refuse_guesser(desk.guesses)
    found = queries.verification_of(code, desk)
    if counts and found["standing"] == Standing.UNKNOWN:
        note_guess(desk.guesses)
    return found
