"""What the checker demands of conversions, from databases read raw and the journal: each answered, each told once, all
points covered by postings and by a pass, nothing excused or exported twice."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.faults.checker import Picture

Row = dict[str, Any]
Findings = Iterator[str]
BANK = "creditbank"
OF_APPLICATION = "conversion:"
WAYS = {"hold": (1, 0), "spend": (-1, 1), "release": (-1, 0), "undo": (1, -1), "unspend": (0, -1)}
STANDING = frozenset({"waiting", "review", "granted"})
TOLD = ("ConversionDecided", "ExemptionGranted", "ExemptionWithdrawn")
ACTS = {"approve": {"approved", "granted"}, "refuse": {"refused"}}


def applications(picture: Picture) -> dict[str, Row]:
    """Every application as the bank keeps it."""
    return {row["_id"]: row for row in picture.rows(BANK, "conversion_applications")}


def is_forgetful(picture: Picture) -> bool:
    """Whether the bank was set back: what it was asked meanwhile was asked again, and may have been told twice."""
    return any(line["fact"] == "set back" and line["service"] == BANK for line in picture.journal)


def is_ended(one: Row) -> bool:
    """Whether its learner knows how it ended, or ended it."""
    is_decided = one["state"] in {"granted", "refused"} and one["is_released"]
    return bool(is_decided or one["state"] in {"withdrawn", "fallen"})


def unanswered(picture: Picture) -> Findings:
    """Every application that was acknowledged is there and has its answer; so has every decision its act."""
    kept = applications(picture)
    filed = {line["application"] for line in picture.journal if line["fact"] == "application"}
    filed -= {line["application"] for line in picture.journal if line["fact"] == "application forgotten"}
    for name in sorted(filed - set(kept)):
        yield f"the application {name} was acknowledged, the credit bank does not have it"
    for name, one in kept.items():
        if name not in filed:
            yield f"the credit bank has the application {name}, the journal does not"
        if not is_ended(one):
            yield f"the application {name} is {one['state']}, nobody has answered it"
    if not is_forgetful(picture):
        yield from _decisions_lost(picture, kept)


def _decisions_lost(picture: Picture, kept: dict[str, Row]) -> Findings:
    for line in (one for one in picture.journal if one["fact"] == "decision" and one["application"] in kept):
        acts = kept[line["application"]]["acts"]
        if not any(act["what"] in ACTS[line["verdict"]] and act["by"] == line["by"] for act in acts):
            yield f"{line['by']} said {line['verdict']} about {line['application']}, which was acknowledged and is lost"


def told_twice(picture: Picture) -> Findings:
    """Each decision is announced once and as it stands, each exemption granted once, and taken back if it fell."""
    told: dict[str, Counter[str]] = defaultdict(Counter)
    for row in picture.outboxes[BANK]:
        if row["type"] in TOLD and row.get("body"):
            body = json.loads(bytes(row["body"]))
            told[body["application_id"]][f"{row['type']} {body.get('decision', '')}".strip()] += 1
    for name, one in applications(picture).items():
        due, said = should_be_told(one), told[name]
        if is_forgetful(picture):
            said = Counter({what: min(said[what], 1) for what in due})
        if said != due:
            yield f"of {name}, {one['state']}, was told {dict(said)}, not {dict(due)}"


def should_be_told(one: Row) -> Counter[str]:
    """What follows from what was done about an application."""
    acts = [act["what"] for act in one["acts"]]
    if "told" not in acts:
        return Counter()
    is_taken_back = "exemption_withdrawn" in acts[acts.index("told") :]
    if one["state"] != "granted" and not is_taken_back:
        return Counter([f"ConversionDecided {one['state']}"])
    return Counter(["ConversionDecided granted", "ExemptionGranted", *["ExemptionWithdrawn"] * is_taken_back])


def uncovered(picture: Picture) -> Findings:
    """What an application holds and has spent is what its entries moved; one that ended otherwise has nothing."""
    moved: dict[str, Counter[str]] = defaultdict(Counter)
    for row in (row for chain in picture.entries.values() for row in chain if row["cause"].startswith(OF_APPLICATION)):
        held, spent = WAYS[row["what"]]
        points = sum(posting["points"] for posting in row["postings"])
        moved[row["cause"].split(":")[1]].update(held=held * points, spent=spent * points)
    for name, one in applications(picture).items():
        due = (moved[name]["held"], moved[name]["spent"]) if one["state"] in STANDING else (0, 0)
        if (one["held"], one["spent"]) != due:
            yield f"{name}, {one['state']}, says {one['held']} held, {one['spent']} spent; covered are {due}"
    for name in sorted(set(moved) - set(applications(picture))):
        yield f"points moved for the application {name}, which nobody knows"


def ungrounded(picture: Picture) -> Findings:
    """What is spent stands on a final pass that its rule asks for, or is a case; a debt is what cases have spent."""
    levels = {line["rule"]: set(line["levels"]) for line in picture.journal if line["fact"] == "rule"}
    passed = defaultdict(set)
    for line in picture.results.values():
        if line["credit_points"]:
            passed[line["learner_id"], line["scheme"]].add(line["level"])
    cases: Counter[tuple[str, str]] = Counter()
    for name, one in applications(picture).items():
        place = one["learner_id"], one["scheme"]
        cases[place] += one["spent"] if one["is_case"] else 0
        if one["spent"] and not one["is_case"] and not passed[place] & levels.get(one["rule"], set()):
            yield f"{name} has spent {one['spent']} points of {place[1]} without a final pass"
        if one["is_case"] and not {"sent", "taken"} & {one["export_state"]}:
            yield f"{name} is a case, and the registry's system does not have it"
    yield from _debts_unexplained(picture, cases)


def _debts_unexplained(picture: Picture, cases: Counter[tuple[str, str]]) -> Findings:
    holdings = [(learner, one) for learner, account in picture.accounts.items() for one in account["holdings"]]
    for learner_id, one in holdings:
        owed, explained = -one.get("available", 0), cases[learner_id, one["scheme"]]
        if owed > explained:
            yield f"{learner_id} owes {owed} of {one['scheme']}, cases explain {explained}"


def excused_twice(picture: Picture) -> Findings:
    """Nobody is excused twice from the same, nor from a course and a module of it."""
    excused: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in applications(picture).values():
        if one["state"] == "granted" and not one["is_case"]:
            excused[one["learner_id"], one["target"]["course"]].append(one["target"]["module"])
    for (learner_id, course), modules in excused.items():
        if len(modules) > 1 and ("" in modules or len(set(modules)) < len(modules)):
            yield f"{learner_id} is excused from {course} {len(modules)} times"


def exported_twice(picture: Picture) -> Findings:
    """An exemption goes out once, and once more each time the registry's system sent it back."""
    rows = Counter(row["application"] for export in picture.rows(BANK, "exemption_exports") for row in export["rows"])
    for name, one in applications(picture).items():
        acts = Counter(act["what"] for act in one["acts"])
        if rows[name] != acts["exported"] or rows[name] > 1 + acts["rejected"]:
            yield f"{name} went out {rows[name]} times, {acts['exported']} were noted, {acts['rejected']} sent back"
        if one["state"] == "granted" and one["is_released"] and not one["is_case"] and one["export_state"] != "taken":
            yield f"{name} is granted and told, the registry's system does not have it"


KINDS: Sequence[Any] = (unanswered, told_twice, uncovered, ungrounded, excused_twice, exported_twice)
