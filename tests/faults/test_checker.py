"""The checker is silent about a sound picture and names each kind of fault that is put into it, in data or in code."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from chassis import strands, waiters
from contracts.terms import CourseKind, Level, Role
from services.assessment.results import commands as results
from services.creditbank.conversion.applications import Actor
from services.creditbank.conversion.applying import Wish, apply
from services.creditbank.conversion.commands import draft_policy, draft_rule
from services.creditbank.conversion.deciding import Decision, decide_one, release_decisions
from services.creditbank.conversion.domain import ConversionRule, Policy, Target, Window
from services.creditbank.conversion.exporting import Answer as Taken
from services.creditbank.conversion.exporting import acknowledge, export
from services.creditbank.ledger import domain as ledger
from services.creditbank.recognition.commands import OUTCOME, settle_again
from services.enrolment.programmes.commands import publish_curriculum
from services.enrolment.programmes.domain import Course
from services.notify.notices import domain as notices
from services.training.jobs import review_due
from tests.faults.checker import SERVICES, check, is_quiet, topics_wrong
from tests.flow.test_the_road import ELEMENTARY, INTERMEDIATE, close, enrol_and_train, open_the_college, sit
from tests.support.campus import Campus

Row = dict[str, Any]
Database = dict[str, Any]
RESULTS = {1: (ELEMENTARY, 200), 2: (INTERMEDIATE, 400)}


COURSES = tuple(Course(code, code, 200, CourseKind.CORE, 3) for code in ("KJ2101", "KJ2105"))
FIRST, LAST = date(2019, 9, 1), date(2098, 12, 31)
MEASURES = Policy(
    "measures",
    0,
    "学分转换办法",
    "",
    FIRST,
    FIRST,
    LAST,
    800,
    windows=(Window("T", FIRST, LAST),),
    undo_minutes=0,
    is_folklore_default=True,
)
RULE = ConversionRule(
    "finance",
    0,
    "measures",
    "630302",
    2019,
    "smart-finance",
    (Level(1), Level(2)),
    tuple(Target(one.code, 200, "免修") for one in COURSES),
    FIRST,
    LAST,
    is_folklore_default=True,
)
DEPARTMENT, REGISTRY = Actor("zhou", {Role.DEPARTMENT}), Actor("li", {Role.REGISTRY})


class Told:
    """A campus on which one learner passed two levels, and the journal a flow would have written of it."""

    def __init__(self, mongo_url: str, journal: Path) -> None:
        self.url, self.journal = mongo_url, journal
        self.campus = Campus(mongo_url, f"faults_{uuid.uuid4().hex[:8]}")
        self.campus.sweeps["creditbank"] = [lambda: waiters.sweep(OUTCOME, settle_again)]
        self.campus.sweeps["assessment"] = [results.close_due_publicity]
        self.client: MongoClient[Row] = MongoClient(mongo_url, tz_aware=True)
        self.learner_id = ""
        self.touched: set[str] = set()
        self.converted: list[Row] = []

    def at(self, service: str) -> Any:
        """A service's database, raw; what a test has touched is put back after it."""
        self.touched.add(service)
        return self.client[f"{self.campus.prefix}_{service}"]

    def begin(self) -> None:
        """Up to the admission numbers."""
        open_the_college(self.campus)
        self.learner_id = enrol_and_train(self.campus)

    def sit_and_close(self) -> None:
        """Both levels are passed, both final."""
        sit(self.campus, ELEMENTARY, 80, 70)
        close(self.campus, ELEMENTARY)
        sit(self.campus, INTERMEDIATE, 60, 61)
        self.do_what_waits()

    def convert(self) -> None:
        """One exemption is granted, told, exported and taken; another is refused and told."""
        self.campus.do("enrolment", lambda: publish_curriculum("630302", 2019, COURSES))
        self.campus.pump()
        self.at("creditbank")["schemes"].update_many({}, {"$set": {"needs_certificate_number": False}})
        for verb in (lambda: draft_policy(MEASURES, "li"), lambda: draft_rule(RULE, "li")):
            self.campus.do("creditbank", verb)
        granted, refused = (self._filed(one.code) for one in COURSES)
        self._decided(granted, DEPARTMENT, is_approval=True)
        self._decided(granted, REGISTRY, is_approval=True)
        self._decided(refused, DEPARTMENT, is_approval=False)
        with self.campus.at("creditbank"):
            release_decisions()
        self.campus.do("creditbank", lambda: export("li"))
        self.campus.do("creditbank", lambda: acknowledge(1, [Taken(0, granted, "")], "system"))
        self.campus.pump()
        self.do_what_waits()
        self.converted.append({"fact": "rule", "rule": "finance", "scheme": "smart-finance", "levels": [1, 2]})

    def _filed(self, course: str) -> str:
        filed = self.campus.do("creditbank", lambda: apply(self.learner_id, Wish("finance", course), "mei")).id
        self.converted.append({"fact": "application", "application": filed, "learner_id": self.learner_id})
        return str(filed)

    def _decided(self, application: str, by: Actor, *, is_approval: bool) -> None:
        decision = Decision(0, application, is_approval, "too little in common")
        self.campus.do("creditbank", lambda: decide_one(decision, by))
        verdict = "approve" if is_approval else "refuse"
        self.converted.append({"fact": "decision", "application": application, "by": by.subject, "verdict": verdict})

    def do_what_waits(self) -> None:
        """Training has judged who is excused from what, and e-mails have left as far as the checker is concerned."""
        with self.campus.at("training"):
            while review_due():
                pass
        self.campus.pump()
        self.at("notify")["notices"].update_many({"channel": "email"}, {"$set": {"state": "sent"}})
        self.at("notify")["waiters"].delete_many({})

    def write_journal(self, **other: Any) -> None:
        """The truth, with something of it changed."""
        with self.journal.open("w", encoding="utf-8") as out:
            for level, (plan, points) in RESULTS.items():
                line = {
                    "fact": "result",
                    "result_id": f"{plan.teo}:{plan.code}:ZK{level}:1",
                    "learner_id": self.learner_id,
                    "scheme": plan.scheme,
                    "level": level,
                    "verdict": "passed",
                    "state": "final",
                    "credit_points": points,
                }
                out.write(json.dumps(line | other) + "\n")
            for line in self.converted:
                out.write(json.dumps(line) + "\n")

    def findings(self) -> list[str]:
        return check(self.url, self.journal, self.campus.prefix)

    def kept(self) -> dict[tuple[str, str], list[Row]]:
        """Everything there is, to be put back."""
        return {
            (service, name): list(self.at(service)[name].find())
            for service in SERVICES
            for name in self.at(service).list_collection_names()
        }

    def put_back(self, kept: dict[tuple[str, str], list[Row]]) -> None:
        """Put back what was kept of the services touched."""
        for service in sorted(self.touched):
            for name in self.at(service).list_collection_names():
                self.at(service)[name].delete_many({})
        for (service, name), rows in kept.items():
            if rows and service in self.touched:
                self.at(service)[name].insert_many(rows)
        self.touched.clear()

    def drop(self) -> None:
        self.client.close()
        self.campus.drop()


@pytest.fixture(scope="module")
def sound(mongo_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Told, Any]]:
    """A sound picture and what it consists of; made once."""
    told = Told(mongo_url, tmp_path_factory.mktemp("faults") / "journal.jsonl")
    told.begin()
    told.sit_and_close()
    told.convert()
    yield told, told.kept()
    told.drop()


@pytest.fixture
def picture(sound: tuple[Told, Any]) -> Iterator[Told]:
    """The sound picture, put back after a test has spoilt it."""
    told, kept = sound
    told.write_journal()
    told.touched.clear()
    yield told
    told.put_back(kept)


@pytest.fixture
def fresh(mongo_url: str, tmp_path: Path) -> Iterator[Told]:
    """A campus of a test's own, up to the admission numbers."""
    told = Told(mongo_url, tmp_path / "journal.jsonl")
    told.begin()
    told.write_journal()
    yield told
    told.drop()


def test_a_sound_picture_is_not_spoken_of(picture: Told) -> None:
    assert picture.findings() == []
    assert is_quiet(picture.url, picture.campus.prefix) == []


def last_entry(told: Told) -> Row:
    return dict(told.at("creditbank")["entries"].find_one(sort=[("_id", -1)]))


def strand_of(told: Told) -> Row:
    return {"_id": f"learner:{told.learner_id}"}


def a_double_posting(told: Told) -> None:
    """The last entry once more, well chained, and shown by its account: only who knows the truth sees it."""
    again = last_entry(told)
    number = int(again["_id"][-6:]) + 1
    body = {name: value for name, value in again.items() if name not in {"_id", "at", "previous", "hash"}}
    head = ledger.chained(bytes(again["hash"]), told.learner_id, number, body)
    row = again | {"_id": f"{told.learner_id}:{number:06d}", "previous": again["hash"], "hash": head}
    told.at("creditbank")["entries"].insert_one(row)
    more = sum(posting["points"] for posting in again["postings"])
    shown = {
        "$set": {"entries": number, "head": head},
        "$inc": {"available_points": more, "holdings.0.available": more},
    }
    told.at("creditbank")["accounts"].update_one({"_id": told.learner_id}, shown)


def a_changed_entry(told: Told) -> None:
    told.at("creditbank")["entries"].update_one({"_id": last_entry(told)["_id"]}, {"$set": {"level": 3}})


def a_rehung_entry(told: Told) -> None:
    told.at("creditbank")["entries"].update_one({"_id": last_entry(told)["_id"]}, {"$set": {"previous": b"0" * 32}})


def a_lost_entry(told: Told) -> None:
    told.at("creditbank")["entries"].delete_one({"_id": f"{told.learner_id}:000001"})


def other_points(told: Told) -> None:
    change = {"$inc": {"available_points": 1, "holdings.0.available": 1}}
    told.at("creditbank")["accounts"].update_one({"_id": told.learner_id}, change)


def credit_for_nothing(told: Told) -> None:
    told.write_journal(credit_points=0, verdict="failed")


def a_lower_level(told: Told) -> None:
    told.write_journal(level=1, credit_points=200)


def a_lost_result(told: Told) -> None:
    told.at("assessment")["results"].delete_one({})


def a_lost_certificate(told: Told) -> None:
    with told.journal.open("a", encoding="utf-8") as out:
        out.write(json.dumps({"fact": "certificate", "teo": "T", "number": "7", "is_on_record": True}) + "\n")


def a_certificate_unheard_of(told: Told) -> None:
    told.at("assessment")["certificates"].insert_one({"_id": "T:7", "number": "7", "learner_id": told.learner_id})


def an_outcome_behind(told: Told) -> None:
    told.at("creditbank")["outcomes"].update_one({}, {"$set": {"state": "publicised"}})


def a_lost_announcement(told: Told) -> None:
    told.at("assessment")["outbox"].delete_one({"type": "ResultFinalised"})


def an_unpublished_row(told: Told) -> None:
    told.at("creditbank")["outbox"].update_one({}, {"$set": {"due": True}})


def a_number_given_twice(told: Told) -> None:
    told.at("assessment")["strands"].update_one(strand_of(told), {"$inc": {"next_seq": -1}})


def seen_too_little(told: Told) -> None:
    told.at("creditbank")["strands"].update_one(strand_of(told), {"$inc": {"seen.assessment": -1}})


def seen_too_much(told: Told) -> None:
    told.at("notify")["strands"].update_one(strand_of(told), {"$inc": {"seen.creditbank": 1}})


def never_seen(told: Told) -> None:
    told.at("training")["strands"].update_one(strand_of(told), {"$unset": {"seen.enrolment": ""}})


def a_missing_notice(told: Told) -> None:
    told.at("notify")["notices"].delete_one({"event": "CreditPosted", "channel": "mailbox"})


def a_doubled_notice(told: Told) -> None:
    row = told.at("notify")["notices"].find_one({"event": "CreditPosted", "channel": "mailbox"})
    told.at("notify")["notices"].insert_one(row | {"_id": "another"})


def a_notice_of_nothing(told: Told) -> None:
    row = told.at("notify")["notices"].find_one({"event": "CreditPosted", "channel": "mailbox"})
    told.at("notify")["notices"].insert_one(row | {"_id": "another", "cause": "nothing"})


def an_unsent_mail(told: Told) -> None:
    row = told.at("notify")["notices"].find_one({"event": "CreditPosted", "channel": "mailbox"})
    told.at("notify")["notices"].insert_one(row | {"_id": "mail", "channel": "email", "state": "queued"})


def a_parked_event(told: Told) -> None:
    row = {"_id": "assessment|x|9", "key": "learner:x", "source": "assessment", "seq": 9}
    told.at("creditbank")["parked_events"].insert_one(row)


def a_parked_strand(told: Told) -> None:
    told.at("creditbank")["strands"].update_one(strand_of(told), {"$set": {"parked": ["assessment"]}})


def a_dead_letter(told: Told) -> None:
    row = {"_id": "assessment|x|9", "type": "ResultFinalised", "state": "waiting"}
    told.at("creditbank")["dead_letters"].insert_one(row)


def a_waiting_outcome(told: Told) -> None:
    told.at("creditbank")["waiters"].insert_one({"_id": "outcome:x", "kind": "outcome", "fact": "rule:x:1"})


def a_posting_out_of_nowhere(told: Told) -> None:
    change = {"$set": {"postings.0.from": "nowhere"}}
    told.at("creditbank")["entries"].update_one({"postings.0": {"$exists": True}}, change)


def applications(told: Told) -> Any:
    return told.at("creditbank")["conversion_applications"]


def a_hold_for_nothing(told: Told) -> None:
    again = dict(applications(told).find_one({"state": "refused"})) | {"_id": "x", "held": 200}
    applications(told).insert_one(again | {"state": "review"})


def an_unanswered_application(told: Told) -> None:
    applications(told).update_one({"state": "refused"}, {"$set": {"state": "review"}})


def a_lost_application(told: Told) -> None:
    applications(told).delete_one({"state": "refused"})


def a_lost_approval(told: Told) -> None:
    applications(told).update_one({"state": "granted"}, {"$pull": {"acts": {"what": "approved"}}})


def of_conversion(told: Told, kind: str) -> Row:
    return dict(told.at("creditbank")["outbox"].find_one({"type": kind}))


def a_decision_nobody_told(told: Told) -> None:
    told.at("creditbank")["outbox"].delete_one({"_id": of_conversion(told, "ConversionDecided")["_id"]})


def an_exemption_granted_twice(told: Told) -> None:
    again = of_conversion(told, "ExemptionGranted") | {"_id": "another", "seq": 99}
    told.at("creditbank")["outbox"].insert_one(again)


def an_exemption_taken_back_in_silence(told: Told) -> None:
    act = {"number": 9, "what": "exemption_withdrawn", "by": "bank", "note": ""}
    change = {"$set": {"state": "fallen", "spent": 0}, "$push": {"acts": act}}
    applications(told).update_one({"state": "granted"}, change)


def a_hold_that_no_entry_covers(told: Told) -> None:
    told.at("creditbank")["entries"].update_one({"what": "hold"}, {"$set": {"cause": "conversion:x:1"}})


def a_hold_that_is_not_given_back(told: Told) -> None:
    applications(told).update_one({"state": "refused"}, {"$set": {"held": 200}})


def an_exemption_without_a_pass(told: Told) -> None:
    told.write_journal(credit_points=0, verdict="failed")


def a_debt_without_a_case(told: Told) -> None:
    change = {"$inc": {"available_points": -400, "holdings.0.available": -400}}
    told.at("creditbank")["accounts"].update_one({"_id": told.learner_id}, change)


def a_case_nobody_has(told: Told) -> None:
    applications(told).update_one({"state": "granted"}, {"$set": {"is_case": True, "export_state": "rejected"}})


def one_course_twice(told: Told) -> None:
    again = dict(applications(told).find_one({"state": "granted"})) | {"_id": "another"}
    applications(told).insert_one(again)


def an_exemption_left_behind(told: Told) -> None:
    applications(told).update_one({"state": "granted"}, {"$set": {"export_state": ""}})


def an_exemption_out_twice(told: Told) -> None:
    row = dict(told.at("creditbank")["exemption_exports"].find_one())
    told.at("creditbank")["exemption_exports"].insert_one(row | {"_id": 2})


def news_that_gave_way(told: Told) -> None:
    """A row that only a bank set back may have: it was announced, and something else is said in its place."""
    where = {"type": "CreditPosted", "key": f"learner:{told.learner_id}"}
    told.at("creditbank")["outbox"].update_one(where, {"$set": {"superseded": "nothing"}})


SEEDED: dict[Callable[[Told], None], str] = {
    a_double_posting: "entries because of one cause",
    a_changed_entry: "says something else than was hashed",
    a_rehung_entry: "its previous hash is another",
    a_lost_entry: "entry 1 is missing",
    other_points: "the final passes are worth 400",
    credit_for_nothing: "the final passes are worth 0",
    a_lower_level: "the highest final pass is 1",
    a_lost_result: "was acknowledged, assessment does not have it",
    a_lost_certificate: "the certificate T:7 was acknowledged",
    a_certificate_unheard_of: "only assessment knows",
    an_outcome_behind: "do not know the same of it",
    a_lost_announcement: "are numbered",
    an_unpublished_row: "1 announcements are not published",
    a_number_given_twice: "next, the last announced is",
    seen_too_little: "creditbank has seen number",
    seen_too_much: "notify has seen number",
    never_seen: "training has seen number 0 of enrolment",
    a_missing_notice: "lies 0 times in the mailbox",
    a_doubled_notice: "lies 2 times in the mailbox",
    a_notice_of_nothing: "what nobody announced nothing lies 1 times",
    an_unsent_mail: "is queued, not sent",
    a_parked_event: "number 9 of assessment on learner:x is parked",
    a_parked_strand: "something of assessment is parked",
    a_dead_letter: "is a dead letter, waiting",
    a_waiting_outcome: "waits for rule:x:1",
    a_posting_out_of_nowhere: "moves nothing from somewhere",
    a_hold_for_nothing: "0 points, applications say 200",
    an_unanswered_application: "nobody has answered it",
    a_lost_application: "was acknowledged, the credit bank does not have it",
    a_lost_approval: "zhou said approve about",
    a_decision_nobody_told: "was told {'ExemptionGranted': 1}",
    an_exemption_granted_twice: "'ExemptionGranted': 2}",
    an_exemption_taken_back_in_silence: "'ExemptionWithdrawn': 1}",
    a_hold_that_no_entry_covers: "which nobody knows",
    a_hold_that_is_not_given_back: "refused, says 200 held",
    an_exemption_without_a_pass: "has spent 200 points of smart-finance without a final pass",
    a_debt_without_a_case: "cases explain 0",
    a_case_nobody_has: "is a case, and the registry's system does not have it",
    one_course_twice: "is excused from KJ2101 2 times",
    an_exemption_left_behind: "is granted and told, the registry's system does not have it",
    an_exemption_out_twice: "went out 2 times",
    news_that_gave_way: "gave way to nothing, which does not say so",
}


@pytest.mark.parametrize("seed", SEEDED, ids=lambda seed: seed.__name__)
def test_a_fault_in_the_data_is_named(picture: Told, seed: Callable[[Told], None]) -> None:
    seed(picture)
    findings = picture.findings()
    assert any(SEEDED[seed] in finding for finding in findings), findings


def test_the_road_alone_is_not_spoken_of(fresh: Told) -> None:
    fresh.sit_and_close()
    assert fresh.findings() == []


def test_a_ledger_that_posts_each_difference_twice_is_caught(fresh: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    once = ledger.difference
    monkeypatch.setattr(ledger, "difference", lambda *given: [posting for posting in once(*given) for _ in range(2)])
    fresh.sit_and_close()
    findings = fresh.findings()
    assert any("the final passes are worth 400" in finding for finding in findings), findings


def test_a_strand_that_is_not_written_back_is_caught(fresh: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing remembers then what was seen; what is named by its nature still comes once, so only the strands tell."""
    hear, write_back = fresh.campus.hear, strands.write_back

    def forgetful(service: str, rows: Any) -> None:
        is_forgetful = service == "notify"
        with monkeypatch.context() as patch:
            patch.setattr(strands, "write_back", (lambda _: None) if is_forgetful else write_back)
            for _ in range(2):
                hear(service, rows)

    monkeypatch.setattr(fresh.campus, "hear", forgetful)
    fresh.sit_and_close()
    findings = fresh.findings()
    assert any("notify has seen number" in finding for finding in findings), findings


def test_a_notice_without_a_natural_name_is_caught(fresh: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delivered twice to a notify that forgets, each piece of news lies in the mailbox twice."""
    hear = fresh.campus.hear
    monkeypatch.setattr(notices, "notice_id", lambda *_: uuid.uuid4().hex)

    def twice(service: str, rows: Any) -> None:
        hear(service, rows)
        if service == "notify":
            with monkeypatch.context() as patch:
                patch.setattr("chassis.bus.parking.strand", lambda key: strands.Strand(key, seen=_before(rows, key)))
                hear(service, rows)

    monkeypatch.setattr(fresh.campus, "hear", twice)
    fresh.sit_and_close()
    findings = fresh.findings()
    assert any("lies 2 times in the mailbox" in finding for finding in findings), findings


def _before(rows: Any, key: str) -> dict[str, int]:
    """What was seen of a key before any of these rows."""
    seen: dict[str, int] = {}
    for row in rows:
        if row["key"] == key:
            seen[row["source"]] = min(seen.get(row["source"], row["seq"]), row["seq"]) - 1
    return seen


@pytest.mark.parametrize("dropped", ["ResultPublicised", "ResultFinalised"])
def test_an_event_that_is_dropped_on_its_way_is_caught(
    fresh: Told, monkeypatch: pytest.MonkeyPatch, dropped: str
) -> None:
    hear = fresh.campus.hear

    def leaky(service: str, rows: Any) -> None:
        kept = [row for row in rows if (service, row["type"]) != ("creditbank", dropped)]
        hear(service, kept)

    monkeypatch.setattr(fresh.campus, "hear", leaky)
    fresh.sit_and_close()
    findings = fresh.findings()
    for sentence in ("creditbank has seen number", "the final passes are worth 400", "do not know the same of it"):
        assert any(sentence in finding for finding in findings), findings


def test_what_a_topic_lacks_is_named(sound: tuple[Told, Any], kafka: str) -> None:
    told, _ = sound
    findings = topics_wrong(told.url, kafka, told.campus.prefix)
    assert any("onex.creditbank.v1 does not have number 1" in finding for finding in findings), findings
