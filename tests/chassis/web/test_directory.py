"""The directory asks in parts, opens with each learner's own key, and forgets keys after a minute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, request

from chassis import seal
from chassis.web.client import Client
from contracts import directory as module
from contracts.directory import Directory
from tests.chassis.web.servers import serving


class Enrolment:
    """Two routes of enrolment, with the keys of some learners."""

    def __init__(self) -> None:
        self.keys = {f"learner-{number}": seal.new_key() for number in range(1200)}
        self.asked: list[tuple[str, int, str]] = []
        self.app = Flask("enrolment")
        self.app.add_url_rule("/match", view_func=self.match, methods=["POST"])
        self.app.add_url_rule("/keys", view_func=self.give, methods=["POST"])

    def match(self) -> Any:
        documents = request.get_json()
        self.asked.append(("match", len(documents), request.args.get("purpose", "")))
        found = [f"learner-{one['document_number']}" for one in documents]
        return [{"learner_id": name if name in self.keys else None} for name in found]

    def give(self) -> Any:
        wanted = request.get_json()
        self.asked.append(("keys", len(wanted["learner_ids"]), wanted["purpose"]))
        given = {name: seal.key_text(self.keys[name]) for name in wanted["learner_ids"] if name in self.keys}
        return {"keys": given}

    def sealed(self, learner_id: str, **fields: str) -> dict[str, str | None]:
        key = self.keys[learner_id]
        return {field: seal.seal(key, text, f"learner:{learner_id}:{field}") for field, text in fields.items()}


@pytest.fixture
def enrolment() -> Enrolment:
    return Enrolment()


@pytest.fixture
def directory(enrolment: Enrolment) -> Iterator[Directory]:
    with serving(enrolment.app) as url, Client(url, token=lambda: "service") as client:
        yield Directory(client)


def test_people_are_matched_in_parts_and_in_order(directory: Directory, enrolment: Enrolment) -> None:
    documents = [("resident", str(number)) for number in range(1199, -2, -1)]
    found = directory.match(documents, "results sheet")
    assert found == [f"learner-{number}" for number in range(1199, -1, -1)] + [None]
    assert enrolment.asked == [
        ("match", 500, "results sheet"),
        ("match", 500, "results sheet"),
        ("match", 201, "results sheet"),
    ]
    assert directory.match([]) == []


def test_fields_are_opened_with_each_learners_key(directory: Directory, enrolment: Enrolment) -> None:
    sealed = {
        "learner-1": enrolment.sealed("learner-1", name="黄玉梅", phone="13800000000") | {"email": None},
        "learner-2": enrolment.sealed("learner-2", name="买买提·艾力"),
    }
    assert directory.open_fields(sealed, "notice") == {
        "learner-1": {"name": "黄玉梅", "phone": "13800000000"},
        "learner-2": {"name": "买买提·艾力"},
    }


def test_keys_are_asked_once_a_minute_and_for_each_purpose(
    directory: Directory, enrolment: Enrolment, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    sealed = {"learner-1": enrolment.sealed("learner-1", name="a")}
    directory.open_fields(sealed, "notice")
    now += 59
    directory.open_fields(sealed | {"learner-2": enrolment.sealed("learner-2", name="b")}, "notice")
    directory.open_fields(sealed, "page")
    assert enrolment.asked == [("keys", 1, "notice"), ("keys", 1, "notice"), ("keys", 1, "page")]
    now += 2
    directory.open_fields(sealed, "notice")
    assert len(enrolment.asked) == 4


def test_a_destroyed_key_opens_nothing(directory: Directory, enrolment: Enrolment) -> None:
    sealed = {"learner-1": enrolment.sealed("learner-1", name="a")}
    del enrolment.keys["learner-1"]
    assert directory.open_fields(sealed, "notice") == {"learner-1": {}}


def test_a_value_in_another_place_does_not_open(directory: Directory, enrolment: Enrolment) -> None:
    moved = {"phone": enrolment.sealed("learner-1", name="a")["name"]}
    with pytest.raises(seal.SealBroken):
        directory.open_fields({"learner-1": moved}, "notice")


def test_what_is_kept_is_bounded(directory: Directory, enrolment: Enrolment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT_KEYS", 100)
    sealed = {name: enrolment.sealed(name, name="a") for name in enrolment.keys}
    assert len(directory.open_fields(sealed, "notice")) == 1200
    assert len(directory._keys) == 100
