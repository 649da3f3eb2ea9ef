"""Whether what three services say of one person agrees; pure, on their answers as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

POCKETS = ("provisional", "available", "held", "spent")
ISSUED = "issued"
LIVE = ("publicised", "final")
OF_RESULTS = (*LIVE, "annulled")
MERGE = "LearnersMerged"
UNTOLD = {MERGE, "hold", "spend", "release", "undo", "unspend"}  # entries that no notice tells of
CREDITED = ("CreditPosted", "OutcomeCredited")
DIGESTED = "OldOutcomeSubmitted"  # what such an entry adds is told in a digest
LICENCE = "licence."  # levels of licences are higher the lower their number
Item = Mapping[str, Any]


class Imbalance(NamedTuple):
    """One thing that is wrong: its kind (onex/audit/kinds.py), what it is about, whose it is, and how it is off."""

    kind: str
    about: str
    learner_id: str
    how: str = ""


@dataclass
class Person:
    """What assessment, the bank and notify say of one person, who may have been several learners."""

    assessment: list[Item] = field(default_factory=list)
    creditbank: list[Item] = field(default_factory=list)
    notify: list[Item] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.results = {one["result_id"]: one for item in self.assessment for one in item["results"]}
        self.outcomes = _latest(one for item in self.creditbank for one in item["outcomes"])
        self.entries = [(item["learner_id"], one) for item in self.creditbank for one in item["entries"]]
        self.notices = [one for item in self.notify for one in item["notices"]]
        self.entered = Counter((one["result_id"], one["revision"]) for _, one in self.entries if one["revision"])
        self.told = Counter((one["cause"], one["channel"]) for one in self.notices)

    @property
    def learner_id(self) -> str:
        items = (*self.creditbank, *self.assessment, *self.notify)
        return next((str(one["learner_id"]) for one in items if not one.get("merged_into")), "")


@dataclass
class Findings:
    """What is wrong with a person, what waits and for what reason, and how much was compared."""

    imbalances: list[Imbalance] = field(default_factory=list)
    waiting: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)


def _latest(outcomes: Iterator[Item]) -> dict[str, Item]:
    found: dict[str, Item] = {}
    for one in sorted(outcomes, key=lambda outcome: outcome["revision"]):
        if one["state"] in OF_RESULTS:
            found[one["result_id"]] = one
    return found


@dataclass
class Comparison:
    """Compares one person; what is younger than `grace` is on its way and no imbalance."""

    person: Person
    now: datetime
    grace: timedelta
    findings: Findings = field(default_factory=Findings)

    def run(self) -> Findings:
        """Everything that is demanded of a person."""
        for result in self.person.results.values():
            self.compare_result(result)
        for outcome in self.person.outcomes.values():
            self.compare_outcome(outcome)
        for account in self.person.creditbank:
            self.compare_account(account)
            self.compare_merge(account)
        for learner_id, entry in self.person.entries:
            self.compare_entry(learner_id, entry)
        self.compare_repeats()
        self.compare_notices()
        return self.findings

    def compare_result(self, result: Item) -> None:
        """A result that stands was announced, and the bank has it as it was announced."""
        self.findings.compared["results"] += 1
        self.findings.compared["finals"] += result["state"] == "final"
        told, known = result["announced"], self.person.outcomes.get(result["result_id"])
        if told is None:
            self.wrong("result_not_announced", result["result_id"], f"revision {result['revision']}")
        elif known is None:
            self.late("result_not_at_bank", result["result_id"], told, self.person.creditbank, "assessment")
        elif known["revision"] < result["revision"]:
            self.late("result_behind_at_bank", result["result_id"], told, self.person.creditbank, "assessment")
        elif _says(known) != _says(result):
            how = f"bank {_says(known)}, assessment {_says(result)}"
            self.wrong("result_differs_at_bank", result["result_id"], how)
        if told and told["event"] == "ResultFinalised" and result["verdict"] != "passed":
            self.compare_told("final_not_told", result["result_id"], told, "assessment")

    def compare_outcome(self, outcome: Item) -> None:
        """What the bank took in has one entry, or waits for something that can come."""
        self.findings.compared["outcomes"] += 1
        name = outcome["result_id"]
        if name not in self.person.results and not _is_of_other_kind(outcome["scheme"]):
            self.wrong("result_unknown", name)
        if outcome["is_waiting"] and outcome["waiting_for"] is None:
            self.wrong("waits_for_nothing", name)
        elif outcome["is_waiting"]:
            self.waits(f"credit: {_sort_of(outcome['waiting_for'])} to come")
        elif not self.person.entered[name, outcome["revision"]]:
            self.wrong("result_not_entered", name, f"revision {outcome['revision']}")

    def compare_account(self, account: Item) -> None:
        """An account's entries are whole, and it shows what they say and what its results are worth."""
        self.findings.compared["accounts"] += 1
        learner_id, shown, moved = account["learner_id"], _shown(account), _moved(account)
        self.findings.compared["points"] += sum(shown.values())
        numbers = [one["number"] for one in account["entries"]]
        if numbers != list(range(1, account["entry_count"] + 1)):
            how = f"the account counts {account['entry_count']}, the journal has {len(numbers)}"
            self.wrong("chain_broken", learner_id, how)
        issued = sum(points for (_, pocket), points in moved.items() if pocket == ISSUED)
        pockets = Counter({place: points for place, points in moved.items() if place[1] != ISSUED})
        if sum(shown.values()) + issued:
            self.wrong("sum_not_zero", learner_id, f"shows {sum(shown.values())}, issued {-issued}")
        elif _unlike(shown, pockets):
            self.wrong("pocket_differs", learner_id, ", ".join(sorted(map(":".join, _unlike(shown, pockets)))))
        for scheme in sorted({one for one, _ in shown} | {one["scheme"] for one in account["outcomes"]}):
            self.compare_worth(account, scheme, shown)

    def compare_worth(self, account: Item, scheme: str, shown: Mapping[tuple[str, str], int]) -> None:
        """The highest level counts, once: final it is there, publicised it may still come."""
        passes = [one for one in account["outcomes"] if one["scheme"] == scheme and _counts(one)]
        final = _highest([one for one in passes if one["state"] == "final"])
        due = (max(_highest(passes) - final, 0), final)
        has = (shown.get((scheme, "provisional"), 0), sum(shown.get((scheme, one), 0) for one in POCKETS[1:]))
        if due != has:
            how = f"{scheme}: worth {due[0]} provisional and {due[1]}, shows {has[0]} and {has[1]}"
            self.wrong("worth_differs", account["learner_id"], how)

    def compare_merge(self, account: Item) -> None:
        """What was one learner's is the survivor's in every service."""
        if not account["merged_into"]:
            return
        self.findings.compared["merges"] += 1
        merged, left = account["learner_id"], []
        left += ["bank"] * bool(account["outcomes"] or _shown(account))
        left += ["assessment"] * any(one["learner_id"] == merged and one["results"] for one in self.person.assessment)
        left += ["notify"] * any(one["learner_id"] == merged and one["notices"] for one in self.person.notify)
        if not left:
            return
        if account["merged_at"] and self.now - _moment(account["merged_at"]) < self.grace:
            self.waits("merge: on its way")
        else:
            self.wrong("merge_not_followed", merged, f"into {account['merged_into']}, not at {', '.join(left)}")

    def compare_entry(self, learner_id: str, entry: Item) -> None:
        """An entry was announced, and told where it changed what is available."""
        self.findings.compared["entries"] += 1
        name, told = f"{learner_id}:{entry['number']}", entry["announced"]
        if told is None:
            self.wrong("credit_not_announced", name, entry["result_id"] or entry["what"])
        elif _is_told(entry):
            self.compare_told("credit_not_told", name, told, "creditbank")

    def compare_told(self, kind: str, about: str, told: Item, source: str) -> None:
        """An announcement lies in the mailbox, or waits with a reason."""
        self.findings.compared["tellings"] += 1
        if not self.person.told[told["event_id"], "mailbox"]:
            self.late(kind, about, told, self.person.notify, source)

    def compare_repeats(self) -> None:
        """Nothing is credited twice, nobody is told twice."""
        for (result_id, revision), count in self.person.entered.items():
            if count > 1:
                self.wrong("credited_twice", result_id, f"revision {revision}, {count} entries")
        for (cause, channel), count in self.person.told.items():
            if count > 1:
                self.wrong("told_twice", cause, f"{count} times by {channel}")

    def compare_notices(self) -> None:
        """Credit that is told was given, and an e-mail that has not left has a reason."""
        given = {one["announced"]["event_id"] for _, one in self.person.entries if one["announced"]}
        for one in self.person.notices:
            self.findings.compared["notices"] += 1
            if one["event"] in CREDITED and one["channel"] == "mailbox" and one["cause"] not in given:
                self.wrong("told_without_credit", one["cause"])
            if one["state"] == "waiting" and not one["waiting_for"]:
                self.wrong("mail_waits_for_nothing", one["id"])
            elif one["state"] == "waiting":
                self.waits(f"e-mail: {_sort_of(one['waiting_for'])} to come")
            elif one["state"] in ("queued", "held"):
                self.waits(f"e-mail: {one['state']}")

    def late(self, kind: str, about: str, told: Item, readers: list[Item], source: str) -> None:
        """What was announced has not arrived: held up for a reason, on its way, or lost."""
        reasons = [one["reason"] for item in readers for one in item["held_up"] if one["source"] == source]
        if reasons:
            self.waits(f"{source}: behind a {reasons[0].replace('_', ' ')}")
        elif not told["is_published"]:
            self.waits(f"{source}: not published yet")
        elif self.now - _moment(told["at"]) < self.grace:
            self.waits(f"{source}: on its way")
        else:
            self.wrong(kind, about, f"{told['event']} {told['event_id']} of {told['at']}")

    def wrong(self, kind: str, about: str, how: str = "") -> None:
        self.findings.imbalances.append(Imbalance(kind, about, self.person.learner_id, how))

    def waits(self, reason: str) -> None:
        self.findings.waiting[reason] += 1


def compare(person: Person, now: datetime, grace: timedelta) -> Findings:
    """What is wrong with a person, what waits, and how much was compared."""
    return Comparison(person, now, grace).run()


def _says(one: Item) -> tuple[Any, ...]:
    return one["revision"], one["state"], one["verdict"], one["scheme"], one["level"]


def _counts(outcome: Item) -> bool:
    is_live = outcome["verdict"] == "passed" and outcome["state"] in LIVE
    return is_live and outcome["rule_version"] > 0 and not outcome["is_waiting"]


def _highest(passes: list[Item]) -> int:
    return int(max(((_rank(one), one["credit_points"]) for one in passes), default=(0, 0))[1])


def _rank(outcome: Item) -> int:
    level = int(outcome["level"])
    return -level if outcome["scheme"].startswith(LICENCE) else level


def _is_of_other_kind(scheme: str) -> bool:
    """Whether an outcome is no X certificate, so that assessment knows nothing of it: `online.python-basics`."""
    return "." in scheme


def _is_told(entry: Item) -> bool:
    """Whether a notice tells of what an entry changed."""
    change = _change(entry, "available")
    return bool(change) and entry["what"] not in UNTOLD and not (entry["what"] == DIGESTED and change > 0)


def _shown(account: Item) -> dict[tuple[str, str], int]:
    """What an account says it holds, by scheme and pocket; nothing is left out."""
    places = {(one["scheme"], pocket): one[f"{pocket}_points"] for one in account["holdings"] for pocket in POCKETS}
    return {place: points for place, points in places.items() if points}


def _moved(account: Item) -> Counter[tuple[str, str]]:
    """What the entries of an account moved, by scheme and pocket."""
    moved: Counter[tuple[str, str]] = Counter()
    for entry in account["entries"]:
        for posting in entry["postings"]:
            moved[entry["scheme"], posting["source"]] -= posting["credit_points"]
            moved[entry["scheme"], posting["target"]] += posting["credit_points"]
    return moved


def _unlike(shown: Mapping[tuple[str, str], int], moved: Mapping[tuple[str, str], int]) -> set[tuple[str, str]]:
    return {place for place in {*shown, *moved} if shown.get(place, 0) != moved.get(place, 0)}


def _change(entry: Item, pocket: str) -> int:
    """By how much an entry moved a pocket."""
    gained = sum(one["credit_points"] for one in entry["postings"] if one["target"] == pocket)
    return int(gained - sum(one["credit_points"] for one in entry["postings"] if one["source"] == pocket))


def _sort_of(fact: str) -> str:
    """`rule:cloud-ops:1` is a rule, `contact:…` a contact."""
    return fact.partition(":")[0]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
