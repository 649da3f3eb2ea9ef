"""What must hold in a bank after every deed, a sentence for each that does not; read raw, judged without its rules."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from chassis.database import database
from tests.unit.creditbank.bank_life import LAST_DAY, SCHEME, Bank

Row = dict[str, Any]
Findings = Iterator[str]
MOVES = {  # what an entry about an application does to its hold and its spending
    "hold": (1, 0),
    "spend": (-1, 1),
    "release": (-1, 0),
    "undo": (1, -1),
    "unspend": (0, -1),
}
TOLD = ("ConversionDecided", "ExemptionGranted", "ExemptionWithdrawn")
DECIDING = ("approved", "granted", "refused")
STANDING = ("waiting", "review", "granted")


def broken(bank: Bank) -> list[str]:
    """The promises that do not hold now."""
    kinds = (
        worth_wrong,
        uncovered,
        posted_otherwise,
        twice,
        ungrounded,
        unexplained,
        told_wrong,
        appealed_wrong,
        withdrawn_unseen,
        expired,
    )
    return [finding for kind in kinds for finding in kind(bank)]


def applications() -> list[Row]:
    """Every application as it is kept."""
    return list(database()["conversion_applications"].find())


def pockets() -> dict[str, Counter[str]]:
    """By learner, what the account shows in each pocket."""
    rows = database()["accounts"].find()
    return {row["_id"]: Counter({**one}) for row in rows for one in row["holdings"] if one["scheme"] == SCHEME}


def worth_wrong(bank: Bank) -> Findings:
    """Each account is worth its highest final pass, once; spent, held and available points together."""
    shown = pockets()
    for learner in sorted({*shown, *bank.people()}):
        have, due = shown.get(learner, Counter()), bank.earned(learner) if learner in bank.people() else (0, 0)
        if (have["provisional"], have["available"] + have["held"] + have["spent"]) != due:
            yield f"{learner} shows {dict(have)}, earned are {due}"


def uncovered(bank: Bank) -> Findings:
    """What accounts hold and have spent is what their applications hold and have spent."""
    due: Counter[tuple[str, str]] = Counter()
    for one in applications():
        for pocket in ("held", "spent"):
            due[one["learner_id"], pocket] += one[pocket]
    have = {(learner, pocket): shown[pocket] for learner, shown in pockets().items() for pocket in ("held", "spent")}
    for learner, pocket in sorted({*due, *have}):
        if due[learner, pocket] != have.get((learner, pocket), 0):
            yield f"{learner}: {have.get((learner, pocket), 0)} {pocket}, applications say {due[learner, pocket]}"


def posted_otherwise(bank: Bank) -> Findings:
    """A standing application holds and has spent what its entries moved; one that ended, nothing but an untold hold."""
    posted: dict[str, Counter[str]] = {}
    for row in database()["entries"].find({"cause": {"$regex": "^conversion:"}}):
        held, spent = MOVES[row["what"]]
        points = sum(one["points"] for one in row["postings"])
        posted.setdefault(row["cause"].split(":")[1], Counter()).update(held=held * points, spent=spent * points)
    for one in applications():
        moved = posted.get(one["_id"], Counter())
        says, entries = (one["held"], one["spent"]), (moved["held"], moved["spent"])
        if is_open(one) and says != entries:
            yield f"{one['_id']}, {one['state']}, says {says}, its entries moved {entries}"
        if not is_open(one) and says != (0, 0):
            yield f"{one['_id']} is {one['state']} and has {says}"


def is_open(one: Row) -> bool:
    """Whether it stands, or is refused and nobody was told."""
    return one["state"] in STANDING or (one["state"] == "refused" and not one["is_released"])


def twice(bank: Bank) -> Findings:
    """Nobody is, or asks to be, excused twice from the same, unless the registry has to look into it."""
    asked: dict[tuple[str, str], list[str]] = {}
    for one in (one for one in applications() if is_open(one) and not one["is_case"]):
        asked.setdefault((one["learner_id"], one["target"]["course"]), []).append(one["target"]["module"])
    for (learner, course), modules in asked.items():
        if len(modules) > 1 and ("" in modules or len(set(modules)) < len(modules)):
            yield f"{learner} has {len(modules)} applications about {course}: {modules}"


def ungrounded(bank: Bank) -> Findings:
    """What holds or has spent points stands on a final pass that its rule asks for, or is a case."""
    for one in applications():
        if one["held"] + one["spent"] and not one["is_case"] and not bank.is_ground(one["learner_id"], one["rule"]):
            yield f"{one['_id']} is {one['state']} without ground"


def unexplained(bank: Bank) -> Findings:
    """A debt is what exported exemptions have spent and their learner has not any more."""
    cases = Counter[str]()
    for one in applications():
        cases[one["learner_id"]] += one["spent"] if one["is_case"] else 0
    for learner, shown in pockets().items():
        if -shown["available"] > cases[learner]:
            yield f"{learner} owes {-shown['available']}, cases explain {cases[learner]}"


def told_wrong(bank: Bank) -> Findings:
    """Each decision is told once, as it stands: who was told hears of no other, and of what was taken back."""
    told: dict[str, list[tuple[str, str]]] = {}
    for row in database()["outbox"].find({"type": {"$in": TOLD}}):
        body = json.loads(bytes(row["body"]))
        told.setdefault(body["application_id"], []).append((row["type"], body.get("decision", "")))
    for one in applications():
        if (said := sorted(told.get(one["_id"], []))) != should_be_told(one):
            yield f"{one['_id']} is {one['state']}, released {one['is_released']}; told was {said}"


def should_be_told(one: Row) -> list[tuple[str, str]]:
    """What follows from how an application stands, and from what was done about it: a refusal that was appealed was
    told, and what came of the appeal is."""
    acts = [act["what"] for act in one["acts"]]
    appeals = acts.count("appealed")
    since = acts[len(acts) - acts[::-1].index("appealed") :] if appeals else acts
    return sorted([*[("ConversionDecided", "refused")] * appeals, *told_since(one, since)])


def told_since(one: Row, acts: list[str]) -> list[tuple[str, str]]:
    """What follows from these acts, the latest."""
    if "told" not in acts:
        return []
    if one["state"] in {"refused", "fallen"} and "exemption_withdrawn" not in acts[acts.index("told") :]:
        return [("ConversionDecided", one["state"])]
    granted = [("ConversionDecided", "granted"), ("ExemptionGranted", "")]
    return [*granted, ("ExemptionWithdrawn", "")] if one["state"] == "fallen" else granted


def appealed_wrong(bank: Bank) -> Findings:
    """There is one appeal, and none who decided before it decides about it."""
    for one in applications():
        acts = [act["what"] for act in one["acts"]]
        if acts.count("appealed") > 1:
            yield f"{one['_id']} was appealed {acts.count('appealed')} times"
        if "appealed" not in acts:
            continue
        at = acts.index("appealed")
        deciders = [
            {act["by"] for act in part if act["what"] in DECIDING} for part in (one["acts"][:at], one["acts"][at:])
        ]
        if again := (deciders[0] & deciders[1]) - {"bank"}:
            yield f"{again} decided about {one['_id']} before and after it was appealed"


def withdrawn_unseen(bank: Bank) -> Findings:
    """What the registry's system has is not taken back behind its back."""
    for one in applications():
        if one["state"] == "fallen" and one["export_state"] in {"sent", "taken"} and not one["is_case"]:
            yield f"{one['_id']} fell, the registry's system has it, and nobody is told to look into it"


def expired(bank: Bank) -> Findings:
    """Nothing is filed on a pass that is too old for it."""
    for one in applications():
        if one["filed_on"] > LAST_DAY.isoformat():
            yield f"{one['_id']} was filed on {one['filed_on']}, passes could be converted until {LAST_DAY}"


def left_behind(bank: Bank) -> list[str]:
    """Right after an export, what should have gone out and did not: told exemptions that stand and owe nothing."""
    owing = {learner for learner, shown in pockets().items() if shown["available"] < 0}
    return [
        one["_id"]
        for one in applications()
        if one["state"] == "granted" and one["is_released"] and one["export_state"] not in {"sent", "taken"}
        if bank.is_ground(one["learner_id"], one["rule"]) and one["learner_id"] not in owing
    ]
