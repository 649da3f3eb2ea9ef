"""What an auditor reads of the bank: each learner's account, outcomes and entries, and what of them was announced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chassis import waiters
from chassis.bus import announced
from chassis.database import Row
from chassis.web.bundles import Bundle, Shelf, bundles
from services.creditbank.ledger import queries as ledger
from services.creditbank.ledger.domain import ANNOUNCED
from services.creditbank.recognition import models
from services.creditbank.recognition.commands import OUTCOME

SHELVES = {
    "accounts": ledger.ACCOUNTS,
    "entries": ledger.ENTRIES,
    "outcomes": Shelf(models.audited_rows, lambda row: str(row["learner_id"]), rows_each=2),
}


@dataclass(frozen=True)
class Around:
    """What is looked up for a page: postings announced by learner and entry, merges by survivor and merged learner,
    what outcomes wait for, whose events are held up, and who was merged into whom."""

    posted: Mapping[tuple[str, int], Row]
    merges: Mapping[tuple[str, str], Row]
    facts: Mapping[str, Row]
    held_up: Mapping[str, list[dict[str, str]]]
    merged_from: Mapping[str, list[str]]


def audited(query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of learners with what the bank has of them; no name, no identity number."""
    found, following = bundles(SHELVES, query)
    around = _around(found)
    return {"items": [_shown(owner, shelves, around) for owner, shelves in found], "next": following}


def _around(found: Sequence[Bundle]) -> Around:
    learners = [owner for owner, _ in found]
    keys = [_key(one) for one in learners]
    survivors = {row["merged_into"] for _, shelves in found for row in shelves["accounts"] if row.get("merged_into")}
    merges = announced.on_keys(map(_key, survivors), ["AccountsMerged"]) if survivors else []
    waiting = [row["_id"] for _, shelves in found for row in shelves["outcomes"] if row.get("is_waiting")]
    return Around(
        posted={(row["key"], row["said"].get("entry_number", 0)): row for row in announced.on_keys(keys, ANNOUNCED)},
        merges={(row["said"]["learner_id"], row["said"]["merged_id"]): row for row in merges},
        facts=waiters.facts_of(OUTCOME, waiting) if waiting else {},
        held_up=announced.held_up(keys),
        merged_from=ledger.merged_from(learners),
    )


def _key(learner_id: str) -> str:
    return f"learner:{learner_id}"


def _shown(learner_id: str, shelves: Mapping[str, list[Row]], around: Around) -> dict[str, Any]:
    account: Row = next(iter(shelves["accounts"]), {"entries": 0, "holdings": []})
    survivor_id = account.get("merged_into")
    merge = announced.shown(around.merges.get((survivor_id or "", learner_id)))
    entries = [
        ledger.audited_entry(row) | {"announced": announced.shown(around.posted.get((_key(learner_id), number)))}
        for row in shelves["entries"]
        for number in (int(row["_id"].rpartition(":")[2]),)
    ]
    return {
        "learner_id": learner_id,
        "merged_into": survivor_id,
        "merged_at": merge["at"] if merge else None,
        "merged_from": around.merged_from.get(learner_id, []),
        "held_up": around.held_up.get(_key(learner_id), []),
        "entry_count": account["entries"],
        "holdings": ledger.audited_holdings(account),
        "outcomes": [_outcome(row, around.facts.get(row["_id"])) for row in shelves["outcomes"]],
        "entries": entries,
    }


def _outcome(row: Row, waits: Row | None) -> dict[str, Any]:
    return {
        **{name: row[name] for name in ("result_id", "scheme", "level", "revision", "state", "verdict")},
        "rule_version": row.get("rule_version", 0),
        "credit_points": row.get("credit_points", 0),
        "is_waiting": row.get("is_waiting", False),
        "waiting_for": waits["fact"] if waits else None,
        "waiting_since": waits["since"] if waits else None,
    }
