"""The ledger of a running stack: verified, signed and proved; an altered entry is named until it is mended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(900)
Document = dict[str, Any]


@pytest.fixture
def bank(stack: Stack) -> Iterator[Database[Document]]:
    """The credit bank's database, to do what no service would."""
    with MongoClient[Document](stack.running.variables["MONGO"], tz_aware=True) as client:
        yield client["onex_creditbank"]


def ledger(stack: Stack, *arguments: str) -> tuple[int, Document]:
    """Run a verb; its exit code and document."""
    said = stack.onex("ledger", *arguments)
    assert said.returncode in (0, 1), said.stdout + said.stderr
    found: Document = json.loads(said.stdout)
    return said.returncode, found


def test_a_ledger_is_verified_signed_and_proved(
    stack: Stack, main_job: str, bank: Database[Document], tmp_path: Path
) -> None:
    assert main_job
    code, audit = ledger(stack, "verify")
    assert (code, audit["faults"]) == (0, [])
    assert audit["entries"] > 1_000
    code, root = ledger(stack, "root")
    assert (code, root["accounts"]) == (0, bank["accounts"].count_documents({"entries": {"$gt": 0}}))
    account = bank["accounts"].find_one({"entries": {"$gt": 0}})
    assert account is not None
    code, proof = ledger(stack, "prove", account["_id"])
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(proof))
    keys = Path(root["folder"]) / "keys.json"
    code, shown = ledger(stack, "check-proof", str(file), "--key", str(keys))
    assert (code, shown["head"], shown["root"]) == (0, bytes(account["head"]).hex(), root["root"])
    file.write_text(json.dumps(proof | {"entries": proof["entries"] + 1}))
    assert stack.onex("ledger", "check-proof", str(file), "--key", str(keys)).returncode == 1


def test_an_altered_entry_is_named_until_it_is_mended(stack: Stack, main_job: str, bank: Database[Document]) -> None:
    assert main_job
    entry = bank["entries"].find_one({"postings.0": {"$exists": True}})
    assert entry is not None
    bank["entries"].update_one({"_id": entry["_id"]}, {"$inc": {"postings.0.points": 1}})
    try:
        code, audit = ledger(stack, "verify")
    finally:
        bank["entries"].replace_one({"_id": entry["_id"]}, entry)
    learner, number = entry["_id"].split(":")
    found = [(one["account"], one["entry"], one["wrong"]) for one in audit["faults"]]
    assert (code, found) == (1, [(learner, int(number), "altered")])
    assert ledger(stack, "verify")[0] == 0


def test_a_balance_is_explained_at_the_terminal(stack: Stack, main_job: str, bank: Database[Document]) -> None:
    assert main_job
    account = bank["accounts"].find_one({"available_points": {"$gt": 0}})
    assert account is not None
    said = stack.onex("why", account["_id"])
    assert (said.returncode, said.stderr) == (0, "")
    assert f"available {account['available_points'] / 100:.2f}" in said.stdout.splitlines()[0]
    assert "Recognition rule, version 1" in said.stdout
    assert "a result became final" in said.stdout
    assert "第 1 笔" in stack.onex("why", account["_id"], "--zh", "--entry", "1").stdout
    proof = json.loads(stack.onex("why", account["_id"], "--json").stdout)["proof"]
    assert proof.count(".") == 2
    refused = stack.onex("why", "nobody")
    assert (refused.returncode, "nobody" in refused.stderr) == (1, True)
