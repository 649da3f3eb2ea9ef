"""Pages of bundles: what several collections have of one owner after the other, so that readers join services by owner.

Every page is whole: an owner's rows are never cut by its end. It reads at most `ROWS_EACH` rows of each collection for
each owner it may show; an owner with more comes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import fields, validate

from chassis.database import Row
from chassis.web.paging import CURSOR_INVALID, Key, PageArgs, cursor_of
from chassis.web.schemas import Schema

ROWS_EACH = 8
MOST_OWNERS, LONGEST_ID = 100, 100
Condition = Mapping[str, Any]
Bundle = tuple[str, dict[str, list[Row]]]


@dataclass(frozen=True)
class Shelf:
    """One collection: rows whose owner meets a condition, by owner, at most so many (0: all); and whose a row is."""

    find: Callable[[Condition, int], Sequence[Row]]
    owner: Callable[[Row], str]


class AnnouncedSchema(Schema):
    """An announcement of what a row says; `is_published`: Kafka has it."""

    event_id = fields.String(required=True)
    event = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    is_published = fields.Boolean(required=True)


class HeldUpSchema(Schema):
    """Events of a source wait: behind a `gap` in their numbers, or behind a `dead_letter`."""

    source = fields.String(required=True)
    reason = fields.String(required=True, validate=validate.OneOf(["gap", "dead_letter"]))


class BundleArgs(PageArgs):
    """All owners in the order of their ids, or those named."""

    owner = fields.List(
        fields.String(validate=validate.Length(1, LONGEST_ID)),
        load_default=None,
        validate=validate.Length(1, MOST_OWNERS),
        metadata={"description": "these alone, found or not, in one page; may be given several times"},
    )


def bundles(shelves: Mapping[str, Shelf], query: Mapping[str, Any]) -> tuple[list[Bundle], str | None]:
    """The bundles that a query (BundleArgs) asks for, and the cursor of the next page."""
    if query["owner"]:
        return named(shelves, query["owner"]), None
    return beyond(shelves, last_of(query["cursor"]), query["limit"])


def last_of(cursor: Key | None) -> str:
    """The owner at whom the page before ended; Refusal for a cursor of another list."""
    match cursor:
        case None:
            return ""
        case [str(owner)]:
            return owner
    raise CURSOR_INVALID()


def named(shelves: Mapping[str, Shelf], owners: Sequence[str]) -> list[Bundle]:
    """The bundles of these owners, empty ones too."""
    wanted = sorted(set(owners))
    read = {name: list(shelf.find({"$in": wanted}, 0)) for name, shelf in shelves.items()}
    return _sorted_out(shelves, read, wanted)


def beyond(shelves: Mapping[str, Shelf], last: str, limit: int) -> tuple[list[Bundle], str | None]:
    """At most `limit` bundles of the owners after one, and the cursor of what comes after them."""
    most = limit * ROWS_EACH
    read = {name: list(shelf.find({"$gt": last}, most)) for name, shelf in shelves.items()}
    ends = [shelves[name].owner(rows[-1]) for name, rows in read.items() if len(rows) == most]
    owners = sorted({shelf.owner(row) for name, shelf in shelves.items() for row in read[name]})
    whole = [one for one in owners if not ends or one < min(ends)][:limit]
    if owners and not whole:
        return named(shelves, owners[:1]), cursor_of(owners[:1])
    is_more = len(owners) > len(whole)
    return _sorted_out(shelves, read, whole), cursor_of(whole[-1:]) if is_more else None


def _sorted_out(shelves: Mapping[str, Shelf], read: Mapping[str, list[Row]], owners: Sequence[str]) -> list[Bundle]:
    by_owner = {name: _by_owner(shelf, read[name]) for name, shelf in shelves.items()}
    return [(owner, {name: rows.get(owner, []) for name, rows in by_owner.items()}) for owner in owners]


def _by_owner(shelf: Shelf, rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(shelf.owner(row), []).append(row)
    return found
