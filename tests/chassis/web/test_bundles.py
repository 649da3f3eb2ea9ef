"""Pages of bundles join to the whole, and no owner is ever cut, however many rows each has."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from chassis.errors import Refusal
from chassis.web.bundles import Bundle, Shelf, bundles

ROWS_EACH = 3
Rows = list[dict[str, Any]]


def shelf_of(rows: Rows) -> Shelf:
    """A collection in memory, read as the database is."""

    def find(owner: Mapping[str, Any], limit: int) -> Sequence[dict[str, Any]]:
        found = [row for row in rows if row["owner"] in owner["$in"]] if "$in" in owner else []
        found = found or [row for row in rows if "$gt" in owner and row["owner"] > owner["$gt"]]
        return sorted(found, key=lambda row: str(row["owner"]))[: limit or None]

    return Shelf(find, lambda row: str(row["owner"]), ROWS_EACH)


def read_all(shelves: Mapping[str, Shelf], limit: int) -> list[Bundle]:
    """Every bundle, page by page."""
    found: list[Bundle] = []
    cursor = None
    while True:
        page, following = bundles(shelves, {"owner": None, "cursor": cursor, "limit": limit})
        assert len(page) <= limit
        assert page or following is None, "only the last page may be empty"
        found += page
        if following is None:
            return found
        cursor = [page[-1][0]]


@pytest.mark.parametrize("seed", range(20))
def test_pages_join_to_the_whole_and_cut_nobody(seed: int) -> None:
    chance = random.Random(seed)
    limit = chance.randint(1, 5)
    owners = [f"n{number:02}" for number in range(chance.randint(0, 30))]
    rows = {
        name: [
            {"owner": owner, "n": n}
            for owner in owners
            for n in range(chance.choice([0, 1, 3, ROWS_EACH, ROWS_EACH * limit + 2]))
        ]
        for name in ("red", "blue")
    }
    found = read_all({name: shelf_of(some) for name, some in rows.items()}, limit)
    seen = [owner for owner, _ in found]
    assert seen == sorted({row["owner"] for some in rows.values() for row in some})
    for owner, shelves in found:
        for name, some in rows.items():
            assert [row["n"] for row in shelves[name]] == [row["n"] for row in some if row["owner"] == owner]


def test_the_named_come_found_or_not() -> None:
    shelves = {"red": shelf_of([{"owner": "a"}, {"owner": "b"}])}
    assert bundles(shelves, {"owner": ["c", "a", "a"]}) == (
        [("a", {"red": [{"owner": "a"}]}), ("c", {"red": []})],
        None,
    )


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        bundles({}, {"owner": None, "cursor": ["a", "b"], "limit": 5})
    assert refused.value.code == "cursor_invalid"
