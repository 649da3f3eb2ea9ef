"""A gap that stands is asked for again from its publisher, whose outbox has it all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from chassis.bus.batches import take
from chassis.bus.outbox import Outbox
from chassis.bus.parking import Parked
from chassis.bus.relay import Relay
from chassis.database import database, rows_of, run_transaction
from chassis.resending import gaps, resending
from chassis.settings import Settings
from chassis.strands import Strands
from chassis.web.app import create_app
from tests.chassis.web.tokens import TestIssuer
from tests.support.arrivals import arrival
from tests.support.bus import amounts, announce, consume_until, on_counted
from tests.support.words import Counted

ISSUER = TestIssuer()
HANDLERS = {Counted: on_counted}


class Peer(StrEnum):
    SERVICE = "service"
    GUEST = "guest"


@pytest.fixture
def client(mongo: str, mongo_url: str) -> Iterator[FlaskClient]:
    settings = SimpleNamespace(
        mongo=mongo_url, database=mongo, portal_url="http://portal.test", log_level="WARNING", seal_key="s" * 43
    )
    app = create_app("north", settings, [resending(askers=(Peer.SERVICE,))], title="North", trust=ISSUER)
    with app.test_client() as made:
        yield made


def taken(*numbers: int, name: str = "a") -> None:
    run_transaction(lambda: take([arrival(Counted(name=name, amount=n), n) for n in numbers], HANDLERS))


def test_a_gap_is_told_by_what_is_missing_before_the_first_parked(mongo: str) -> None:
    taken(1, 5, 7)
    taken(2, name="b")
    later = datetime.now(UTC) + timedelta(seconds=1)
    assert gaps(later) == {
        "north": [{"key": "thing:a", "first": 2, "last": 4}, {"key": "thing:b", "first": 1, "last": 1}]
    }
    assert gaps(datetime.now(UTC) - timedelta(seconds=30)) == {}


def test_a_long_gap_is_asked_for_in_parts(mongo: str) -> None:
    taken(1, 900_000)
    assert gaps(datetime.now(UTC) + timedelta(seconds=1)) == {"north": [{"key": "thing:a", "first": 2, "last": 1_001}]}


def test_a_dead_letters_number_is_not_missing(mongo: str) -> None:
    taken(1, 3)
    database()["strands"].update_one({"_id": "thing:a"}, {"$set": {"dead": {"north": [2]}}})
    assert gaps(datetime.now(UTC) + timedelta(seconds=1)) == {}


def test_what_a_topic_lost_comes_again_and_only_that(kafka: str, relay: Relay, group: str, client: FlaskClient) -> None:
    for n in range(5):
        announce(Counted(name="a", amount=n))
    database()["outbox"].update_many({"seq": {"$in": [2, 3]}}, {"$unset": {"due": ""}})  # never reached the topic
    relay.publish_pending()
    consume_until(kafka, group, lambda: len(rows_of(Parked, {})) == 2)
    assert amounts() == [0]
    found = gaps(datetime.now(UTC) + timedelta(seconds=1))["north"]
    answer = client.post("/outbox/resend", json={"gaps": found}, headers=ISSUER.bearer("north", "service"))
    assert (answer.status_code, answer.json) == (200, {"count": 2})
    assert relay.publish_pending() == 2
    consume_until(kafka, group, lambda: len(amounts()) == 5)
    assert amounts() == [0, 1, 2, 3, 4]
    assert rows_of(Parked, {}) == []
    assert "parked" not in rows_of(Strands, {"_id": "thing:a"})[0]


def test_only_services_ask_and_only_for_what_exists(client: FlaskClient) -> None:
    body = {"gaps": [{"key": "thing:none", "first": 1, "last": 9}]}
    assert client.post("/outbox/resend", json=body, headers=ISSUER.bearer("north", "guest")).status_code == 403
    assert client.post("/outbox/resend", json=body, headers=ISSUER.bearer("north", "service")).json == {"count": 0}
    many = {"gaps": [{"key": f"k{n}", "first": 1, "last": 1} for n in range(201)]}
    assert client.post("/outbox/resend", json=many, headers=ISSUER.bearer("north", "service")).status_code == 422


def test_a_key_is_resent_a_thousand_numbers_at_a_time(client: FlaskClient) -> None:
    rows = [{"_id": f"e{n}", "key": "thing:a", "seq": n, "shard": 0} for n in range(1, 1_500)]
    database()["outbox"].insert_many(rows)
    body = {"gaps": [{"key": "thing:a", "first": 11, "last": 5_000}]}
    answer = client.post("/outbox/resend", json=body, headers=ISSUER.bearer("north", "service"))
    assert answer.json == {"count": 1_000}
    due = [row["seq"] for row in rows_of(Outbox, {"due": True}, sort=[("seq", 1)])]
    assert (due[0], due[-1]) == (11, 1_010)


def test_peers_are_read_or_said_to_be_malformed() -> None:
    given = {"mongo": "m", "database": "d", "portal_url": "p", "client_secret": "c", "seal_key": "k"}
    assert Settings(**given, peers="a=http://x:1 b=http://y:2").addresses() == {"a": "http://x:1", "b": "http://y:2"}
    with pytest.raises(SystemExit, match="PEERS is malformed"):
        Settings(**given, peers="a").addresses()
