"""Roots off the database: signed, chained, held against; and proofs that anybody checks with the public key alone."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from chassis.database import database
from onex.ledger import check_proof
from onex.stack.trouble import Trouble
from services.creditbank.ledger import export
from services.creditbank.ledger.audit import verify
from services.creditbank.ledger.export import Contradicted, DailyRoot, export_root
from services.creditbank.ledger.judging import Wrong
from services.creditbank.ledger.proofs import prove
from services.creditbank.ledger.roots import HEADS_KEPT, Root, RootBroken, Roots, fingerprint
from tests.unit.creditbank.ledgers import SEAL_KEY, cut, prepared, show_journal

Kept = tuple[Roots, Root]


@pytest.fixture
def kept(mongo: str, tmp_path: Path) -> Kept:
    return prepared(tmp_path)


def says(roots: Roots, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((roots.folder / f"{name}.json").read_text())["says"]
    return found


def test_a_root_stands_over_every_account_that_anything_happened_to(kept: Kept) -> None:
    roots, root = kept
    assert (root.size, root.entries) == (2, 4)
    lines = gzip.decompress(roots.heads_file(root.name).read_bytes()).decode().splitlines()
    assert [line.split(" ")[:2] for line in lines] == [["lan", "1"], ["mei", "3"]]
    assert verify(roots).root == root.name


def test_each_root_names_the_one_before(kept: Kept) -> None:
    roots, first = kept
    second = export_root(roots)
    assert second.name == f"{first.name}.2"
    assert "previous" not in says(roots, first.name)
    assert says(roots, second.name)["previous"] == fingerprint(first)
    assert roots.names() == [first.name, second.name]


def test_the_tenth_root_of_a_day_comes_after_the_ninth(kept: Kept) -> None:
    roots, first = kept
    made = [first.name] + [export_root(roots).name for _ in range(10)]
    assert roots.names() == made
    latest = roots.latest()
    assert latest is not None
    assert latest.name == f"{first.name}.11"
    assert [name for name in made if roots.heads_file(name).exists()] == made[-HEADS_KEPT:]
    assert verify(roots).faults == []


@pytest.mark.parametrize(("taken", "says"), [(0, "the root before it is gone"), (1, "names another root than")])
def test_a_root_that_was_taken_out_of_the_row_is_missed(kept: Kept, taken: int, says: str) -> None:
    roots, _ = kept
    for _ in range(2):
        export_root(roots)
    assert roots.gap() == ""
    (roots.folder / f"{roots.names()[taken]}.json").unlink()
    (fault,) = verify(roots).faults
    assert (fault.wrong, says in fault.says) == (Wrong.ROOT_BROKEN, True)
    assert export_root(roots).name.endswith(".4")


def test_only_the_owner_reads_the_folder(kept: Kept) -> None:
    assert kept[0].folder.stat().st_mode & 0o777 == 0o700
    assert list(kept[0].folder.glob("*.half")) == []


@pytest.mark.parametrize(
    "change",
    [
        {"root": "00" * 32},
        {"accounts": 3},
        {"entries": 5},
        {"began_at": "2020-01-01T00:00:00+00:00"},
        {"kind": "another"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_statement_that_was_altered_is_not_believed(kept: Kept, change: dict[str, Any]) -> None:
    roots, root = kept
    file = roots.folder / f"{root.name}.json"
    document = json.loads(file.read_text())
    file.write_text(json.dumps(document | {"says": document["says"] | change}))
    with pytest.raises(RootBroken, match=r"not what was signed|altered"):
        roots.latest()
    (fault,) = verify(roots).faults
    assert fault.wrong is Wrong.ROOT_BROKEN


@pytest.mark.parametrize("content", ["", "{}", "no json", '{"says": {}, "token": "a.b.c"}'])
def test_what_is_no_statement_is_said(kept: Kept, content: str) -> None:
    roots, root = kept
    (roots.folder / f"{root.name}.json").write_text(content)
    (fault,) = verify(roots).faults
    assert fault.wrong is Wrong.ROOT_BROKEN
    assert fault.says.startswith(f"{root.name}.json: ")


def test_heads_that_were_altered_are_said_beside_what_they_contradict(kept: Kept) -> None:
    roots, root = kept
    file = roots.heads_file(root.name)
    content = gzip.decompress(file.read_bytes()).decode()
    file.write_bytes(gzip.compress(content.replace("lan 1 ", "lan 2 ").encode()))
    found = {(one.account, one.wrong) for one in verify(roots).faults}
    assert ("", Wrong.ROOT_BROKEN) in found


@pytest.mark.parametrize("spoil", [Path.unlink, lambda file: file.write_bytes(file.read_bytes()[:-9])])
def test_heads_that_are_gone_or_cut_are_said(kept: Kept, spoil: Any) -> None:
    roots, root = kept
    spoil(roots.heads_file(root.name))
    found = [one for one in verify(roots).faults if not one.account]
    assert [one.wrong for one in found] == [Wrong.ROOT_BROKEN]


def test_another_banks_root_is_not_believed(kept: Kept) -> None:
    roots, _ = kept
    database()["root_keys"].delete_many({})
    with pytest.raises(RootBroken, match="no key that this database knows"):
        roots.latest()


def test_the_keys_do_not_open_under_another_seal_key(kept: Kept) -> None:
    with pytest.raises(SystemExit, match="SEAL_KEY does not open the ledger-root keys"):
        Roots(kept[0].folder, b"o" * 32).latest()


def test_public_keys_of_an_older_database_stay_beside_the_new(kept: Kept) -> None:
    roots, _ = kept
    database()["root_keys"].delete_many({})
    export_root(roots, reason="the keys were lost")
    keys = json.loads((roots.folder / "keys.json").read_text())["keys"]
    assert len({one["kid"] for one in keys}) == 2
    assert all("d" not in one for one in keys)


def set_back() -> None:
    """The database as it was before the last two entries of Mei."""
    cut(3, 4)
    show_journal()
    database()["outbox"].delete_many({"key": "learner:mei", "seq": {"$gte": 3}})


def test_a_database_older_than_its_root_is_noticed(kept: Kept) -> None:
    roots, _ = kept
    set_back()
    whole, of_account = verify(roots).faults
    assert (whole.account, whole.wrong) == ("", Wrong.OLDER_THAN_ROOT)
    assert (of_account.account, of_account.entry, of_account.wrong) == ("mei", 3, Wrong.MISSING)


def test_nothing_is_signed_over_a_journal_that_contradicts_the_last_root(kept: Kept) -> None:
    roots, root = kept
    set_back()
    with pytest.raises(Contradicted, match="1 accounts contradict") as raised:
        export_root(roots)
    assert raised.value.faults == [f"mei: entry 3 is missing; it stands in the root of {root.name}"]
    assert roots.names() == [root.name]
    assert list(roots.folder.glob("*.half")) == []


def test_a_reason_is_signed_with_a_root_that_begins_anew(kept: Kept) -> None:
    roots, root = kept
    set_back()
    anew = export_root(roots, reason="set back on purpose")
    assert says(roots, anew.name)["reason"] == "set back on purpose"
    assert says(roots, anew.name)["previous"] == fingerprint(root)
    assert verify(roots).faults == []


def test_a_worker_signs_once_a_day(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    roots, root = kept
    job = DailyRoot(roots)
    assert job() is False
    assert roots.names() == [root.name]
    monkeypatch.setattr(export, "machine_day", lambda: date(2999, 1, 1))
    while job():
        pass
    assert len(roots.names()) == 2
    assert export.CONTRADICTIONS._value.get() == 0


def test_a_worker_signs_nothing_that_contradicts_and_shows_it(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    roots, root = kept
    set_back()
    monkeypatch.setattr(export, "machine_day", lambda: date(2999, 1, 1))
    job = DailyRoot(roots)
    while job():
        pass
    assert (roots.names(), export.CONTRADICTIONS._value.get()) == ([root.name], 1)
    assert job() is False


@pytest.fixture
def proof(kept: Kept, tmp_path: Path) -> Path:
    file = tmp_path / "mei.json"
    file.write_text(json.dumps(prove("mei", kept[0])))
    return file


def test_a_proof_is_checked_with_the_public_key_alone(kept: Kept, proof: Path) -> None:
    roots, root = kept
    shown = check_proof(proof, roots.folder / "keys.json")
    assert (shown["learner_id"], shown["entries"], shown["root"]) == ("mei", 3, root.hash)
    assert shown["head"] == bytes(database()["entries"].find_one({"_id": "mei:000003"})["hash"]).hex()  # type: ignore[index]


def bent(text: str, at: int) -> str:
    """A text that differs in one character."""
    other = "1" if text[at] != "1" else "2"
    return text[:at] + other + text[at + 1 :]


def test_a_proof_that_differs_in_any_byte_shows_nothing(kept: Kept, proof: Path) -> None:
    said, keys = json.loads(proof.read_text()), kept[0].folder / "keys.json"
    changes: list[dict[str, Any]] = [{"entries": 4}, {"place": 0}, {"path": []}, {"path": [bent(said["path"][0], 5)]}]
    for name in ("learner_id", "head", "root"):
        places = range(len(said[name]) - 1)  # the last character of a token has bits that say nothing
        changes += [{name: bent(said[name], at)} for at in places]
    assert len(changes) > 300
    for change in changes:
        proof.write_text(json.dumps(said | change))
        with pytest.raises(Trouble):
            check_proof(proof, keys)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"root": 1}', '{"root": "a.b.c", "path": "x", "place": 0, "entries": 1, "head": "00"}']
)
def test_what_is_no_proof_is_said_in_a_sentence(kept: Kept, proof: Path, content: str) -> None:
    proof.write_text(content)
    with pytest.raises(Trouble, match=r"proof|JSON"):
        check_proof(proof, kept[0].folder / "keys.json")


def test_keys_of_somebody_else_show_nothing(kept: Kept, proof: Path, tmp_path: Path) -> None:
    database()["root_keys"].delete_many({})
    export_root(Roots(tmp_path / "other", SEAL_KEY))
    with pytest.raises(Trouble, match="not signed by any of these keys"):
        check_proof(proof, tmp_path / "other" / "keys.json")
    with pytest.raises(Trouble, match="holds no public keys"):
        check_proof(proof, proof)


def test_an_account_that_is_not_under_the_root_is_said(kept: Kept) -> None:
    with pytest.raises(Exception, match="not_found"):
        prove("xin", kept[0])


def test_without_a_root_nothing_is_proved(mongo: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no_root"):
        prove("mei", Roots(tmp_path / "none", SEAL_KEY))
