"""A read model that was dropped is fed again from the outbox, whatever Kafka has forgotten meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis import replaying as replays
from chassis import standing
from chassis.bus import topics
from chassis.bus.outbox import Outbox
from chassis.bus.relay import Relay
from chassis.database import database, rows_of
from chassis.replaying import replaying
from chassis.web.app import create_app
from tests.chassis.web.tokens import TestIssuer
from tests.support.bus import TOPICS, amounts, announce, consume_until, on_counted
from tests.support.waiting import until
from tests.support.words import Counted

ISSUER = TestIssuer()
NUMBERS = list(range(12))


class Keeper(StrEnum):
    OPERATOR = "operator"
    AUDITOR = "auditor"


@pytest.fixture
def client(mongo: str, mongo_url: str) -> Iterator[FlaskClient]:
    settings = SimpleNamespace(
        mongo=mongo_url, database=mongo, portal_url="http://portal.test", log_level="WARNING", seal_key="s" * 43
    )
    app = create_app(
        "things",
        settings,
        [replaying({Counted: on_counted}, deciders=(Keeper.OPERATOR,))],
        title="Things",
        trust=ISSUER,
    )
    with app.test_client() as made:
        yield made


def as_a(role: str) -> dict[str, str]:
    return ISSUER.bearer("things", role) | {"Accept-Language": "en"}


def go_on(client: FlaskClient, name: str = "one", **wish: Any) -> Any:
    return client.put(f"/replays/{name}", json=wish, headers=as_a("operator"))


def publish_all_again(client: FlaskClient) -> int:
    count, place = 0, {}
    while place is not None:
        page = client.post("/outbox/republications", json=place, headers=as_a("operator")).json
        count, place = count + page["count"], page["next"]
    return count


def take_all_back(client: FlaskClient) -> int:
    keys, after = 0, ""
    while after is not None:
        page = go_on(client, again=True, after=after).json
        keys, after = keys + page["taken_back"], page["next"]
    return keys


def kafka_forgets(kafka: str) -> None:
    """The topic is there and empty, as after its retention."""
    client = topics.admin(kafka)
    client.delete_topics([TOPICS[0]])
    until(lambda: TOPICS[0] not in client.list_topics())
    topics.create(kafka, {TOPICS[0]: {"num_partitions": 3, "replication_factor": 1}})
    client.wait_for_topics([TOPICS[0]])
    client.close()
    database()["acknowledged"].delete_many({})


def handled_once(kafka: str, relay: Relay, group: str) -> None:
    announce(*(Counted(name=name, amount=n) for n in NUMBERS for name in "ab"))
    relay.publish_pending()
    consume_until(kafka, group, lambda: database()["sums"].count_documents({}) == 24)


def test_a_dropped_read_model_is_as_it_was_though_kafka_forgot(
    kafka: str, relay: Relay, group: str, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "ROWS_AT_ONCE", 5)
    monkeypatch.setattr(replays, "KEYS_AT_ONCE", 1)
    handled_once(kafka, relay, group)
    kafka_forgets(kafka)
    database()["sums"].delete_many({})
    assert take_all_back(client) == 2
    assert go_on(client).json["handled"] == {"north": 0}
    assert publish_all_again(client) == 24
    relay.publish_pending()
    consume_until(kafka, group, lambda: go_on(client).json["handled"] == {"north": 24})
    assert amounts("a") == amounts("b") == NUMBERS
    assert go_on(client).json["parked"] == 0


def test_what_was_seen_and_not_taken_back_is_dropped_as_a_repeat(
    kafka: str, relay: Relay, group: str, client: FlaskClient
) -> None:
    handled_once(kafka, relay, group)
    assert go_on(client).json["taken_back"] == 0
    assert publish_all_again(client) == 24
    relay.publish_pending()
    announce(Counted(name="a", amount=99))
    relay.publish_pending()
    consume_until(kafka, group, lambda: 99 in amounts("a"))
    assert amounts("a") == [*NUMBERS, 99]
    assert rows_of(Outbox, {"due": True}) == []


def test_news_that_comes_while_everything_is_taken_back_waits_its_turn(
    kafka: str, relay: Relay, group: str, client: FlaskClient
) -> None:
    handled_once(kafka, relay, group)
    database()["sums"].delete_many({})
    take_all_back(client)
    announce(Counted(name="a", amount=99))
    relay.publish_pending()
    consume_until(kafka, group, lambda: go_on(client).json["parked"] == 1)
    publish_all_again(client)
    relay.publish_pending()
    consume_until(kafka, group, lambda: 99 in amounts("a") and len(amounts("b")) == 12)
    assert amounts("a") == [*NUMBERS, 99]


def test_only_what_was_announced_before_it_began_is_told_to_nobody_outside(client: FlaskClient) -> None:
    assert standing.again_before() == standing.NEVER
    go_on(client)
    began = standing.look_again()["again_before"]
    go_on(client)
    assert standing.look_again()["again_before"] == began > standing.NEVER


def test_a_second_replay_at_once_is_refused_until_the_first_has_ended(client: FlaskClient) -> None:
    assert go_on(client, "one").status_code == 200
    refused = go_on(client, "two")
    assert (refused.status_code, refused.json["code"]) == (409, "replay_running")
    assert client.delete("/replays/two", headers=as_a("operator")).status_code == 204
    assert go_on(client, "two").status_code == 409
    client.delete("/replays/one", headers=as_a("operator"))
    assert go_on(client, "two").status_code == 200


def test_a_publisher_that_nobody_here_listens_to_is_named(client: FlaskClient) -> None:
    refused = go_on(client, sources=["south"])
    assert (refused.status_code, refused.json["code"]) == (422, "replay_source_unheard")
    assert refused.json["detail"] == "This service does not listen to south. It listens to: north."


def test_a_service_that_was_set_back_is_not_replayed(client: FlaskClient) -> None:
    with pytest.raises(standing.SetBack):
        standing.note_set_back(["onex.north.v1:0 has Counted x, unknown here"])
    refused = go_on(client, again=True)
    assert (refused.status_code, refused.json["code"]) == (503, "recovery_needed")


def test_only_who_may_decide_replays(client: FlaskClient) -> None:
    assert client.put("/replays/one", json={}, headers=as_a("auditor")).status_code == 403
    assert client.post("/outbox/republications", json={}, headers=as_a("auditor")).status_code == 403
