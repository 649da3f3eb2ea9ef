"""What an auditor reads of results: each as it stands, and the announcement that says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chassis.bus import announced
from chassis.database import Row
from chassis.web.bundles import Shelf, bundles
from services.assessment.results import models
from services.assessment.results.domain import State

TYPES = ("ResultPublicised", "ResultFinalised", "ResultCorrected", "ResultAnnulled")
SHELVES = {"results": Shelf(models.audited_rows, lambda row: str(row["learner_id"]))}
Said = dict[tuple[str, int], Row]  # by result and revision


def audited(query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of learners with their results and what was announced of them; no mark, no name, no identity number."""
    found, following = bundles(SHELVES, query)
    said = _said([row for _, shelves in found for row in shelves["results"]])
    items = [
        {"learner_id": owner, "results": [_shown(row, said) for row in shelves["results"]]} for owner, shelves in found
    ]
    return {"items": items, "next": following}


def _said(rows: list[Row]) -> Said:
    """Announcements by the cause that a revision must have, and for those not found, by the learner's key."""
    causes = {row["submitted_by"] for row in rows} | {f"result:{row['_id']}:r{row['revision']}" for row in rows}
    said = _by_revision(announced.because_of(causes, TYPES))
    lacking = {f"learner:{row['learner_id']}" for row in rows if (row["_id"], row["revision"]) not in said}
    return (_by_revision(announced.on_keys(lacking, TYPES)) if lacking else {}) | said


def _by_revision(rows: Iterable[Row]) -> Said:
    return {(row["said"]["result_id"], row["said"]["revision"]): row for row in rows}


def _shown(row: Row, said: Said) -> dict[str, Any]:
    told = announced.shown(said.get((row["_id"], row["revision"])))
    return {
        "result_id": row["_id"],
        **{name: row[name] for name in ("scheme", "level", "revision", "state", "verdict")},
        "announced": told,
        "final_at": told["at"] if told and row["state"] == State.FINAL else None,
    }
