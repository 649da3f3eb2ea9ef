"""An account without what its learner was not told of: one rule for every view of it; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from services.creditbank.conversion.applications import Telling

Shown = dict[str, Any]
Untold = Mapping[str, Telling]  # by cause, what the learner hears of the entry
HELD, SPENT = "held", "spent"


def entries_as_told(entries: Iterable[Mapping[str, Any]], untold: Untold) -> Iterator[Shown]:
    """The entries that the learner knows of, each as they know it: a spend that nobody was told of was none, and one
    that was taken back untold is held points that came back."""
    for one in entries:
        match untold.get(str(one["cause"])):
            case Telling.NOT:
                continue
            case Telling.AS_RELEASE:
                yield {**one, "what": "release", "postings": [_as_held(posting) for posting in one["postings"]]}
            case None:
                yield dict(one)


def account_as_told(account: Mapping[str, Any], moves: Iterable[Mapping[str, Any]], untold: Untold) -> Shown:
    """The account as if its points were still held that an untold decision spent; it ends with the last entry that is
    told. `moves`: its entries with an untold cause, later ones too."""
    known = [one for one in moves if one["number"] <= account["entries"]]
    spent = _spent_in(known)
    hidden = {one["number"]: one for one in known if untold[one["cause"]] is Telling.NOT}
    number, head = account["entries"], account["head"]
    while number in hidden:
        number, head = number - 1, hidden[number]["previous"]
    holdings = [_holding(one, spent[one["scheme"]]) for one in account["holdings"]]
    return {**account, "holdings": holdings, "entries": number, "head": head}


def _holding(one: Mapping[str, Any], untold_points: int) -> Shown:
    back = {"held_points": one["held_points"] + untold_points, "spent_points": one["spent_points"] - untold_points}
    return {**one, **back}


def _spent_in(entries: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """By scheme, the points that these entries in all moved to what is spent."""
    found: Counter[str] = Counter()
    for entry in entries:
        for one in entry["postings"]:
            found[entry["scheme"]] += one["credit_points"] * (_is_spent(one["target"]) - _is_spent(one["source"]))
    return found


def _is_spent(address: str) -> bool:
    return address.split(":")[-2] == SPENT


def _as_held(posting: Mapping[str, Any]) -> Shown:
    """A posting out of what was spent, as one out of what was held."""
    learner, pocket, scheme = posting["source"].rsplit(":", 2)
    return {**posting, "source": f"{learner}:{HELD if pocket == SPENT else pocket}:{scheme}"}
