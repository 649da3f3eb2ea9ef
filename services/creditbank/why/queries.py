"""Putting the chain together behind an entry, an application, or the balance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from chassis.clock import CAMPUS
from chassis.errors import NOT_FOUND
from services.creditbank.conversion import queries as conversion
from services.creditbank.ledger import queries as ledger
from services.creditbank.papers import queries as papers
from services.creditbank.papers.desk import Desk
from services.creditbank.recognition.domain import Outcome, OutcomeState, RuleVersion
from services.creditbank.recognition.queries import outcomes_of, rulebook
from services.creditbank.why.domain import (
    POCKETS,
    Link,
    act_links,
    application_link,
    balance_link,
    credential_link,
    entry_link,
    holding_link,
    movements,
    rule_link,
    score_link,
)

MOST = 500  # entries, applications and credentials of one account, the latest entries first
FILED = "conversion:"  # how the cause of an application's entry begins
DECIDING = frozenset({"spend", "undo", "release"})
Shown = dict[str, Any]
EMPTY: Shown = {f"{pocket}_points": 0 for pocket in POCKETS}


@dataclass(frozen=True)
class File:
    """Everything about one account, read once. To a learner no decision exists that can still be undone, nor one that
    was: its entries are left out, and their points stand where they stood before."""

    learner_id: str
    desk: Desk
    is_learner: bool

    @cached_property
    def account(self) -> Shown:
        """The account; Refusal when nobody opened it."""
        return ledger.account_of(self.learner_id)

    @cached_property
    def owner(self) -> str:
        """Who has now what this learner earned."""
        found = self.account
        while found["merged_into"]:
            found = ledger.account_of(found["merged_into"])
        return str(found["learner_id"])

    @cached_property
    def applications(self) -> dict[str, Shown]:
        """The applications by id, as the reader may see them."""
        found = conversion.applications_after({"learner_id": self.owner}, "", MOST)
        return {one["application"]: self._seen(one) for one in found}

    def _seen(self, one: Shown) -> Shown:
        return conversion.as_learner_sees(one) if self.is_learner else one

    @cached_property
    def all_entries(self) -> list[Shown]:
        return ledger.entries_of(self.learner_id, None, MOST)

    @cached_property
    def hidden(self) -> set[int]:
        """The numbers of the entries that the reader is not told of."""
        if not self.is_learner:
            return set()
        of_application: dict[str, list[Shown]] = defaultdict(list)
        for one in reversed(self.all_entries):
            if one["what"] in DECIDING and (name := application_of(one)):
                of_application[name].append(one)
        return {
            number
            for name, entries in of_application.items()
            for number in undone(entries, is_told=self._is_told(name))
        }

    def _is_told(self, application: str) -> bool:
        """Whether what was decided of an application last was told; one in review has nothing to tell."""
        found = self.applications.get(application)
        return found is None or found["state"] != "review"

    @cached_property
    def entries(self) -> list[Shown]:
        return [one for one in self.all_entries if one["number"] not in self.hidden]

    @cached_property
    def holdings(self) -> dict[str, Shown]:
        """By scheme, what its pockets hold, as the reader may know it."""
        found: dict[str, Shown] = {one["scheme"]: dict(one) for one in self.account["holdings"]}
        for entry in (one for one in self.all_entries if one["number"] in self.hidden):
            for pocket, points in movements(entry["postings"]).items():
                found[entry["scheme"]][f"{pocket}_points"] -= points
        return found

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
        codes = {one["scheme"] for one in [*self.account["holdings"], *self.all_entries] if one["scheme"]}
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
        if one := self.applications.get(application):
            yield application_link(one, self.names)
            if not self.is_learner:
                yield from act_links(application, [_on_campus(one, "at") for one in conversion.acts_of(application)])


def _on_campus(one: Mapping[str, Any], name: str) -> Shown:
    return {**one, name: one[name].astimezone(CAMPUS)}


def application_of(entry: Mapping[str, Any]) -> str:
    """The application whose act made an entry; empty when none did."""
    cause = str(entry["cause"])
    return cause.removeprefix(FILED).rpartition(":")[0] if cause.startswith(FILED) else ""


def undone(entries: Sequence[Mapping[str, Any]], is_told: bool) -> set[int]:
    """Of an application's decisions, oldest first, those that were taken back, with what took them back; and the last
    one as long as it is told to nobody."""
    found: set[int] = set()
    standing: list[int] = []
    for one in entries:
        if one["what"] == "undo":
            found |= {one["number"], *standing[-1:]}
            standing = standing[:-1]
        else:
            standing.append(one["number"])
    return found if is_told else found | set(standing)


def why_balance(file: File) -> list[Link]:
    """The account; by scheme what it holds, what was earned and every entry that moved it; entries about no scheme, a
    freeze for one; and the applications. What a merged learner earned is the survivor's."""
    totals = {pocket: sum(one[f"{pocket}_points"] for one in file.holdings.values()) for pocket in POCKETS}
    earned = file.outcomes if file.owner == file.learner_id else []
    schemes = {one["scheme"] or "" for one in file.entries} | {one.scheme for one in earned} | file.holdings.keys()
    links = [balance_link(totals)]
    for scheme in sorted(schemes - {""}):
        links += _of_scheme(file, scheme, [one for one in earned if one.scheme == scheme])
    links += [entry_link(one, file.names) for one in reversed(file.entries) if not one["scheme"]]
    applications = file.applications if file.owner == file.learner_id else ()
    return links + [link for one in applications for link in file.about(one)]


def _of_scheme(file: File, scheme: str, earned: Sequence[Outcome]) -> Iterator[Link]:
    yield holding_link(file.holdings.get(scheme) or EMPTY | {"scheme": scheme}, file.names)
    for one in earned:
        yield from file.earned(one)
    yield from (entry_link(one, file.names) for one in reversed(file.entries) if one["scheme"] == scheme)
    yield from file.credentials_for(one.result_id for one in earned)


def why_entry(file: File, number: int) -> list[Link]:
    """The score and rule an entry rests on, or the application; the entry; and the credentials that came of it."""
    account = file.account
    found = ledger.entries_of(file.learner_id, number + 1, 1) if number <= account["entries"] else []
    if not found or found[0]["number"] != number or number in file.hidden:
        raise NOT_FOUND(what="entry", id=f"{file.learner_id}:{number}")
    entry, result_id = found[0], found[0]["result_id"]
    outcomes = [one for one in file.outcomes if one.result_id == result_id]
    earned = [link for one in outcomes for link in file.earned(one, entry["rule_version"])]
    application = application_of(entry)
    return [
        *earned,
        *(file.about(application) if application else ()),
        entry_link(entry, file.names),
        *file.credentials_for([result_id] if result_id else []),
    ]


def why_application(file: File, application: str) -> list[Link]:
    """What an application rests on, how it stands and why, and the entries it made."""
    one = file.applications.get(application)
    if one is None:
        raise NOT_FOUND(what="application", id=application)
    outcomes = [found for found in file.outcomes if (found.scheme, found.level) == (one["scheme"], int(one["level"]))]
    return [
        *(link for found in outcomes for link in file.earned(found)),
        *file.about(application),
        *(entry_link(entry, file.names) for entry in reversed(file.entries) if application_of(entry) == application),
    ]
