"""The published language only grows, and the gate that says so can be trusted."""

from __future__ import annotations

import json
from datetime import date
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import pytest

from chassis.bus.event import Announcement
from tests.contract.growth import breaches
from tests.contract.language import HERE, announcements, recorded_schema, schema_of
from tests.contract.record import record

SCHEMAS = HERE / "schemas"
RECORD = "run: python -m tests.contract.record"


@pytest.mark.parametrize("name", sorted(file.stem for file in SCHEMAS.glob("*.json")))
def test_an_announcement_has_only_grown_since_it_was_recorded(name: str) -> None:
    kind = announcements().get(name)
    assert kind is not None, f"{name} was announced once and is not known any more"
    assert breaches(recorded_schema(HERE, name), schema_of(kind)) == []
    assert recorded_schema(HERE, name) == schema_of(kind), f"{name} has grown; {RECORD}"


def test_every_announcement_is_recorded() -> None:
    assert {file.stem for file in SCHEMAS.glob("*.json")} == set(announcements()), RECORD


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class MoreColours(StrEnum):
    RED = "red"
    BLUE = "blue"
    GREEN = "green"


class FewerColours(StrEnum):
    RED = "red"


class Grade(IntEnum):
    LOW = 1
    HIGH = 2


class Spot(msgspec.Struct):
    x: int


class SpotWithPlace(msgspec.Struct):
    x: int
    place: str


FIELDS: dict[str, Any] = {
    "name": str,
    "weight": int,
    "colour": Colour,
    "day": date,
    "tags": tuple[str, ...],
    "spot": Spot,
    "counts": dict[str, int],
    "until": (date | None, None),
    "note": (str, ""),
}


VALUES: dict[str, Any] = {
    "name": "stone",
    "weight": 5,
    "colour": Colour.RED,
    "day": date(2021, 3, 1),
    "tags": ("a",),
    "spot": Spot(x=1),
    "counts": {},
}


class Northern(Announcement, frozen=True, kw_only=True):
    source: ClassVar[str] = "north"

    def keys(self) -> tuple[str, ...]:
        return ("thing:stone",)


def made(fields: dict[str, Any]) -> type[Any]:
    """An announcement with these fields; a pair is (type, default)."""
    typed = [(name, *(said if isinstance(said, tuple) else (said,))) for name, said in fields.items()]
    return msgspec.defstruct("Told", typed, bases=(Northern,), frozen=True, kw_only=True)


def told(without: str = "", **changed: Any) -> type[Any]:
    """An announcement with the fields above, changed."""
    return made({name: said for name, said in (FIELDS | changed).items() if name != without})


def shape(without: str = "", **changed: Any) -> dict[str, Any]:
    """The schema of such an announcement."""
    return schema_of(told(without, **changed))


BREAKS: dict[str, tuple[dict[str, Any], str]] = {
    "a field removed": (shape(without="weight"), "weight: was removed or renamed"),
    "an optional field removed": (shape(without="note"), "note: was removed or renamed"),
    "a new field without a default": (shape(size=int), "size: is new and has no default"),
    "an optional field required": (shape(note=str), "note: was optional and is required"),
    "a required field left out": (shape(weight=(int, 0)), "weight: was always there"),
    "another default": (shape(note=(str, "none")), "note: has another default"),
    "a narrowed enumeration": (shape(colour=FewerColours), "colour: takes no more ['blue']"),
    "an enumeration instead of text": (shape(name=Colour), "name: was string, is one of"),
    "another enumeration": (shape(colour=Grade), "colour: takes no more ['blue', 'red']"),
    "another type": (shape(weight=str), "weight: was integer, is string"),
    "a float for an integer": (shape(weight=float), "weight: was integer, is number"),
    "text for a date": (shape(day=str), "day: format was date, is None"),
    "one for many": (shape(tags=str), "tags: was array, is string"),
    "many of another type": (shape(tags=tuple[int, ...]), "tags[]: was string, is integer"),
    "a mapping to something else": (shape(counts=dict[str, str]), "counts[]: was integer, is string"),
    "none no more": (shape(until=(date, None)), "until: takes no more what it took, null"),
    "a bound": (shape(weight=Annotated[int, msgspec.Meta(ge=0)]), "weight: minimum was None, is 0"),
    "a deep field without a default": (shape(spot=SpotWithPlace), "spot.place: is new and has no default"),
}  # fmt: skip


@pytest.mark.parametrize("change", BREAKS)
def test_the_gate_catches(change: str) -> None:
    current, sentence = BREAKS[change]
    found = breaches(shape(), current)
    assert len(found) == 1, found
    assert sentence in found[0]


def test_the_gate_catches_a_renamed_field() -> None:
    found = breaches(shape(), shape(without="note", remark=(str, "")))
    assert found == ["note: was removed or renamed"]


def test_the_gate_says_everything_at_once() -> None:
    assert len(breaches(shape(), shape(without="name", weight=str, size=int))) == 3


GROWS: dict[str, dict[str, Any]] = {
    "nothing": shape(),
    "a new field with a default": shape(size=(int, 0)),
    "a new field that may be none": shape(size=(int | None, None)),
    "more values": shape(colour=MoreColours),
    "a union with more": shape(until=(date | bool | None, None)),
    "a field moved": schema_of(made(dict(reversed(FIELDS.items())))),
}


@pytest.mark.parametrize("change", GROWS)
def test_the_gate_lets_grow(change: str) -> None:
    assert breaches(shape(), GROWS[change]) == []


def test_documentation_is_no_shape_but_a_field_of_that_name_is() -> None:
    class Told(Announcement, frozen=True, kw_only=True):
        """Words."""

        source: ClassVar[str] = "north"
        description: str

    schema = schema_of(Told)["$defs"]["Told"]
    assert "description" not in schema
    assert "description" in schema["properties"]


def test_the_recorder_refuses_what_the_gate_refuses(tmp_path: Path) -> None:
    grown = told(size=(int, 0))
    for kind in (told(), grown):
        assert record({"Told": kind}, (), tmp_path) == []
        assert recorded_schema(tmp_path, "Told") == schema_of(kind)
    assert record({"Told": told()}, (), tmp_path) == ["Told.size: was removed or renamed"]
    assert recorded_schema(tmp_path, "Told") == schema_of(grown)


def test_the_recorder_writes_a_sample_once(tmp_path: Path) -> None:
    kind = told()
    first, second = kind(**VALUES), kind(**VALUES | {"note": "later"})
    record({}, [first], tmp_path)
    sample = tmp_path / "samples" / "north" / "Told.json"
    written = sample.read_text()
    record({}, [second, second], tmp_path)
    assert sample.read_text() == written
    assert json.loads((sample.parent / "Told.2.json").read_text())["body"]["note"] == "later"
