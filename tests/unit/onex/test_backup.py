"""A backup is one instant of all databases; it comes back as it was, and what is not whole is not taken for it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from onex import backup
from onex.stack import dump
from onex.stack.dump import Part
from onex.stack.home import Home
from onex.stack.supervisor import only_one
from onex.stack.trouble import Trouble

Client = MongoClient[dict[str, Any]]
KEYS = {"SEAL_KEY_ENROLMENT": "k1", "PEPPER": "k2", "CLIENTS_KEY": "k3", "CLIENT_SECRET_NOTIFY": "k4"}


def quiet(_sentence: str) -> None:
    """Nobody reads along."""


@pytest.fixture
def names(raw_mongo: Client) -> Iterator[list[str]]:
    made = [f"b{uuid.uuid4().hex[:8]}_{name}" for name in ("bank", "notify")]
    yield made
    for name in made:
        raw_mongo.drop_database(name)


def test_all_databases_are_as_they_were_at_one_instant(
    raw_mongo: Client, mongo_url: str, names: list[str], tmp_path: Path
) -> None:
    """What is written to the second database while the first one is read is in neither."""
    first, second = (raw_mongo[name]["things"] for name in names)
    first.insert_many([{"_id": n, "text": "中" * n} for n in range(2_500)])
    second.insert_many([{"_id": n} for n in range(10)])
    raw_mongo[names[0]]["leases"].insert_one({"_id": "relay", "holder": "me"})

    def meanwhile(_sentence: str) -> None:
        second.update_many({}, {"$set": {"changed": True}})
        second.replace_one({"_id": "later"}, {}, upsert=True)

    dump.stamp(mongo_url, names, "s1")
    parts, instant = dump.take(mongo_url, names, tmp_path, meanwhile)
    taken = [(part.collection, part.documents) for part in parts]
    assert taken == [("stack", 1), ("things", 2_500), ("stack", 1), ("things", 10)]
    assert instant
    for name in names:
        raw_mongo[name]["stale"].insert_one({"_id": 1})
    dump.put(mongo_url, parts, {name: name for name in names}, tmp_path, quiet)
    assert [len(row["text"]) for row in first.find(sort=[("_id", 1)])] == list(range(2_500))
    assert list(second.find(sort=[("_id", 1)])) == [{"_id": n} for n in range(10)]
    assert sorted(raw_mongo[names[0]].list_collection_names()) == ["stack", "things"]
    assert dump.stamps_of(mongo_url, names) == dict.fromkeys(names, "s1")


def test_documents_that_are_not_as_many_as_were_counted_are_said(
    raw_mongo: Client, mongo_url: str, names: list[str], tmp_path: Path
) -> None:
    dump.stamp(mongo_url, names, "s1")
    [part] = dump.take(mongo_url, names[:1], tmp_path, quiet)[0]
    wrong = Part(part.file, part.database, part.collection, 2, part.sha256)
    with pytest.raises(Trouble, match="holds 1 documents, and 2 were written"):
        dump.put(mongo_url, [wrong], {names[0]: names[0]}, tmp_path, quiet)


def test_a_database_that_does_not_answer_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump, "PATIENCE_MS", 200)
    with pytest.raises(Trouble, match="MongoDB does not answer as it should"):
        dump.stamps_of("mongodb://127.0.0.1:9/", ["onex_notify"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small backup, whole."""
    (tmp_path / "a.bson.gz").write_bytes(b"anything")
    manifest: dict[str, Any] = {
        "format": 1,
        "onex": backup.version(),
        "stack": "s1",
        "databases": ["onex_notify"],
        "files": [{"file": "a.bson.gz", "sha256": dump.sum_of(tmp_path / "a.bson.gz")}],
        "clock": "",
        "keys": {name: backup.fingerprint(KEYS[name]) for name in ("SEAL_KEY_ENROLMENT", "PEPPER", "CLIENTS_KEY")},
    }
    write(tmp_path, manifest)
    return tmp_path


def write(folder: Path, manifest: dict[str, Any]) -> None:
    sealed = manifest | {"seal": backup.seal(manifest, KEYS["CLIENTS_KEY"])}
    (folder / "manifest.json").write_text(json.dumps(sealed))


def test_a_whole_backup_is_taken_for_one(folder: Path) -> None:
    assert backup.checked(folder, KEYS)["stack"] == "s1"


def test_a_file_that_is_cut_off_altered_or_missing_is_named(folder: Path) -> None:
    (folder / "a.bson.gz").write_bytes(b"anythin")
    with pytest.raises(Trouble, match=r"a\.bson\.gz was altered or cut off"):
        backup.checked(folder, KEYS)
    (folder / "a.bson.gz").unlink()
    with pytest.raises(Trouble, match=r"a\.bson\.gz is missing"):
        backup.checked(folder, KEYS)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"stack": "s2"}, "was altered"),
        ({"format": 2}, "update it first"),
        ({"onex": "99.0.0"}, "update it first"),
        ({"onex": "new"}, "it is no manifest"),
        ({"files": None}, "was altered"),
        ({"keys": {"PEPPER": "0" * 16}}, "taken with another PEPPER"),
    ],
)
def test_a_manifest_that_is_not_this_stacks_or_of_its_time_is_refused(
    folder: Path, change: dict[str, Any], sentence: str
) -> None:
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(Trouble, match=sentence):
        backup.checked(folder, KEYS)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 1, "onex": "0.1.0"}'])
def test_what_is_no_manifest_is_said_to_be_none(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(Trouble, match="it is no manifest"):
        backup.checked(folder, KEYS)


def test_the_manifest_tells_nothing_of_a_key() -> None:
    assert backup.fingerprint("a" * 43) != backup.fingerprint("b" * 43)
    assert "k1" not in backup.fingerprint("k1")


def test_a_stack_keeps_its_id(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert backup.id_of(home) == backup.id_of(home)


def test_two_backups_at_once_are_one_too_many(tmp_path: Path) -> None:
    doing = ("backup.lock", "backing up or restoring")
    with (
        only_one(Home(tmp_path), *doing),
        pytest.raises(Trouble, match="Another onex command is backing up or restoring"),
        only_one(Home(tmp_path), *doing),
    ):
        raise AssertionError("both may")


def test_the_clock_of_a_demonstration_only_goes_forward(tmp_path: Path) -> None:
    home = Home(tmp_path)
    backup._set_clock(home, "2021-03-01T08:00:00+00:00")
    backup._set_clock(home, "2021-02-01T08:00:00+00:00")
    backup._set_clock(home, "")
    assert (home / "clock").read_text().strip() == "2021-03-01T08:00:00+00:00"
