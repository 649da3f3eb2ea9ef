"""The fault checker: reads all databases raw, and says in sentences what is lost, double, wrong, or still on its way.

It shares no code with what it judges. What it demands follows from the journal of a flow, whose last line about a
result is the truth, and from the promises: entries chained by hash, numbers without gaps, a notice for a piece of news.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from pymongo import MongoClient
from pymongo.read_concern import ReadConcern

from tests.faults import exempted

Row = dict[str, Any]
Findings = Iterator[str]

SERVICES = ("enrolment", "training", "assessment", "creditbank", "notify")
READS = {  # whose topics a service consumes, whether or not it has a use for each event
    "enrolment": ("assessment",),
    "training": ("enrolment", "assessment"),
    "assessment": ("enrolment", "training"),
    "creditbank": ("enrolment", "training", "assessment"),
    "notify": ("enrolment", "assessment", "creditbank"),
}
TICKETS = "queue:"  # training numbers those who wait for a place by the strand of their queue
POCKETS = ("provisional", "available", "held", "spent")
PLACES = frozenset({*POCKETS, "issued"})
NOT_HASHED = frozenset({"_id", "at", "previous", "hash"})
NUMBER_DIGITS = 6
OF_CONVERSION = {"AppealFiled", "ConversionDecided", "ConversionOffered", "DeadlineNear", "ExemptionWithdrawn"}
OF_ROAD = {"EnrolmentApproved", "CandidateRegistered", "ResultPublicised", "CertificateIssued"}
TOLD_ALWAYS = frozenset(OF_ROAD | OF_CONVERSION | {"OutcomesDigested"})
CREDITED = frozenset({"CreditPosted", "OutcomeCredited"})
DIGESTED = "OldOutcomeSubmitted"  # entries whose gains are told in a digest
UNTOLD = frozenset({"LearnersMerged", "hold", "spend", "release", "undo", "unspend"})  # entries nobody is told of
OPEN_LETTERS = ("waiting", "asked", "discarding")
UNSENT = ("queued", "waiting")
MOST_OF_A_KIND = 20
POLL_SECONDS = 0.5
READ_SECONDS = 60.0
PREFIX = "onex"


@dataclass(frozen=True)
class Picture:
    """Everything that is looked at, read once."""

    client: MongoClient[Row]
    prefix: str = PREFIX
    journal: Sequence[Row] = field(default=())

    def rows(self, service: str, collection: str, where: Row | None = None) -> list[Row]:
        """What lies in a collection and a majority has."""
        found = self.client[f"{self.prefix}_{service}"].get_collection(collection, read_concern=ReadConcern("majority"))
        return list(found.find(where or {}))

    @cached_property
    def outboxes(self) -> dict[str, list[Row]]:
        return {name: self.rows(name, "outbox") for name in SERVICES}

    @cached_property
    def strands(self) -> dict[str, dict[str, Row]]:
        return {name: {row["_id"]: row for row in self.rows(name, "strands")} for name in SERVICES}

    @cached_property
    def accounts(self) -> dict[str, Row]:
        return {row["_id"]: row for row in self.rows("creditbank", "accounts")}

    @cached_property
    def entries(self) -> dict[str, list[Row]]:
        """The journal by account, each chain in the order of its numbers."""
        chains: dict[str, list[Row]] = defaultdict(list)
        for row in sorted(self.rows("creditbank", "entries"), key=lambda row: str(row["_id"])):
            chains[row["_id"][: -NUMBER_DIGITS - 1]].append(row)
        return chains

    @cached_property
    def mailbox(self) -> Counter[tuple[str, str]]:
        """How many notices lie in mailboxes, by cause and recipient."""
        return Counter(
            (row["cause"], row["recipient"]) for row in self.rows("notify", "notices", {"channel": "mailbox"})
        )

    @cached_property
    def highest(self) -> dict[str, dict[str, int]]:
        """By publisher and key, the highest number announced."""
        return {name: _highest(rows) for name, rows in self.outboxes.items()}

    @cached_property
    def results(self) -> dict[str, Row]:
        """The last line about each result."""
        return {line["result_id"]: line for line in self.journal if line["fact"] == "result"}

    @cached_property
    def certificates(self) -> dict[str, bool]:
        """By organisation and number, whether the last line about it says that it is on record."""
        lines = [line for line in self.journal if line["fact"] == "certificate"]
        return {f"{line['teo']}:{line['number']}": line["is_on_record"] for line in lines}


def _highest(rows: Iterable[Row]) -> dict[str, int]:
    highest: dict[str, int] = {}
    for row in rows:
        highest[row["key"]] = max(highest.get(row["key"], 0), row["seq"])
    return highest


def check(mongo: str, journal: Path, prefix: str = PREFIX) -> list[str]:
    """What is not as it must be, a sentence each; the flow has ended and nothing moves any more."""
    with _client(mongo) as client:
        picture = Picture(client, prefix, read_journal(journal))
        findings = [_first_of(kind(picture)) for kind in KINDS]
        return [*moving(picture), *(one for some in findings for one in some)]


def is_quiet(mongo: str, prefix: str = PREFIX) -> list[str]:
    """What still moves or waits, a sentence each."""
    with _client(mongo) as client:
        return moving(Picture(client, prefix))


def read_journal(journal: Path) -> list[Row]:
    """The lines of a journal; one torn off at the end is left out."""
    lines = journal.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1] if line]


def _client(mongo: str) -> MongoClient[Row]:
    return MongoClient(mongo, tz_aware=True, serverSelectionTimeoutMS=10_000)


def _first_of(findings: Findings) -> list[str]:
    """The first of a kind, and how many more there are."""
    found = list(findings)
    if len(found) <= MOST_OF_A_KIND:
        return found
    return [*found[:MOST_OF_A_KIND], f"… and {len(found) - MOST_OF_A_KIND} more of this kind"]


def moving(picture: Picture) -> list[str]:
    """What is not published, handled, settled or sent yet."""
    found = [*_unpublished(picture), *_parked(picture), *_dead(picture), *_waiting(picture)]
    return [*found, *_first_of(_unhandled(picture)), *_unsent(picture)]


def _unpublished(picture: Picture) -> Findings:
    for name, rows in picture.outboxes.items():
        if due := [row for row in rows if row.get("due")]:
            first = min(due, key=lambda row: row["time"])
            yield f"{name}: {len(due)} announcements are not published, first {first['type']} {first['_id']}"


def _parked(picture: Picture) -> Findings:
    for name in SERVICES:
        for row in picture.rows(name, "parked_events")[:MOST_OF_A_KIND]:
            yield f"{name}: number {row['seq']} of {row['source']} on {row['key']} is parked"
    for name, key, strand in _all_strands(picture):
        if strand.get("parked"):
            yield f"{name}: the strand of {key} says that something of {', '.join(strand['parked'])} is parked"


def _all_strands(picture: Picture) -> Iterator[tuple[str, str, Row]]:
    return ((name, key, strand) for name, strands in picture.strands.items() for key, strand in strands.items())


def _dead(picture: Picture) -> Findings:
    for name in SERVICES:
        for row in picture.rows(name, "dead_letters", {"state": {"$in": list(OPEN_LETTERS)}})[:MOST_OF_A_KIND]:
            yield f"{name}: {row['type'] or 'a record'} {row['_id']} is a dead letter, {row['state']}"
    for name, key, strand in _all_strands(picture):
        if any(strand.get("dead", {}).values()):
            yield f"{name}: the strand of {key} has dead letters: {strand['dead']}"


def _waiting(picture: Picture) -> Findings:
    for name in SERVICES:
        for row in picture.rows(name, "waiters")[:MOST_OF_A_KIND]:
            yield f"{name}: {row['_id']} waits for {row['fact']}"
    for row in picture.rows("creditbank", "outcomes", {"is_waiting": True})[:MOST_OF_A_KIND]:
        yield f"creditbank: the outcome {row['_id']} waits"


def _unhandled(picture: Picture) -> Findings:
    """A reader has seen, of each key of the topics it reads, exactly the highest number announced."""
    for reader, sources in READS.items():
        strands = picture.strands[reader]
        for source in sources:
            yield from _unseen(reader, source, strands, picture.highest[source])


def _unseen(reader: str, source: str, strands: Mapping[str, Row], highest: Mapping[str, int]) -> Findings:
    seen = {key: strand["seen"][source] for key, strand in strands.items() if source in strand.get("seen", {})}
    for key in sorted({*seen, *highest}):
        if seen.get(key, 0) != highest.get(key, 0):
            have, told = seen.get(key, 0), highest.get(key, 0)
            yield f"{reader} has seen number {have} of {source} on {key}, {told} is the last that was announced"


def _unsent(picture: Picture) -> Findings:
    for row in picture.rows("notify", "notices", {"state": {"$in": list(UNSENT)}})[:MOST_OF_A_KIND]:
        yield f"notify: the {row['channel']} notice {row['_id']} of {row['event']} is {row['state']}, not sent"


def numbers_broken(picture: Picture) -> Findings:
    """Announcements are numbered from 1 without a gap on each key, and the strand knows the next number."""
    for name, rows in picture.outboxes.items():
        yield from _gaps(name, rows)
        yield from _next_wrong(name, picture.strands[name], picture.highest[name])


def _gaps(name: str, rows: Iterable[Row]) -> Findings:
    for key, numbers in _numbers(rows).items():
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            yield f"{name}: the announcements on {key} are numbered {_short(sorted(numbers))}"


def _numbers(rows: Iterable[Row]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        numbers[row["key"]].append(row["seq"])
    return numbers


def _next_wrong(name: str, strands: Mapping[str, Row], highest: Mapping[str, int]) -> Findings:
    announcing = {key for key in strands if not key.startswith(TICKETS)}
    for key in sorted({*announcing, *highest}):
        following = strands.get(key, {}).get("next_seq", 1)
        if following != highest.get(key, 0) + 1:
            last = highest.get(key, 0)
            yield f"{name}: the strand of {key} gives number {following} next, the last announced is {last}"


def _short(numbers: Sequence[int]) -> str:
    return f"{list(numbers[:10])}{'…' if len(numbers) > 10 else ''}"


def chains_broken(picture: Picture) -> Findings:
    """Entries follow each other without a gap, each hashed over the one before and what it says."""
    for learner_id, chain in picture.entries.items():
        if fault := _chain_fault(learner_id, chain):
            yield fault
        head, count = chain[-1]["hash"], len(chain)
        account = picture.accounts.get(learner_id)
        if account is None:
            yield f"{learner_id} has {count} entries and no account"
        elif (account["entries"], bytes(account["head"])) != (count, bytes(head)):
            yield f"the account of {learner_id} says {account['entries']} entries or another head than its {count} have"
    for learner_id in sorted(set(picture.accounts) - set(picture.entries)):
        if picture.accounts[learner_id]["entries"]:
            yield f"the account of {learner_id} says {picture.accounts[learner_id]['entries']} entries, there are none"


def _chain_fault(learner_id: str, chain: Sequence[Row]) -> str:
    before = hashlib.sha256(b"onex-ledger-1\n" + learner_id.encode()).digest()
    for number, row in enumerate(chain, 1):
        if int(row["_id"][-NUMBER_DIGITS:]) != number:
            return f"{learner_id}: entry {number} is missing"
        if bytes(row["previous"]) != before:
            return f"{learner_id}: entry {number} does not follow from the entry before: its previous hash is another"
        before = _hash(before, learner_id, number, row)
        if bytes(row["hash"]) != before:
            return f"{learner_id}: entry {number} says something else than was hashed"
    return ""


def _hash(before: bytes, learner_id: str, number: int, row: Row) -> bytes:
    """SHA-256 over the hash before and the entry's canonical JSON: sorted names, no blanks."""
    said = {name: value for name, value in row.items() if name not in NOT_HASHED}
    text = json.dumps([learner_id, number, said], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(before + text.encode()).digest()


def sums_wrong(picture: Picture) -> Findings:
    """What entries moved is what accounts show, and with what the bank issued it is zero in all."""
    total: Counter[str] = Counter()
    for learner_id, chain in picture.entries.items():
        pockets, faults = _moved(learner_id, chain)
        yield from faults
        yield from _shown_otherwise(learner_id, pockets, picture.accounts.get(learner_id))
        for (place, _), points in pockets.items():
            total[place] += points
    if sum(total.values()) != 0:
        yield f"the sum of all postings is {sum(total.values())}, not zero"
    held = sum(_pockets(account)[pocket] for account in picture.accounts.values() for pocket in POCKETS)
    if held + total["issued"] != 0:
        yield f"learners hold {held} points, the bank has issued {-total['issued']}"


def _moved(learner_id: str, chain: Sequence[Row]) -> tuple[Counter[tuple[str, str]], list[str]]:
    """What the postings of a chain come to, by pocket and scheme; and which of them are none."""
    pockets: Counter[tuple[str, str]] = Counter()
    faults = []
    for row, posting in ((one, posting) for one in chain for posting in one["postings"]):
        if {posting["from"], posting["to"]} - PLACES or posting["from"] == posting["to"] or posting["points"] <= 0:
            faults.append(f"{row['_id']} has a posting that moves nothing from somewhere: {posting}")
        pockets[posting["from"], row["scheme"]] -= posting["points"]
        pockets[posting["to"], row["scheme"]] += posting["points"]
    return pockets, faults


def _shown_otherwise(learner_id: str, pockets: Counter[tuple[str, str]], account: Row | None) -> Findings:
    if account is None:
        return
    shown = {(name, one["scheme"]): one.get(name, 0) for one in account["holdings"] for name in POCKETS}
    for place in sorted({*shown, *(place for place in pockets if place[0] != "issued")}):
        if shown.get(place, 0) != pockets[place]:
            yield f"{learner_id} shows {shown.get(place, 0)} {' '.join(place)}, the entries say {pockets[place]}"
    for pocket in ("provisional", "available"):
        if account.get(f"{pocket}_points", 0) != _pockets(account)[pocket]:
            yield f"{learner_id} shows {account.get(f'{pocket}_points')} {pocket} points, the holdings say otherwise"


def _pockets(account: Row) -> Counter[str]:
    pockets: Counter[str] = Counter()
    for one in account["holdings"]:
        pockets.update({name: one.get(name, 0) for name in POCKETS})
    return pockets


def credit_wrong(picture: Picture) -> Findings:
    """Each holding is worth its highest final pass, once; nothing is provisional, and nothing unexplained."""
    due = expected(picture.results.values())
    have = {
        (learner_id, one["scheme"]): one
        for learner_id, account in picture.accounts.items()
        for one in account["holdings"]
        if not is_of_other_kind(one["scheme"])
    }
    for learner_id, scheme in sorted({*due, *have}):
        level, points = due.get((learner_id, scheme), (0, 0))
        holding = have.get((learner_id, scheme), {})
        shown = sum(holding.get(name, 0) for name in POCKETS[1:])
        if shown != points:
            yield f"{learner_id} has {shown} points of {scheme}, the final passes are worth {points} (level {level})"
        if holding.get("provisional"):
            yield f"{learner_id} has {holding['provisional']} provisional points of {scheme}, nothing is in publicity"
        if holding and holding["level"] != level:
            yield f"{learner_id} stands at level {holding['level']} of {scheme}, the highest final pass is {level}"


def expected(results: Iterable[Row]) -> dict[tuple[str, str], tuple[int, int]]:
    """By learner and scheme, the highest level finally passed and its points; of one level's the most."""
    due: dict[tuple[str, str], tuple[int, int]] = {}
    for line in results:
        if line["credit_points"]:
            place = line["learner_id"], line["scheme"]
            due[place] = max(due.get(place, (0, 0)), (line["level"], line["credit_points"]))
    return due


def results_wrong(picture: Picture) -> Findings:
    """Assessment has exactly the results and certificates that were acknowledged, as they were told last."""
    kept = {row["_id"]: row for row in picture.rows("assessment", "results")}
    for name in sorted({*picture.results, *kept}):
        line, row = picture.results.get(name), kept.get(name)
        if line is None:
            yield f"assessment has the result {name}, the journal does not"
        elif row is None:
            yield f"the result {name} was acknowledged, assessment does not have it"
        elif (row["verdict"], row["state"]) != (line["verdict"], line["state"]):
            yield f"{name} is {row['verdict']}, {row['state']}; acknowledged was {line['verdict']}, {line['state']}"
    numbers = {row["_id"] for row in picture.rows("assessment", "certificates")}
    for number, is_on_record in picture.certificates.items():
        if is_on_record and number not in numbers:
            yield f"the certificate {number} was acknowledged, assessment does not have it"


def announced_wrong(picture: Picture) -> Findings:
    """Of each result the bank knows what assessment knows; each entry was announced once, and nothing else."""
    kept = {row["_id"]: row for row in picture.rows("assessment", "results")}
    known = [row for row in picture.rows("creditbank", "outcomes") if row["revision"]]
    outcomes = {row["result_id"]: row for row in known if not is_of_other_kind(row["scheme"])}
    for name in sorted({*kept, *outcomes}):
        said = [(row["verdict"], row["state"]) for row in (kept.get(name), outcomes.get(name)) if row]
        if len(said) != 2 or said[0] != said[1]:
            yield f"{name}: assessment and the credit bank do not know the same of it: {said}"
    yield from _certificates_unknown(picture, outcomes.values())
    entered = Counter((learner_id, row["cause"]) for learner_id, chain in picture.entries.items() for row in chain)
    posted, forgotten = _posted(picture), _forgotten(picture)
    told = Counter((row["key"].removeprefix("learner:"), row["cause"]) for row in posted if not row.get("superseded"))
    yield from _superseded_wrong(picture, posted)
    for learner_id, cause in sorted({*entered, *told} - forgotten):
        entries, announcements = entered[learner_id, cause], told[learner_id, cause]
        if entries != announcements:
            yield f"{learner_id}: {entries} entries because of {cause}, announced {announcements} times"
        if entries > 1:
            yield f"{learner_id}: {entries} entries because of one cause, {cause}"


def _forgotten(picture: Picture) -> set[tuple[str, str]]:
    """By learner, the acts about applications that a bank which was set back has announced and does not know."""
    if not exempted.is_forgetful(picture):
        return set()
    known = {(learner_id, row["cause"]) for learner_id, chain in picture.entries.items() for row in chain}
    told = {(row["key"].removeprefix("learner:"), row["cause"]) for row in _posted(picture)}
    return {one for one in told - known if one[1].startswith(exempted.OF_APPLICATION)}


def _superseded_wrong(picture: Picture, posted: Sequence[Row]) -> Findings:
    """Only a bank that was set back says something anew, about the same act on the same account."""
    known = {row["_id"]: row for row in posted}
    for row in (one for one in posted if one.get("superseded")):
        anew = known.get(row["superseded"], {})
        if not exempted.is_forgetful(picture) or (anew.get("key"), anew.get("cause")) != (row["key"], row["cause"]):
            yield f"{row['_id']}, because of {row['cause']}, gave way to {row['superseded']}, which does not say so"


def _certificates_unknown(picture: Picture, outcomes: Iterable[Row]) -> Findings:
    known = {(row["learner_id"], number) for row in outcomes for number in row.get("certificate_numbers", ())}
    issued = {(row["learner_id"], row["number"]) for row in picture.rows("assessment", "certificates")}
    given_up = _given_up(picture)
    for learner_id, number in sorted(one for one in known ^ issued if one[1] not in given_up):
        knows = "assessment" if (learner_id, number) in issued else "the credit bank"
        yield f"of certificate {number} of {learner_id} only {knows} knows"


def _given_up(picture: Picture) -> set[str]:
    """Numbers that an assessment which was set back has announced and takes no more, since their passes fell meanwhile:
    the credit bank has them beside passes that count for nothing, and its reconciliation names them."""
    if not any(line["fact"] == "set back" and line["service"] == "assessment" for line in picture.journal):
        return set()
    return {name.rpartition(":")[2] for name, is_on_record in picture.certificates.items() if not is_on_record}


def _posted(picture: Picture) -> list[Row]:
    return [row for row in picture.outboxes["creditbank"] if row["type"] in CREDITED]


def told_wrong(picture: Picture) -> Findings:
    """Each piece of news lies in its learner's mailbox once, and nothing that is no news."""
    due: Counter[tuple[str, str]] = Counter()
    names = {}
    for rows in picture.outboxes.values():
        for row in filter(is_news, rows):
            place = row["_id"], row["key"].removeprefix("learner:")
            due[place] += 1
            names[place] = row["type"]
    for place in sorted({*due, *picture.mailbox}):
        have, wanted = picture.mailbox[place], due[place]
        if have != wanted:
            what = names.get(place, "what nobody announced")
            yield f"{what} {place[0]} lies {have} times in the mailbox of {place[1]}, not {wanted}"


def is_news(row: Row) -> bool:
    """Whether an announcement is one that a learner is told."""
    if row["type"] in TOLD_ALWAYS:
        return True
    if row["type"] == "ResultFinalised":
        return bool(_body(row)["verdict"] != "passed")
    if row["type"] in CREDITED:
        body = _body(row)
        is_digested = body.get("what") == DIGESTED and body["available_points"] > 0
        return bool(body["available_points"] and body.get("what") not in UNTOLD and not is_digested)
    return False


def is_of_other_kind(scheme: str) -> bool:
    """Whether a holding is no X certificate's, of which neither assessment nor the journal knows."""
    return "." in scheme


def _body(row: Row) -> Row:
    body: Row = json.loads(bytes(row["body"]))
    return body


def balances_told_wrong(picture: Picture) -> Findings:
    """The points that were announced add up to what the account shows."""
    told: Counter[str] = Counter()
    for row in _posted(picture):
        told[row["key"].removeprefix("learner:")] += _body(row)["available_points"]
    anew = {row["key"].removeprefix("learner:") for row in _posted(picture) if row.get("superseded")}
    uncertain = anew | {learner_id for learner_id, _ in _forgotten(picture)}
    for learner_id in sorted({*told, *picture.accounts} - uncertain):
        shown = picture.accounts.get(learner_id, {}).get("available_points", 0)
        if told[learner_id] != shown:
            yield f"{learner_id} was told {told[learner_id]} points in all, the account shows {shown}"


def conversions_wrong(picture: Picture) -> Findings:
    """What accounts hold and have spent is what applications hold and have spent."""
    due: Counter[tuple[str, str, str]] = Counter()
    for one in picture.rows("creditbank", "conversion_applications"):
        for pocket in ("held", "spent"):
            due[one["learner_id"], one["scheme"], pocket] += one[pocket]
    have = {
        (learner_id, one["scheme"], pocket): one.get(pocket, 0)
        for learner_id, account in picture.accounts.items()
        for one in account["holdings"]
        for pocket in ("held", "spent")
    }
    for place in sorted({*due, *have}):
        if due[place] != have.get(place, 0):
            yield f"{' '.join(place)}: {have.get(place, 0)} points, applications say {due[place]}"


KINDS = (
    conversions_wrong,
    numbers_broken,
    chains_broken,
    sums_wrong,
    credit_wrong,
    results_wrong,
    announced_wrong,
    told_wrong,
    balances_told_wrong,
    *exempted.KINDS,
)


def topics_wrong(mongo: str, kafka: str, prefix: str = PREFIX) -> list[str]:
    """What was announced and its topic does not have, or has in another order than its numbers."""
    with _client(mongo) as client:
        outboxes = Picture(client, prefix).outboxes
    return [one for name, rows in outboxes.items() if rows for one in _first_of(_topic_wrong(kafka, name, rows))]


def _topic_wrong(kafka: str, name: str, rows: Sequence[Row]) -> Findings:
    first: dict[tuple[str, int], int] = {}
    last_of: dict[str, int] = defaultdict(int)
    for place, (key, seq) in enumerate(_numbers_in(kafka, f"onex.{name}.v1")):
        if (key, seq) in first:
            continue
        first[key, seq] = place
        if seq < last_of[key]:
            yield f"onex.{name}.v1: number {seq} of {key} came after number {last_of[key]}"
        last_of[key] = max(seq, last_of[key])
    for row in rows:
        if not row.get("due") and (row["key"], row["seq"]) not in first:
            yield f"onex.{name}.v1 does not have number {row['seq']} of {row['key']}, {row['type']}"


def _numbers_in(kafka: str, topic: str) -> Iterator[tuple[str, int]]:
    """The key and number of every record of a topic, partition by partition."""
    consumer = KafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, group_id=None)
    try:
        if places := [TopicPartition(topic, one) for one in sorted(consumer.partitions_for_topic(topic) or ())]:
            consumer.assign(places)
            consumer.seek_to_beginning()
            yield from filter(None, map(_named, _read_to_end(consumer, places)))
    finally:
        consumer.close()


def _read_to_end(consumer: KafkaConsumer, places: Sequence[TopicPartition]) -> Iterator[Any]:
    """The headers of what lies between here and the present end."""
    ends = consumer.end_offsets(places)
    deadline = time.monotonic() + READ_SECONDS
    while any(consumer.position(place) < end for place, end in ends.items()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{places[0].topic} can't be read within {READ_SECONDS:.0f} s")
        yield from (one.headers for records in consumer.poll(timeout_ms=500).values() for one in records)


def _named(headers: Iterable[tuple[str, bytes]]) -> tuple[str, int] | None:
    """The key and number a record says it has; None for one that is no event."""
    values = dict(headers)
    number = values.get("ce_sequence", b"")
    return (values.get("ce_partitionkey", b"").decode(errors="replace"), int(number)) if number.isdigit() else None


def wait_until_quiet(mongo: str, wait_seconds: float, prefix: str = PREFIX) -> list[str]:
    """Wait until nothing moves; what still does when the time is over."""
    deadline = time.monotonic() + wait_seconds
    while (moves := is_quiet(mongo, prefix)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return moves


def main(arguments: Sequence[str]) -> int:
    """Check a stack whose flow has ended; 0 when there is nothing to say."""
    parser = argparse.ArgumentParser(prog="tests.faults.checker", description=__doc__)
    parser.add_argument("--mongo", required=True)
    parser.add_argument("--kafka", default="")
    parser.add_argument("--journal", required=True, type=Path)
    parser.add_argument("--wait", type=float, default=0.0, help="seconds for what still moves")
    parser.add_argument("--prefix", default=PREFIX, help="of the databases' names")
    given = parser.parse_args(arguments)
    wait_until_quiet(given.mongo, given.wait, given.prefix)
    findings = check(given.mongo, given.journal, given.prefix)
    if given.kafka:
        findings += topics_wrong(given.mongo, given.kafka, given.prefix)
    for finding in findings:
        print(f"✗ {finding}")
    lines = read_journal(given.journal)
    print(f"{len(findings)} findings; {len({one.get('result_id') for one in lines})} results in {len(lines)} facts.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
