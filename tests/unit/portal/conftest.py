"""A portal on a real database of its own."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator

import mongoengine
import pytest
from flask import Flask
from flask.testing import FlaskClient
from pymongo import MongoClient

from chassis.database import connect, database
from contracts.terms import Role
from portal.assembly import assemble
from portal.identity.machines.domain import derived_secret
from portal.identity.tokens.domain import Grant
from portal.settings import PortalSettings

CLIENTS_KEY = b"c" * 32
SEAL_KEY = b"s" * 32
CLEARED = ("users", "sign_in_attempts", "sessions", "machines", "audit")


def text(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode()


def settings(mongo_url: str, name: str, demo: str = "", seal_key: bytes = SEAL_KEY) -> PortalSettings:
    return PortalSettings(
        mongo=mongo_url,
        database=name,
        public_url="http://127.0.0.1:8080/",
        seal_key=text(seal_key),
        clients_key=text(CLIENTS_KEY),
        enrolment_url="http://127.0.0.1:1",
        training_url="http://127.0.0.1:1",
        assessment_url="http://127.0.0.1:1",
        creditbank_url="http://127.0.0.1:1",
        notify_url="http://127.0.0.1:1",
        demo=demo,
    )


@pytest.fixture(scope="session")
def home(mongo_url: str) -> Iterator[str]:
    """One database for all tests of the portal; its name."""
    name = f"test_portal_{uuid.uuid4().hex[:8]}"
    yield name
    with MongoClient(mongo_url) as client:
        client.drop_database(name)


@pytest.fixture
def portal(home: str, mongo_url: str) -> Iterator[Flask]:
    """The portal, with nobody registered."""
    connect(mongo_url, home)
    for collection in CLEARED:
        database()[collection].delete_many({})
    yield assemble(settings(mongo_url, home))
    mongoengine.disconnect_all()


@pytest.fixture
def client(portal: Flask) -> FlaskClient:
    return portal.test_client()


def basic(client_id: str, secret: str | None = None) -> dict[str, str]:
    """HTTP Basic of a machine, by default of the system with its derived secret."""
    given = derived_secret(CLIENTS_KEY, client_id) if secret is None else secret
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{given}".encode()).decode()}


def token(client: FlaskClient, client_id: str, audience: str = "portal", secret: str | None = None) -> str:
    form = {"grant_type": "client_credentials", "audience": audience}
    answer = client.post("/oauth/token", data=form, headers=basic(client_id, secret))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found: str = answer.json["access_token"]
    return found


@pytest.fixture
def operator(portal: Flask) -> dict[str, str]:
    """The headers of an operator's token."""

    issued = portal.extensions["portal.mint"].issue(Grant("chief", "chief", (Role.OPERATOR,), {}), "portal")
    return {"Authorization": f"Bearer {issued}"}
