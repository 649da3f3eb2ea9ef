"""Within the undo window a learner sees no decision, in whatever view of the account; staff see all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from contracts.terms import Role
from services.creditbank.conversion.applications import Application
from services.creditbank.conversion.deciding import release_decisions
from services.creditbank.why.domain import POCKETS, movements
from tests.unit.creditbank.converting import (
    BASICS_WISH,
    BY_REGISTRY,
    IN_WINDOW,
    TAX_WISH,
    Day,
    decide,
    enrol,
    file,
    grant,
    now,
    open_college,
    refused,
    told,
    undo,
)
from tests.unit.creditbank.stories import Assessment, finalised, merged, publicised, revoked
from tests.unit.creditbank.test_papers_http import ISSUER, answered, app, as_learner, http
from tests.unit.creditbank.test_why import Life, as_registry, links, why

__all__ = ["app", "http"]
Points = dict[str, int]


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Day:
    made = Day(tmp_path / "clock", monkeypatch)
    made.set(IN_WINDOW)
    return made


@pytest.fixture
def college(app: Flask, day: Day) -> Assessment:
    teller = Assessment()
    open_college(teller)
    enrol(teller)
    return teller


class Views:
    """What a reader of an account is answered, each view in its own words."""

    def __init__(self, http: FlaskClient, headers: dict[str, str], of: str = "mei") -> None:
        self.http, self.headers, self.path, self.of = http, headers, f"/accounts/{of}", of

    def ask(self, path: str = "", **query: Any) -> Any:
        return answered(self.http.get(f"{self.path}{path}", query_string=query, headers=self.headers))

    def entries(self, limit: int = 2) -> list[dict[str, Any]]:
        """Every entry, page by page, the latest first."""
        page = self.ask("/entries", limit=limit)
        found = list(page["items"])
        while page["next"]:
            assert len(page["items"]) == limit, "a page is full as long as there is more"
            page = self.ask("/entries", limit=limit, cursor=page["next"])
            found += page["items"]
        return found

    def past(self, at: datetime | str | None = None) -> Any:
        return self.ask("/balance", at=at or datetime.now(UTC).isoformat())

    def whats(self) -> list[str]:
        return [one["what"] for one in reversed(self.entries())]

    def sums(self) -> Points:
        """By pocket, what the account holds: the same in each of its views."""
        account, statement = self.ask(), self.ask("/statement")
        entries, past = self.entries(), self.past()
        assert [{name: one[name] for name in entries[0]} for one in statement["entries"]] == entries
        assert {one["head"] for one in (account, past, statement)} == {entries[0]["hash"]}
        assert {account["entries"], past["entries"], statement["entry_count"]} == {entries[0]["number"]}
        found = [holdings_in(one["holdings"]) for one in (account, past, statement)]
        found += [moved_in(entries), links(why(self.http, "", self.headers, self.of), "balance")[0]["facts"]]
        assert found == [found[0]] * 5
        return found[0]


def holdings_in(holdings: Iterable[dict[str, Any]]) -> Points:
    listed = list(holdings)
    return {pocket: sum(one[f"{pocket}_points"] for one in listed) for pocket in POCKETS}


def moved_in(entries: Iterable[dict[str, Any]]) -> Points:
    found = Counter(dict.fromkeys(POCKETS, 0))
    for one in entries:
        found.update(movements(one["postings"]))
    return dict(found)


@pytest.mark.parametrize("besides", [(), (Role.TRAINER,), (Role.DEPARTMENT, Role.REGISTRY)], ids=len)
def test_an_untold_spend_shows_as_still_held_in_every_view(
    http: FlaskClient, college: Assessment, day: Day, besides: tuple[Role, ...]
) -> None:
    """Also to a learner who is something else besides: about themselves they read as the learner."""
    headers = ISSUER.bearer("creditbank", Role.LEARNER, *besides, owns={"learner": ["mei"]})
    mei, staff = Views(http, headers), Views(http, as_registry())
    one = file(TAX_WISH)
    before = [mei.ask(), mei.entries(), mei.ask("/statement")["entries"]]
    grant(one)
    assert [mei.ask(), mei.entries(), mei.ask("/statement")["entries"]] == before, "nothing tells of the decision"
    assert (mei.sums()["held"], staff.sums()["spent"], staff.whats()[-2:]) == (400, 400, ["hold", "spend"])
    undo(now(one))
    assert (mei.ask(), staff.whats()[-3:]) == (before[0], ["hold", "spend", "undo"])
    grant_again(one, day)
    assert (mei.sums(), mei.whats()) == (staff.sums(), ["ResultFinalised", "CertificateIssued", "hold", "spend"])
    assert len(staff.entries()) == 6


def grant_again(one: Application, day: Day) -> None:
    decide(one, BY_REGISTRY)
    day.set(IN_WINDOW + timedelta(hours=1))
    release_decisions()


def test_what_fell_untold_is_held_points_that_came_back(http: FlaskClient, college: Assessment, day: Day) -> None:
    grant(file(TAX_WISH))
    college.tell(revoked("mei", number="X-mei"))
    mei = Views(http, as_learner())
    assert mei.whats()[-1] == "release"
    [back] = mei.entries()[0]["postings"]
    assert back == {
        "source": "learner:mei:held:cloud-ops",
        "target": "learner:mei:available:cloud-ops",
        "credit_points": 400,
    }
    assert mei.sums()["spent"] == 0


def test_an_entry_after_an_untold_one_does_not_show_it(http: FlaskClient, college: Assessment, day: Day) -> None:
    grant(file(TAX_WISH))
    college.tell(publicised("mei", "0003", level=3), finalised("mei", "0003", level=3))
    mei = Views(http, as_learner())
    spent = next(one for one in Views(http, as_registry()).entries() if one["what"] == "spend")
    assert spent["number"] not in {one["number"] for one in mei.entries()}
    assert holdings_in(mei.past(spent["at"])["holdings"])["held"] == 400, "nor does the account as it was then"
    assert http.get(f"/accounts/mei/why?entry={spent['number']}", headers=as_learner()).status_code == 404
    assert mei.sums()["held"] == 400


def test_two_accounts_that_become_one_tell_what_the_merged_one_spent(
    http: FlaskClient, college: Assessment, day: Day
) -> None:
    enrol(college, "lan")
    one = grant(file(TAX_WISH, "lan"))
    college.tell(merged("mei", "lan"))
    assert told("ConversionDecided", "ExemptionGranted") == ["ConversionDecided", "ExemptionGranted"]
    assert refused(lambda: undo(now(one))) == "undo_window_over"
    assert Views(http, as_learner()).sums()["spent"] == 400
    assert Views(http, as_learner("lan"), "lan").sums() == dict.fromkeys(POCKETS, 0)


@pytest.mark.parametrize("seed", range(5))
def test_the_sums_a_learner_sees_agree_over_all_views_whatever_happens(
    http: FlaskClient, college: Assessment, day: Day, seed: int
) -> None:
    life, mei = Life(seed, college, day), Views(http, as_learner())
    life.filed.append(grant(file(BASICS_WISH)))
    for _ in range(25):
        life.step()
        sums = mei.sums()
        seen = answered(http.get("/conversion-applications", headers=as_learner()))["items"]
        assert sums["spent"] == sum(one["spent_points"] for one in seen)
        assert sums["held"] == sum(one["held_points"] for one in seen)
    entries = mei.entries()
    for place, one in enumerate(entries):
        assert holdings_in(mei.past(one["at"])["holdings"]) == moved_in(entries[place:])
