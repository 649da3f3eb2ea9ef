"""The portal put together: identity, and the pages."""

from __future__ import annotations

from flask import Flask

from chassis import seal
from chassis.database import connect, ensure_indexes
from chassis.web.access import check_access
from chassis.web.app import create_app
from portal import pages
from portal.identity import demo
from portal.identity.audit import api as audit
from portal.identity.audit.models import AuditRows
from portal.identity.machines import api as machines
from portal.identity.machines.models import Machines
from portal.identity.people import api as people
from portal.identity.people.models import Sessions, SignInAttempts, Users
from portal.identity.tokens import api as tokens
from portal.identity.tokens.domain import PORTAL
from portal.identity.tokens.mint import Mint
from portal.identity.tokens.models import SigningKeys
from portal.settings import PortalSettings

BLUEPRINTS = [tokens.blp, people.blp, machines.blp, audit.blp]
MODELS = (Users, SignInAttempts, Sessions, Machines, SigningKeys, AuditRows)


def assemble(given: PortalSettings) -> Flask:
    """Make the portal: connect, open the mint, register routes and pages."""
    connect(given.mongo, given.database)
    ensure_indexes(*MODELS)
    mint = Mint(given.public_url.rstrip("/"), seal.key_of(given.seal_key))
    portal = create_app(PORTAL, given, BLUEPRINTS, title="OneX portal", trust=mint)
    portal.extensions["portal.mint"] = mint
    portal.extensions["portal.clients_key"] = seal.key_of(given.clients_key)
    portal.extensions["portal.is_demo"] = given.is_demo
    portal.extensions["portal.settings"] = given
    if given.is_demo:
        demo.open_accounts()
    pages.register(portal)
    check_access(portal)
    return portal
