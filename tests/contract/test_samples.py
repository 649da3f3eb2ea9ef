"""What was announced once can be read for ever, with the values it had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chassis.bus.arrivals import Arrival, arrival_of
from chassis.bus.event import Announcement, encode_body, event_id
from chassis.errors import Defect
from tests.contract.examples import EXAMPLES
from tests.contract.language import HERE, announcements
from tests.contract.record import CAUSE, RECORDED_AT, SEQ, sample_of, samples

SAMPLES = HERE / "samples"
RECORDED = sorted(str(file.relative_to(SAMPLES)) for file in SAMPLES.glob("*/*.json"))
EXAMPLE_OF = {str(file.relative_to(SAMPLES)): example for file, example in samples(HERE, EXAMPLES)}


def sample(name: str) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((SAMPLES / name).read_text())
    return kept


def arrive(kept: dict[str, Any]) -> Arrival:
    """Read a sample as a consumer reads a record."""
    headers = [(name, value.encode()) for name, value in kept["headers"].items()]
    return arrival_of(headers, json.dumps(kept["body"]).encode(), announcements())


def body_of(kept: dict[str, Any]) -> Announcement:
    event = arrive(kept).event
    assert event is not None
    body: Announcement = event.body
    return body


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_body_decodes_with_its_values(name: str) -> None:
    kept = sample(name)
    body = body_of(kept)
    assert type(body).__name__ == Path(name).name.split(".")[0]
    assert body == EXAMPLE_OF[name]
    assert json.loads(encode_body(body)) == kept["body"]


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_envelope_means_what_it_meant(name: str) -> None:
    kept = sample(name)
    envelope, body = arrive(kept).envelope, body_of(kept)
    assert (envelope.cause, envelope.seq, envelope.time) == (CAUSE, SEQ, RECORDED_AT)
    assert envelope.source == body.source == Path(name).parent.name
    assert envelope.key == body.keys()[0]
    assert envelope.id == event_id(CAUSE, envelope.type, envelope.key, 0)


@pytest.mark.parametrize("name", RECORDED)
def test_today_s_events_travel_like_the_recorded_ones(name: str) -> None:
    assert sample_of(EXAMPLE_OF[name]) == sample(name)


@pytest.mark.parametrize("name", RECORDED)
def test_fields_of_tomorrow_are_ignored(name: str) -> None:
    kept = sample(name)
    more = kept | {
        "headers": kept["headers"] | {"ce_tomorrow": "1"},
        "body": kept["body"] | {"tomorrow": {"deep": [1, None]}, "weather": "晴"},
    }
    assert body_of(more) == body_of(kept)
    assert arrive(more).envelope == arrive(kept).envelope


@pytest.mark.parametrize("name", RECORDED)
def test_a_body_that_lacks_its_first_field_is_a_defect(name: str) -> None:
    kept = sample(name)
    first = next(iter(kept["body"]))
    with pytest.raises(Defect, match=first):
        arrive(kept | {"body": {field: value for field, value in kept["body"].items() if field != first}})


def test_every_announcement_has_a_sample_and_every_sample_an_announcement() -> None:
    sampled = {Path(name).name.split(".")[0] for name in RECORDED}
    assert sampled == set(announcements()), "add an example and run: python -m tests.contract.record"
    assert set(RECORDED) == set(EXAMPLE_OF), "run: python -m tests.contract.record"
