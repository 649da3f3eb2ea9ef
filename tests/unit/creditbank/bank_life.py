"""A whole bank in a test's hand: what is told to it, what people do in it, and what it then should show, told without
the services' rules."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from chassis.bus.event import Event
from chassis.database import database, run_transaction
from chassis.errors import Refusal
from contracts.assessment import OfResult, ResultAnnulled, ResultCorrected, ResultFinalised, ResultPublicised
from contracts.terms import Level, Verdict
from services.creditbank.conversion import appealing, applying, exporting
from services.creditbank.conversion.applications import Actor
from services.creditbank.conversion.applying import Wish
from services.creditbank.conversion.deciding import Decision, Undo, decide_one, release_decisions, undo_one
from services.creditbank.conversion.deciding import watch_deadlines as watch
from services.creditbank.conversion.domain import Window
from services.creditbank.conversion.exporting import Answer
from services.creditbank.handlers import HANDLERS
from services.creditbank.jobs import settle_applications, settle_waiting
from services.creditbank.ledger.commands import set_frozen
from services.creditbank.recognition.commands import publish_rule
from tests.support.engines import empty
from tests.unit.creditbank import converting, proposing
from tests.unit.creditbank.converting import INTERMEDIATE, MODULE, POLICY, TAX, Day, calendar, record
from tests.unit.creditbank.stories import PILOT, Assessment, issued, merged, of_result, registered, revoked

LEARNERS = ("mei", "lan", "xin")
LEVELS = (1, 2, 3)
SCHEME = "cloud-ops"
KINDS: dict[str, tuple[type[OfResult], dict[str, Any]]] = {
    "publicised": (ResultPublicised, {}),
    "final": (ResultFinalised, {}),
    "corrected": (ResultCorrected, {"final": True}),
    "corrected in publicity": (ResultCorrected, {"final": False}),
    "annulled": (ResultAnnulled, {"reason": "copied"}),
}
FINAL = frozenset({"final", "corrected"})
RULE_LEVELS = {"tax": (2,), "basics": (1, 2)}
TARGETS = ((TAX, MODULE), (MODULE, TAX), (replace(TAX, grade="80"), replace(MODULE, grade="80")))
BEGINS = datetime(2021, 3, 3, 2, tzinfo=UTC)
WINDOWS = (
    Window("2020-2021-2", date(2021, 3, 1), date(2021, 7, 31)),
    Window("2021-2022-1", date(2021, 9, 1), date(2022, 12, 31)),
)
GENEROUS = replace(POLICY, windows=WINDOWS, credit_years=1)
LAST_DAY = date(2021, 11, 21)  # a year after the session of all passes
Rows = dict[str, list[dict[str, Any]]]


class Said(NamedTuple):
    """What was said last of a result; `pin`: the points of the rule version it was first recognised by."""

    kind: str
    is_passed: bool
    pin: int | None


@dataclass(frozen=True)
class Deed:
    """One thing that happens. Facts of a block between two commands may come in another order: of one `of` they keep
    theirs."""

    name: str
    do: Callable[[], object]
    of: str = ""

    @property
    def is_fact(self) -> bool:
        return bool(self.of)


def prepared(day: Day) -> Callable[[], Bank]:
    """A college that converts, with its learners, two of whom have passed; how often one likes."""
    day.set(BEGINS)
    teller = Assessment()
    converting.open_college(teller, GENEROUS)
    teller.tell(calendar(2022), calendar(2023))
    for learner in LEARNERS:
        teller.tell(registered(learner), record(learner))
    first = Bank(day)
    for learner in LEARNERS[:2]:
        first.done(first.result(learner, 2, "final", is_passed=True))
        first.done(first.number(learner, 2))
    rows = {name: list(database()[name].find()) for name in database().list_collection_names()}
    return lambda: begun(first, rows)


def begun(first: Bank, rows: Rows) -> Bank:
    """A bank that stands as one did."""
    put_back(rows)
    first.day.set(BEGINS)
    other = replace(first, start=rows, deeds=[], filed=[], parked=set(), survivors={})
    other.said, other.revisions, other.revoked = dict(first.said), dict(first.revisions), set()
    other.numbers = {place: set(numbers) for place, numbers in first.numbers.items()}
    other.worths = {level: [200 * level] for level in LEVELS}
    return other


def put_back(rows: Rows) -> None:
    """The database as it was then."""
    empty(database())
    for name, kept in rows.items():
        if kept:
            database()[name].insert_many(kept)


@dataclass
class Bank:
    """Does one deed after the other, and remembers them."""

    day: Day
    start: Rows = field(default_factory=dict)
    at: datetime = BEGINS
    deeds: list[Deed] = field(default_factory=list)
    said: dict[tuple[str, int], Said] = field(default_factory=dict)
    revisions: dict[tuple[str, int], int] = field(default_factory=dict)
    numbers: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    worths: dict[int, list[int]] = field(default_factory=lambda: {level: [200 * level] for level in LEVELS})
    survivors: dict[str, str] = field(default_factory=dict)
    parked: set[str] = field(default_factory=set)
    filed: list[str] = field(default_factory=list)

    def done(self, deed: Deed) -> str:
        """Do it; how it ended: "done", or the code of its refusal."""
        self.deeds.append(deed)
        return ended(deed)

    # --- facts ----------------------------------------------------------------------------------------------------
    def result(self, learner: str, level: int, kind: str, is_passed: bool) -> Deed:
        """A result's next revision, told under its learner's id or the survivor's."""
        place = (learner, level)
        self.revisions[place] = revision = self.revisions.get(place, 0) + 1
        self._remember(place, kind, is_passed)
        verdict = Verdict.PASSED if is_passed else Verdict.FAILED
        type_, more = KINDS[kind]
        told_as = self.person(learner) if revision % 2 else learner
        body = of_result(type_, told_as, f"{learner}-{level}", revision, level, verdict=verdict, **more)
        name = f"{learner}-{level} {kind} {revision} {'passed' if is_passed else 'failed'}"
        return self._fact(name, body, f"result {learner} {level}")

    def _remember(self, place: tuple[str, int], kind: str, is_passed: bool) -> None:
        before = self.said.get(place)
        pin = before.pin if before else None
        if pin is None and is_passed and kind != "annulled":
            pin = self.worths[place[1]][-1]
        self.said[place] = Said(kind, is_passed, pin)

    def number(self, learner: str, level: int) -> Deed:
        """Its certificate's number is put on record."""
        number = f"X-{learner}-{level}"
        self.numbers.setdefault((learner, level), set()).add(number)
        body = issued(self.person(learner), f"{learner}-{level}", level, number)
        return self._fact(f"number {number}", body, f"number {number}")

    def revocation(self, learner: str, level: int) -> Deed:
        """Its certificate is revoked."""
        number = f"X-{learner}-{level}"
        self.revoked.add(number)
        return self._fact(f"revoked {number}", revoked(self.person(learner), level, number), f"revoked {number}")

    def _fact(self, name: str, body: Any, of: str) -> Deed:
        event = Event(id=name, source=body.source, key=body.keys()[0], seq=1, cause="test", time=BEGINS, body=body)
        return Deed(name, lambda: run_transaction(lambda: HANDLERS[type(body)]([event])), of)

    def merge(self, survivor: str, learner: str) -> Deed:
        """Two learners are one."""
        if learner not in self.survivors and self.person(survivor) != learner:
            self.survivors[learner] = survivor
        fact = self._fact(f"{learner} is {survivor}", merged(survivor, learner), "")
        return Deed(fact.name, fact.do)

    # --- the registry, the bank, time -------------------------------------------------------------------------------
    def worth(self, level: int, credit_points: int) -> Deed:
        """A level is worth something else from now on; what is recognised stays as it is."""
        if self.worths[level][-1] != credit_points:
            self.worths[level].append(credit_points)
        return Deed(f"worth {level} {credit_points}", lambda: publish_rule(SCHEME, Level(level), credit_points, PILOT))

    def rerate(self, level: int) -> Deed:
        """What is recognised of a level moves to its latest version, by a proposal that two approved."""
        number, points = len(self.worths[level]), self.worths[level][-1]
        for place, said in self.said.items():
            if place[1] == level and said.pin is not None:
                self.said[place] = said._replace(pin=points)
        change = proposing.rerate(number, level)
        return Deed(f"rerate {level}", lambda: proposing.moved_all(proposing.agreed(change)))

    def wait(self, by: timedelta) -> Deed:
        """Time goes on, and the jobs that it brings are run."""
        self.at += by
        return Deed(f"until {self.at}", lambda at=self.at: self._until(at))  # type: ignore[misc]

    def _until(self, at: datetime) -> None:
        self.day.set(at)
        for job in (release_decisions, watch, settle_waiting, settle_applications):
            job()

    def freeze(self, learner: str, is_frozen: bool) -> Deed:
        """An account is frozen, or not any more."""
        return Deed(f"frozen {learner} {is_frozen}", lambda: set_frozen(learner, is_frozen, "looked into", "registrar"))

    def park(self, learner: str, is_parked: bool) -> Deed:
        """News about a learner is held up, or not any more."""
        (self.parked.add if is_parked else self.parked.discard)(learner)
        dead = {"assessment": [1]} if is_parked else {}
        return Deed(
            f"parked {learner} {is_parked}",
            lambda: database()["strands"].update_one({"_id": f"learner:{learner}"}, {"$set": {"dead": dead}}),
        )

    def rule(self, number: int) -> Deed:
        """The next version of the rule about the certificate's own courses."""
        return Deed(f"rule {number}", lambda: converting.publish(replace(INTERMEDIATE, targets=TARGETS[number])))

    # --- applications ---------------------------------------------------------------------------------------------
    def apply(self, learner: str, wish: Wish) -> Deed:
        """A learner files an application."""

        def do() -> None:
            self._keep(applying.apply(learner, wish, f"user-{learner}").id)

        return Deed(f"{learner} files {wish.rule} {wish.module}", do)

    def accept(self, application: str) -> Deed:
        """A learner takes an offer."""
        return Deed(f"offer of {application}", lambda: self._keep(applying.accept_offer(application, "user").id))

    def _keep(self, application: str) -> None:
        if application not in self.filed:
            self.filed.append(application)

    def decide(self, application: str, actor: Actor, is_approval: bool) -> Deed:
        """Somebody approves an application at its step, or refuses it."""
        decision = Decision(0, application, is_approval, "not enough in common")
        return Deed(f"{actor.subject} {is_approval} {application}", lambda: decide_one(decision, actor))

    def appeal(self, application: str) -> Deed:
        """A learner appeals against a refusal."""
        return Deed(f"appeal {application}", lambda: appealing.appeal(application, "the same book", "user"))

    def undo(self, application: str, actor: Actor, rule_version: int) -> Deed:
        """Somebody takes a decision back."""
        asked = Undo(0, application, rule_version)
        return Deed(f"{actor.subject} undoes {application} {rule_version}", lambda: undo_one(asked, actor))

    def withdraw(self, application: str) -> Deed:
        """A learner withdraws an application."""
        return Deed(f"withdrawn {application}", lambda: applying.withdraw(application, "user"))

    def export(self) -> Deed:
        """Exemptions go to the registry's system."""
        return Deed("export", lambda: exporting.export("li"))

    def acknowledge(self, application: str, is_taken: bool) -> Deed:
        """The registry's system says what it made of one exemption in its last export."""

        def do() -> None:
            found = database()["conversion_applications"].find_one({"_id": application}, {"export": 1})
            reason = "" if is_taken else "unknown course"
            exporting.acknowledge(found["export"] if found else 0, [Answer(0, application, reason)], "system")

        return Deed(f"{'taken' if is_taken else 'rejected'} {application}", do)

    # --- what should be -------------------------------------------------------------------------------------------
    def person(self, learner: str) -> str:
        """Who a learner is by now."""
        return self.person(self.survivors[learner]) if learner in self.survivors else learner

    def people(self) -> list[str]:
        return [one for one in LEARNERS if one not in self.survivors]

    def passes(self, person: str, are_final: bool) -> Iterator[tuple[int, int, str]]:
        """The passes that count: level, points, and whose number would name it."""
        for (learner, level), said in self.said.items():
            counts = said.is_passed and said.kind != "annulled" and (said.kind in FINAL or not are_final)
            if self.person(learner) == person and counts:
                assert said.pin is not None
                yield level, said.pin, learner

    def earned(self, person: str) -> tuple[int, int]:
        """What is to come, and what is available, held or spent together."""
        final = max(self.passes(person, are_final=True), default=(0, 0, ""))[1]
        seen = max(self.passes(person, are_final=False), default=(0, 0, ""))[1]
        return max(seen - final, 0), final

    def is_ground(self, person: str, rule: str) -> bool:
        """Whether a final pass that the rule asks for stands, and its certificate was not revoked."""
        fitting = [one for one in self.passes(person, are_final=True) if one[0] in RULE_LEVELS[rule]]
        if not fitting:
            return False
        top = max(level for level, _, _ in fitting)
        numbers = {
            number
            for level, _, learner in fitting
            if level == top
            for number in self.numbers.get((learner, level), set())
        }
        return not numbers or not numbers <= self.revoked

    def told_otherwise(self, seed: int) -> Bank:
        """The same in another bank, with facts between the same commands in another order; what it is refused is not
        done."""
        put_back(self.start)
        self.day.set(BEGINS)
        other = replace(self, deeds=[])
        for block in blocks(self.deeds):
            for deed in reordered(block, random.Random(seed)):
                other.done(deed)
        return other


def ended(deed: Deed) -> str:
    """Do a deed; "done", or the code of its refusal."""
    try:
        deed.do()
    except Refusal as refusal:
        return refusal.code
    return "done"


def blocks(deeds: list[Deed]) -> Iterator[list[Deed]]:
    """Runs of facts, and commands alone."""
    facts: list[Deed] = []
    for deed in deeds:
        if deed.is_fact:
            facts.append(deed)
            continue
        yield facts
        yield [deed]
        facts = []
    yield facts


def reordered(facts: list[Deed], chance: random.Random) -> Iterator[Deed]:
    """The facts in an order of chance, those about one thing in theirs."""
    order = chance.sample([one.of for one in facts], len(facts))
    queues = {of: iter([one for one in facts if one.of == of]) for of in order}
    return (next(queues[of]) for of in order)
