"""A service for testing the web alone: things somebody owns, on a real database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import mongoengine
import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import fields, validate
from pymongo import MongoClient

from chassis.database import connect, database, ensure_indexes, transactional
from chassis.errors import Busy, Ground
from chassis.web.access import allow, owned, public
from chassis.web.app import create_app
from chassis.web.blueprint import Blueprint
from chassis.web.once import OnceAnswers, once
from chassis.web.paging import PageArgs, after, page, paged
from chassis.web.schemas import JudgedSchema, Schema, accepted, refused
from tests.chassis.web.tokens import TestIssuer

COLLECTIONS = ("things", "files", "outbox", "strands", "once_answers")
TOO_HEAVY = Ground("too_heavy", en="{name} is too heavy.", zh="{name} 太重。")


class Keeper(StrEnum):
    OWNER = "owner"
    CLERK = "clerk"
    GUEST = "guest"


class ThingSchema(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 20))
    weight = fields.Integer(required=True, validate=validate.Range(0, 1000))
    at = fields.AwareDateTime()


class ThingArgs(PageArgs):
    least = fields.Integer(load_default=0)


class FileSchema(Schema):
    file = fields.Raw(required=True, metadata={"type": "string", "format": "binary"})


class CountedSchema(Schema):
    count = fields.Integer(required=True)


def blueprint() -> Blueprint:
    blp = Blueprint("things", __name__, description="Things.")

    @blp.route("/things/<owner>/<name>", methods=["PUT"])
    @allow(Keeper.OWNER, Keeper.CLERK, owning=lambda owner, **_: {"owner": owner})
    @blp.arguments(ThingSchema)
    @blp.response(200, ThingSchema)
    def put_thing(thing: dict[str, Any], owner: str, name: str) -> Any:
        """Keep a thing."""
        return thing

    @blp.route("/things", methods=["POST"])
    @allow(Keeper.CLERK)
    @once
    @blp.arguments(ThingSchema(many=True))
    @blp.response(200, JudgedSchema(many=True))
    def post_things(things: list[dict[str, Any]]) -> Any:
        """Keep many things; each is judged alone."""
        return keep(things)

    @blp.route("/things")
    @allow(Keeper.CLERK, Keeper.OWNER)
    @paged(ThingSchema, ThingArgs)
    def list_things(args: dict[str, Any]) -> Any:
        """Things by name."""
        where = {"weight": {"$gte": args["least"]}} | after(args["cursor"], "name")
        rows = list(database()["things"].find(where).sort("name", 1).limit(args["limit"] + 1))
        return page(rows, args["limit"], key=lambda row: [row["name"]])

    @blp.route("/mine")
    @allow(*Keeper)
    @blp.response(200, CountedSchema)
    def mine() -> Any:
        """How many owners the caller is limited to; -1 for no limit."""
        ids = owned("owner")
        return {"count": -1 if ids is None else len(ids)}

    _more(blp)
    return blp


def _more(blp: Blueprint) -> None:
    @blp.route("/files", methods=["POST"])
    @allow(Keeper.CLERK)
    @once
    @blp.arguments(FileSchema, location="files")
    @blp.response(202, CountedSchema)
    def post_file(files: dict[str, Any]) -> Any:
        """Take a file; how many bytes it has."""
        database()["files"].insert_one({"size": (size := len(files["file"].read()))})
        return {"count": size}

    @blp.route("/numbers/<int:n>")
    @public
    @blp.response(200, CountedSchema)
    def number(n: int) -> Any:
        """The number."""
        return {"count": n}

    @blp.route("/broken")
    @public
    @blp.response(200, CountedSchema)
    def broken() -> Any:
        """Break, with a secret in the message."""
        raise ValueError("110101199003078515")

    @blp.route("/away")
    @public
    @blp.response(200, CountedSchema)
    def away() -> Any:
        """Ask a database that is not there."""
        with MongoClient("mongodb://127.0.0.1:1", serverSelectionTimeoutMS=50) as nobody:
            nobody.admin.command("ping")

    @blp.route("/open/things", methods=["POST"])
    @public
    @blp.arguments(ThingSchema(many=True))
    @blp.response(200, CountedSchema)
    def count_things(things: list[dict[str, Any]]) -> Any:
        """How many things there are in the list."""
        return {"count": len(things)}

    @blp.route("/busy")
    @public
    @blp.response(200, CountedSchema)
    def busy() -> Any:
        """Be held by others."""
        raise Busy("held")


@transactional
def keep(things: list[dict[str, Any]]) -> list[Any]:
    judged = []
    for index, thing in enumerate(things):
        if thing["weight"] > 100:
            judged.append(refused(index, TOO_HEAVY(name=thing["name"])))
        else:
            database()["things"].insert_one(dict(thing))
            judged.append(accepted(index, thing["name"]))
    return judged


def settings(mongo_url: str, name: str) -> Any:
    return SimpleNamespace(
        mongo=mongo_url,
        database=name,
        portal_url="http://127.0.0.1:9",
        log_level="INFO",
        seal_key="c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M",
    )


@pytest.fixture
def issuer() -> TestIssuer:
    return TestIssuer()


@pytest.fixture(scope="session")
def home(mongo_url: str) -> Iterator[str]:
    """One database for all tests of the web, since making one is slow; its name."""
    name = f"test_web_{uuid.uuid4().hex[:8]}"
    connect(mongo_url, name)
    for collection in COLLECTIONS:
        database().create_collection(collection)
    ensure_indexes(OnceAnswers)
    yield name
    with MongoClient(mongo_url) as client:
        client.drop_database(name)


@pytest.fixture
def app(home: str, mongo_url: str, issuer: TestIssuer) -> Iterator[Flask]:
    """The application, with nothing in its database."""
    connect(mongo_url, home)
    for collection in COLLECTIONS:
        database()[collection].delete_many({})
    yield create_app(
        "things", settings(mongo_url, home), [blueprint()], title="Things", trust=issuer, lives_for=[Keeper.CLERK]
    )
    mongoengine.disconnect_all()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
