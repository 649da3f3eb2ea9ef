"""Putting the chain together behind an entry, an application, or the balance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from chassis.clock import CAMPUS
from chassis.errors import NOT_FOUND
from services.creditbank.accounts import queries as accounts
from services.creditbank.conversion import queries as conversion
from services.creditbank.conversion.applications import Application
from services.creditbank.papers import queries as papers
from services.creditbank.papers.desk import Desk
from services.creditbank.recognition.domain import Outcome, OutcomeState, RuleVersion
from services.creditbank.recognition.queries import outcomes_of, rulebook
from services.creditbank.why.domain import (
    POCKETS,
    Link,
    act_links,
    act_of,
    application_link,
    balance_link,
    credential_link,
    entry_link,
    holding_link,
    rule_link,
    score_link,
)

MOST = 500  # entries and credentials of one account, the latest entries
Shown = dict[str, Any]
EMPTY: Shown = {f"{pocket}_points": 0 for pocket in POCKETS}


@dataclass(frozen=True)
class File:
    """Everything about one account, read once, as its reader may know it."""

    learner_id: str
    desk: Desk
    is_learner: bool

    @cached_property
    def account(self) -> Shown:
        """The account; Refusal when nobody opened it."""
        return accounts.account_of(self.learner_id, self.is_learner)

    @cached_property
    def owner(self) -> str:
        """Who has now what this learner earned."""
        return accounts.owner_of(self.account)

    @cached_property
    def applications(self) -> dict[str, Application]:
        """Every application, by id."""
        return {one.id: one for one in conversion.applications_of(self.owner)}

    @cached_property
    def entries(self) -> list[Shown]:
        """The latest entries, oldest first."""
        return accounts.entries_of(self.learner_id, None, MOST, self.is_learner)[::-1]

    @cached_property
    def holdings(self) -> dict[str, Shown]:
        """By scheme, what its pockets hold."""
        return {one["scheme"]: one for one in self.account["holdings"]}

    @cached_property
    def outcomes(self) -> list[Outcome]:
        known = outcomes_of([self.owner])
        found = [one for of_scheme in known.values() for one in of_scheme.values()]
        standing = [one for one in found if one.state != OutcomeState.REVOCATION]
        return sorted(standing, key=lambda one: (one.scheme, one.session_date, one.result_id))

    @cached_property
    def versions(self) -> dict[tuple[str, int, int], RuleVersion]:
        """Rule versions by scheme, level and number."""
        book = rulebook({(one.scheme, one.level) for one in self.outcomes})
        return {(scheme, level, one.version): one for (scheme, level), found in book.items() for one in found}

    @cached_property
    def names(self) -> dict[str, str]:
        """What the schemes are called."""
        codes = {one["scheme"] for one in [*self.account["holdings"], *self.entries] if one["scheme"]}
        return papers.scheme_names(codes | {one.scheme for one in self.outcomes})

    @cached_property
    def credentials(self) -> list[Shown]:
        found = papers.credentials_after(self.owner, "", MOST, self.desk)
        return [_on_campus(one, "issued_at") for one in found]

    def earned(self, outcome: Outcome, version: int | None = None) -> Iterator[Link]:
        """The score and the rule version it is recognised by; `version`: another than it is pinned to now."""
        said = asdict(outcome)
        yield score_link(said, self.names)
        rule = self.versions.get((outcome.scheme, outcome.level, version or outcome.rule_version))
        if link := rule_link(said, asdict(rule) if rule else None, self.names):
            yield link

    def credentials_for(self, results: Iterable[str | None]) -> Iterator[Link]:
        wanted = set(results)
        return (credential_link(one) for one in self.credentials if one["result_id"] in wanted)

    def about(self, application: str) -> Iterator[Link]:
        """An application and, for staff, what was done about it."""
        if (one := self.applications.get(application)) is None:
            return
        shown = conversion.shown_application(one)
        yield application_link(conversion.as_learner_sees(shown) if self.is_learner else shown, self.names)
        if not self.is_learner:
            yield from act_links(application, [_on_campus(asdict(act), "at") for act in one.acts])


def _on_campus(one: Mapping[str, Any], name: str) -> Shown:
    return {**one, name: one[name].astimezone(CAMPUS)}


def why_balance(file: File) -> list[Link]:
    """The account; by scheme what it holds, what was earned and every entry that moved it; entries about no scheme, a
    freeze for one; and the applications. What a merged learner earned is the survivor's."""
    totals = {pocket: sum(one[f"{pocket}_points"] for one in file.holdings.values()) for pocket in POCKETS}
    earned = file.outcomes if file.owner == file.learner_id else []
    schemes = {one["scheme"] or "" for one in file.entries} | {one.scheme for one in earned} | file.holdings.keys()
    links = [balance_link(totals)]
    for scheme in sorted(schemes - {""}):
        links += _of_scheme(file, scheme, [one for one in earned if one.scheme == scheme])
    links += [entry_link(one, file.names) for one in file.entries if not one["scheme"]]
    applications = file.applications if file.owner == file.learner_id else ()
    return links + [link for one in applications for link in file.about(one)]


def _of_scheme(file: File, scheme: str, earned: Sequence[Outcome]) -> Iterator[Link]:
    yield holding_link(file.holdings.get(scheme) or EMPTY | {"scheme": scheme}, file.names)
    for one in earned:
        yield from file.earned(one)
    yield from (entry_link(one, file.names) for one in file.entries if one["scheme"] == scheme)
    yield from file.credentials_for(one.result_id for one in earned)


def why_entry(file: File, number: int) -> list[Link]:
    """The score and rule an entry rests on, or the application; the entry; and the credentials that came of it."""
    entries = accounts.entries_of(file.learner_id, number + 1, 1, file.is_learner)
    entry = next((one for one in entries if one["number"] == number), None)
    if entry is None:
        raise NOT_FOUND(what="entry", id=f"{file.learner_id}:{number}")
    result_id, (application, _) = entry["result_id"], act_of(entry["cause"])
    outcomes = [one for one in file.outcomes if one.result_id == result_id]
    earned = [link for one in outcomes for link in file.earned(one, entry["rule_version"])]
    return [
        *earned,
        *file.about(application),
        entry_link(entry, file.names),
        *file.credentials_for([result_id] if result_id else []),
    ]


def why_application(file: File, application: str) -> list[Link]:
    """What an application rests on, how it stands and why, and the entries it made."""
    one = file.applications.get(application)
    if one is None:
        raise NOT_FOUND(what="application", id=application)
    outcomes = [found for found in file.outcomes if (found.scheme, found.level) == (one.scheme, one.level)]
    return [
        *(link for found in outcomes for link in file.earned(found)),
        *file.about(application),
        *(entry_link(entry, file.names) for entry in file.entries if act_of(entry["cause"])[0] == application),
    ]
