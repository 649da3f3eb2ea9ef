"""Tokens for machines (OAuth 2 client credentials), and what verifies them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, jsonify, request
from marshmallow import fields

from chassis.web.access import public
from chassis.web.blueprint import Blueprint
from chassis.web.schemas import Schema
from portal.identity.audit.commands import Act, record
from portal.identity.machines.commands import authenticate
from portal.identity.machines.domain import Machine
from portal.identity.tokens.domain import (
    AUDIENCES,
    GRANT,
    LIFETIME_SECONDS,
    Grant,
    TokenRefused,
    check_request,
    credentials_of,
)
from portal.identity.tokens.mint import Mint

FORM = "application/x-www-form-urlencoded"
PARAMETERS = {"grant_type", "audience", "client_id", "client_secret"}  # others are ignored (RFC 6749, section 3.2)
blp = Blueprint("tokens", __name__, description="Tokens for machines, and the keys to verify them with.")


class TokenSchema(Schema):
    access_token = fields.String(required=True)
    token_type = fields.String(required=True)
    expires_in = fields.Integer(required=True)


class TokenErrorSchema(Schema):
    error = fields.String(required=True)
    error_description = fields.String(required=True)


class KeysSchema(Schema):
    keys = fields.List(fields.Dict(keys=fields.String()), required=True)


class IssuerSchema(Schema):
    issuer = fields.String(required=True)
    token_endpoint = fields.String(required=True)
    jwks_uri = fields.String(required=True)
    grant_types_supported = fields.List(fields.String(), required=True)
    token_endpoint_auth_methods_supported = fields.List(fields.String(), required=True)


BODY: dict[str, Any] = {
    "required": True,
    "content": {
        FORM: {
            "schema": {
                "type": "object",
                "required": ["grant_type", "audience"],
                "properties": {
                    "grant_type": {"type": "string", "enum": [GRANT]},
                    "audience": {"type": "string", "enum": list(AUDIENCES)},
                    "client_id": {"type": "string"},
                    "client_secret": {"type": "string", "format": "password"},
                },
            }
        }
    },
}


@blp.route("/oauth/token", methods=["POST"])
@public
@blp.doc(requestBody=BODY)
@blp.response(200, TokenSchema)
@blp.alt_response(400, schema=TokenErrorSchema)
@blp.alt_response(401, schema=TokenErrorSchema)
def post_token() -> Any:
    """Give a machine a token for one audience. It says who it is by HTTP Basic, or by client_id and client_secret."""
    form = {name: values[-1] for name, values in request.form.lists()}
    try:
        audience = _checked(form)
        machine = _authenticated(form)
    except TokenRefused as refused:
        return _refusal(refused)
    record(machine.client_id, Act.TOKEN_ISSUED, audience)
    grant = Grant(machine.client_id, machine.client_id, machine.roles, machine.owns)
    token = mint().issue(grant, audience)
    response = jsonify({"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME_SECONDS})
    response.headers["Pragma"] = "no-cache"
    return response


def _checked(form: Mapping[str, str]) -> str:
    if request.mimetype != FORM:
        raise TokenRefused("invalid_request", f"the body is {FORM}")
    if any(len(values) > 1 for name, values in request.form.lists() if name in PARAMETERS):
        raise TokenRefused("invalid_request", "a parameter is given twice")
    return check_request(form)


def _authenticated(form: Mapping[str, str]) -> Machine:
    client_id, secret = credentials_of(request.headers.get("Authorization", ""), form)
    settings = current_app.extensions
    machine = authenticate(client_id, secret, settings["portal.clients_key"], settings["portal.is_demo"])
    if machine is None:
        record(client_id, Act.TOKEN_REFUSED)
        raise TokenRefused("invalid_client", "client_id and client_secret do not fit", 401)
    return machine


def _refusal(refused: TokenRefused) -> Response:
    response = jsonify(error=refused.error, error_description=refused.description)
    response.status_code = refused.status
    response.headers["Pragma"] = "no-cache"
    if refused.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="onex", charset="UTF-8"'
    return response


@blp.route("/.well-known/jwks.json")
@public
@blp.response(200, KeysSchema)
def jwks() -> Any:
    """The keys tokens are verified with."""
    return mint().published()


@blp.route("/.well-known/oauth-authorization-server")
@public
@blp.response(200, IssuerSchema)
def about_issuer() -> Any:
    """Who issues tokens here (RFC 8414)."""
    issuer = mint().name
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/oauth/token",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "grant_types_supported": [GRANT],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }


def mint() -> Mint:
    """The mint of this application."""
    found: Mint = current_app.extensions["portal.mint"]
    return found
