"""A steady flow of results, corrections and annulments that no outage ends, and a journal of what was acknowledged.

What is not acknowledged is sent again, the same, until it is; so the journal is the truth a checker may demand.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from onex.demo.http import Addresses
from onex.demo.stages import DEMO_PASSWORD
from onex.stack import secrets
from onex.stack.home import Home
from tests.faults.college import College, Plan, Seat, number_in, person, sheet_of
from tests.faults.conversions import Conversions
from tests.faults.facts import Fact, is_as_told, is_open, now
from tests.faults.voices import Answer, PersonVoice, Voice

REQUEST_SECONDS = 8.0
MOST_PENDING = 30
MOST_ATTEMPTS = 20
MOST_AT_ONCE = 12
PAGE = 500
PAUSE_SECONDS = 0.2
EXAM_OFFICE = "demo-exam-office"
OPERATOR = "demo-operator"


class Lost(AssertionError):
    """Something acknowledged is not there, though nothing was set back."""


@dataclass
class Submission:
    """One thing to be sent until it is acknowledged. `deed` asks once and says whether it is done."""

    kind: str
    touches: frozenset[str]
    deed: Callable[[], bool]


class Flow:
    """Submits at random from a seed; the same seed makes the same choices where the answers are the same.

    `clients_key`: of the stack (`Running.clients_key`); left out, that of the home of the environment.
    """

    def __init__(self, addresses: dict[str, str], seed: int, journal: Path, clients_key: str = "") -> None:
        key = clients_key or secrets.read(Home.from_environment() / "secrets.env")["CLIENTS_KEY"]
        http = httpx.Client(timeout=REQUEST_SECONDS, trust_env=False)
        self.addresses = Addresses(addresses, key, http)
        self.college = College(self.addresses)
        self.chance = random.Random(seed)
        self.journal = journal
        self.seats: list[Seat] = []
        self.facts: dict[str, Fact] = {}
        self.certificates: dict[str, tuple[Fact, dict[str, Any]]] = {}  # by number: whose, and the row that told it
        self.taken: Counter[Seat] = Counter()
        self.pending: deque[Submission] = deque()
        self.repeatable: deque[Callable[[], Answer | None]] = deque(maxlen=50)
        self.counts: Counter[str] = Counter()
        self.number = 0
        self.voices: dict[str, Voice] = {}
        self.conversions = Conversions(self.college, self.chance, self._person, self._write)

    def prepare(self) -> None:
        """Have learners, plans and candidates on a fresh stack with DEMO=1."""
        self.seats = self.college.open()
        self.conversions.open(seat.learner_id for seat in self.seats)

    def step(self) -> None:
        """One submission, or one that was not acknowledged once more; whatever is away, it returns within seconds."""
        if self.pending and (len(self.pending) >= MOST_PENDING or self.chance.random() < 0.5):
            self._try(self.pending.popleft())
            return
        makers = (
            (self._submit, 50),
            (self._resubmit, 12),
            (self._correct, 12),
            (self._annul, 6),
            (self._close, 8),
            (self._report_certificates, 3),
            (self._repeat, 9),
            (self._annul_behind, 2),
            (self._file, 20),
            (self._decide, 14),
            (self._undo, 3),
            (self._withdraw, 1),
            (self._export, 2),
            (self._acknowledge, 2),
        )
        (maker,) = self.chance.choices([one for one, _ in makers], [weight for _, weight in makers])
        if submission := maker():
            self._try(submission)

    def finish(self, deadline_seconds: float, sends_again: bool = False) -> None:
        """Have everything acknowledged and every result final; TimeoutError when that does not come in time.

        `sends_again`: assessment was set back, so what it forgot is sent anew. Else that is `Lost`.
        """
        deadline = time.monotonic() + deadline_seconds
        missing = ["nothing was asked yet"]
        while missing:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.pending)} submissions pending; {'; '.join(missing[:5])}")
            missing = self._finish_once(sends_again)
            time.sleep(PAUSE_SECONDS if missing else 0)

    def _finish_once(self, sends_again: bool) -> list[str]:
        """Send what is open, close, and read back; what is not as it must be yet."""
        for _ in range(len(self.pending)):
            self._try(self.pending.popleft())
        unsent = [f"{one.kind} is not acknowledged" for one in self.pending]
        if unsent and not sends_again:
            return unsent
        open_plans = [plan for plan in self.college.plans if not self._ask_to_close(plan)]
        if open_plans:
            return [f"{plan.code} can't be closed" for plan in open_plans]
        return [*unsent, *(self._unlike(sends_again) or self._unanswered(sends_again))]

    def _unanswered(self, sends_again: bool) -> list[str]:
        """Applications without an answer, once everything else is as it must be at the end of a run."""
        return [] if sends_again else self.conversions.finish_once()

    def _unlike(self, sends_again: bool) -> list[str]:
        """Results and certificates that differ from what was acknowledged."""
        found = self._read_back()
        if found is None:
            return ["results can't be read"]
        waiting = [name for name, one in self.facts.items() if is_open(one, found.get(name))]
        unlike = [one for name, one in self.facts.items() if not is_as_told(one, found.get(name))]
        busy = self._busy()
        forgotten = [one for one in unlike if one.result_id not in busy or one.result_id not in found]
        on_record = self._numbers_on_record()
        lacking = [number for number in self.certificates if number not in on_record]
        if forgotten or lacking:
            self._forgotten(forgotten, lacking, sends_again)
        return [*waiting, *(one.result_id for one in forgotten), *lacking]

    def _forgotten(self, facts: Sequence[Fact], numbers: Sequence[str], sends_again: bool) -> None:
        if not sends_again:
            raise Lost(f"acknowledged and not there: {[one.result_id for one in facts][:5]} {numbers[:5]}")
        under_way = {name for one in self.pending if one.kind == "again" for name in one.touches}
        lived = list(self._lived([self.certificates[number] for number in numbers if number not in under_way]))
        under_way |= {name for one in lived for name in one.touches}
        told = [(fact, partial(self.tell_again, fact)) for fact in facts if fact.result_id not in under_way]
        self.counts["sent again"] += len(told) + len(lived)
        self.pending += [Submission("again", frozenset({fact.result_id}), deed) for fact, deed in told]
        self.pending += [Submission("again", one.touches, one.advance) for one in lived]

    def _lived(self, told: Sequence[tuple[Fact, dict[str, Any]]]) -> Iterator[Relived]:
        """What these certificates were told of, one for each organisation."""
        for teo in sorted({fact.seat.teo for fact, _ in told}):
            yield Relived(self, [(fact, row) for fact, row in told if fact.seat.teo == teo])

    def is_over(self, fact: Fact) -> bool:
        """Whether a result's publicity is over; False also when nobody answers."""
        plan = next(one for one in self.college.plans if one.code == fact.seat.plan)
        rows = self._results_of(plan) or []
        return any(one["result_id"] == fact.result_id and one["state"] != "publicised" for one in rows)

    def tell_again(self, fact: Fact) -> bool:
        """Bring a forgotten result to where it was: submitted, corrected, annulled."""
        answer = self._voice_of(fact.seat).ask("assessment", "POST", f"{fact.seat.path}/results", json=[fact.sitting()])
        if answer is None:
            return False
        if answer.is_refused or answer.body[0]["status"] == "refused":
            marks = {"theory": fact.theory, "practical": fact.practical, "reason": "again after the set-back"}
            if self._change(fact, "corrections", marks, str(uuid.uuid4())) is None:
                return False
        if not fact.is_annulled:
            return True
        return self._change(fact, "annulments", {"reason": "again"}, str(uuid.uuid4())) is not None

    def _try(self, submission: Submission) -> None:
        """Ask once; what is not acknowledged stays pending."""
        self.counts[f"{submission.kind} asked"] += 1
        if submission.deed():
            self.counts[f"{submission.kind} acknowledged"] += 1
        else:
            self.pending.append(submission)

    def _submit(self) -> Submission | None:
        """First marks of some candidates of one plan."""
        plan = self.chance.choice(self.college.plans)
        seats = [seat for seat in self.seats if seat.plan == plan.code and self.taken[seat] < MOST_ATTEMPTS]
        chosen = self.chance.sample(seats, min(len(seats), self.chance.randint(1, MOST_AT_ONCE)))
        if not chosen:
            return None
        self.taken.update(chosen)
        facts = [self._fact(seat, self.taken[seat]) for seat in chosen]
        return self._of_sittings("submit", facts)

    def _resubmit(self) -> Submission | None:
        """Other marks of a result by its organisation; refused where it is final by now."""
        if fact := self._some_fact():
            newer = replace(fact, **self._marks(), as_of=now())
            return self._of_sittings("resubmit", [newer])
        return None

    def _of_sittings(self, kind: str, facts: Sequence[Fact]) -> Submission:
        seat, items = facts[0].seat, [one.sitting() for one in facts]
        voice = self._voice_of(seat)

        def ask() -> Answer | None:
            return voice.ask("assessment", "POST", f"{seat.path}/results", json=items)

        def deed() -> bool:
            answer = ask()
            if answer is None:
                return False
            if answer.is_refused:
                raise AssertionError(f"a submission was answered {answer.status}: {answer.body}")
            for fact, judged in zip(facts, answer.body, strict=True):
                self._judged(kind, fact, judged)
            self.repeatable.append(ask)
            return True

        return Submission(kind, frozenset(one.result_id for one in facts), deed)

    def _judged(self, kind: str, fact: Fact, judged: Mapping[str, Any]) -> None:
        if judged["status"] != "refused":
            self._keep(fact)
        elif kind == "submit":
            raise AssertionError(f"{fact.result_id} was refused: {judged}")

    def _correct(self) -> Submission | None:
        """Other marks on the exam office's word, final or not."""
        fact = self._some_fact()
        if fact is None:
            return None
        after, key = replace(fact, **self._marks(), as_of=now()), str(uuid.uuid4())
        marks = {"theory": after.theory, "practical": after.practical, "reason": "a slip of the pen"}
        return Submission(
            "correct", frozenset({fact.result_id}), lambda: self._changed(after, "corrections", marks, key)
        )

    def _annul(self) -> Submission | None:
        """Take a result back."""
        fact = self._some_fact()
        if fact is None:
            return None
        after, key = replace(fact, is_annulled=True), str(uuid.uuid4())
        why = {"reason": "it was somebody else"}
        return Submission("annul", frozenset({fact.result_id}), lambda: self._changed(after, "annulments", why, key))

    def _annul_behind(self) -> Submission | None:
        """Take back all the passes that a late decision about an exemption stands on."""
        place = self.conversions.ground()
        passes = [one for one in self._free_facts() if one.is_pass and one.seat.ground == place]
        if not passes:
            return None
        left = [(replace(one, is_annulled=True), str(uuid.uuid4())) for one in passes]

        def deed() -> bool:
            while left and self._changed(left[0][0], "annulments", {"reason": "it was somebody else"}, left[0][1]):
                left.pop(0)
            return not left

        return Submission("annul behind", frozenset(one.result_id for one in passes), deed)

    def _changed(self, after: Fact, path: str, body: Mapping[str, Any], key: str) -> bool:
        answer = self._change(after, path, body, key)
        if answer is None or answer.status == httpx.codes.NOT_FOUND:  # set back away: it is sent again first
            return False
        if answer.is_refused:
            raise AssertionError(f"{path} of {after.result_id} was answered {answer.status}: {answer.body}")
        self._keep(after)
        return True

    def _change(self, fact: Fact, path: str, body: Mapping[str, Any], key: str) -> Answer | None:
        headers = {"Idempotency-Key": key}
        voice = self._voice(EXAM_OFFICE)
        return voice.ask("assessment", "POST", f"/results/{fact.result_id}/{path}", json=body, headers=headers)

    def _close(self) -> Submission:
        """Close the publicity of a plan now."""
        plan = self.chance.choice(self.college.plans)
        return Submission("close", frozenset(), lambda: self._ask_to_close(plan))

    def _ask_to_close(self, plan: Plan) -> bool:
        return self._voice(OPERATOR).ask("assessment", "POST", f"{plan.path}/publicity/close") is not None

    def _repeat(self) -> Submission | None:
        """An earlier submission word for word: it may change nothing."""
        if not self.repeatable:
            return None
        ask = self.chance.choice(self.repeatable)
        return Submission("repeat", frozenset(), lambda: ask() is not None)

    def _file(self) -> Submission | None:
        """A learner asks for an exemption."""
        passes = sorted({one.seat.ground for one in self.facts.values() if one.is_pass and not one.is_annulled})
        deed = self.conversions.file(passes)
        return Submission("file", frozenset(), deed) if deed else None

    def _decide(self) -> Submission | None:
        """Somebody decides about some applications, at whatever step they are."""
        chosen = self.conversions.some(frozenset(self._busy()))
        return Submission("decide", frozenset(chosen), self.conversions.decide(chosen)) if chosen else None

    def _undo(self) -> Submission | None:
        """A late decision is taken back, if nobody was told of it."""
        found = self.conversions.undo(frozenset(self._busy()))
        return Submission("undo", frozenset({found[0]}), found[1]) if found else None

    def _withdraw(self) -> Submission | None:
        """A learner takes an application back."""
        for one in self.conversions.some(frozenset(self._busy()), most=1):
            return Submission("withdraw", frozenset({one}), partial(self.conversions.ask_to_withdraw, one))
        return None

    def _export(self) -> Submission:
        """Exemptions go to the registry's system."""
        return Submission("export", frozenset(), self.conversions.ask_to_export)

    def _acknowledge(self) -> Submission | None:
        """The registry's system answers."""
        deed = self.conversions.acknowledge()
        return Submission("acknowledge", frozenset(), deed) if deed else None

    def _report_certificates(self) -> Submission | None:
        """Numbers of some passes, as a sheet; rows of passes that are not final yet are refused, and not told."""
        passes = [one for one in self._free_facts() if one.is_pass]
        if not passes:
            return None
        teo = self.chance.choice(passes).seat.teo
        of_teo = [one for one in passes if one.seat.teo == teo]
        chosen = self.chance.sample(of_teo, min(len(of_teo), 5))
        return Submission("certificates", frozenset(), Report(self, chosen).advance)

    def certificate_row(self, fact: Fact) -> dict[str, Any]:
        """The row of a report that tells of a new number."""
        self.number += 1
        return {
            **person(number_in(fact.seat.admission_number)),
            "准考证号": fact.seat.admission_number,
            "证书名称": self.college.schemes[fact.seat.scheme]["name"],
            "职业技能等级": fact.seat.level,
            "证书编号": f"F{self.number:07d}",
            "发证日期": "2022-01-10",
        }

    def keep_certificate(self, told: Fact, result_id: str, row: dict[str, Any]) -> None:
        """Write into the journal that a number is on record, of the pass that was found for it; of the one it was told
        of while the submission of that one is not acknowledged."""
        fact, number = self.facts.get(result_id, told), row["证书编号"]
        if not fact.is_pass or fact.is_annulled:  # since it got its number
            fact = replace(fact, theory=100, practical=100, is_annulled=False)
        self.certificates[number] = (fact, row)
        self._write({"fact": "certificate", "teo": fact.seat.teo, "number": number, "is_on_record": True})

    def give_up_certificate(self, number: str) -> None:
        """A number that was set back away and is refused now, since its pass does not stand any more."""
        if known := self.certificates.pop(number, None):
            self._write({"fact": "certificate", "teo": known[0].seat.teo, "number": number, "is_on_record": False})

    def numbers_of(self, learner_ids: Iterator[str] | Sequence[str]) -> dict[str, str] | None:
        """The certificate numbers on record of these learners, and each one's result; None when nobody answers."""
        numbers: dict[str, str] = {}
        for learner_id in sorted(set(learner_ids)):
            query = {"learner_id": learner_id, "limit": PAGE}
            answer = self._voice(OPERATOR).ask("assessment", "GET", "/certificates", params=query)
            if answer is None or answer.is_refused:
                return None
            numbers |= {one["certificate_number"]: one["result_id"] for one in answer.body["items"]}
        return numbers

    def _numbers_on_record(self) -> set[str]:
        if not self.certificates:
            return set()
        found = self.numbers_of([fact.seat.learner_id for fact, _ in self.certificates.values()])
        return set(self.certificates if found is None else found)

    def _read_back(self) -> dict[str, dict[str, Any]] | None:
        """Every result as assessment shows it, by id; None when it can't be read now."""
        found: dict[str, dict[str, Any]] = {}
        for plan in self.college.plans:
            rows = self._results_of(plan)
            if rows is None:
                return None
            found |= {one["result_id"]: one for one in rows}
        return found

    def _results_of(self, plan: Plan) -> list[dict[str, Any]] | None:
        rows: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": PAGE}
        while True:
            answer = self._voice(OPERATOR).ask("assessment", "GET", f"{plan.path}/results", params=query)
            if answer is None or answer.is_refused:
                return None
            rows += answer.body["items"]
            if answer.body["next"] is None:
                return rows
            query["cursor"] = answer.body["next"]

    def _some_fact(self) -> Fact | None:
        """A result that stands and that nothing pending touches."""
        free = self._free_facts()
        return self.chance.choice(free) if free else None

    def _free_facts(self) -> list[Fact]:
        busy = self._busy()
        return [one for name, one in self.facts.items() if not one.is_annulled and name not in busy]

    def _busy(self) -> set[str]:
        """The results that something pending touches."""
        return {name for one in self.pending for name in one.touches}

    def _fact(self, seat: Seat, attempt: int) -> Fact:
        name = f"{seat.teo}:{seat.plan}:{seat.admission_number}:{attempt}"
        return Fact(name, seat, attempt, **self._marks(), as_of=now())

    def _marks(self) -> dict[str, Any]:
        return {"theory": self.chance.randint(40, 100), "practical": self.chance.randint(40, 100)}

    def _keep(self, fact: Fact) -> None:
        self.facts[fact.result_id] = fact
        self._write(fact.line())

    def note_set_back(self, services: Iterable[str]) -> None:
        """Write into the journal whose databases forgot something."""
        for service in sorted(services):
            self._write({"fact": "set back", "service": service})

    def _write(self, line: Mapping[str, Any]) -> None:
        with self.journal.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _voice_of(self, seat: Seat) -> Voice:
        return self._voice(f"demo-teo-{seat.teo}")

    def _voice(self, client_id: str) -> Voice:
        return self.voices.setdefault(client_id, Voice(self.addresses, client_id))

    def _person(self, name: str) -> Voice:
        """One of the demonstration's people."""
        return self.voices.setdefault(f"person:{name}", PersonVoice(self.addresses, name, DEMO_PASSWORD))

    def voice_of_teo(self, teo: str) -> Voice:
        """The client of an organisation."""
        return self._voice(f"demo-teo-{teo}")


class Relived:
    """Results with certificates that were forgotten, sent again as they came: the marks, once they are final the
    numbers, then what became of the results since. The other way round a number would be refused."""

    def __init__(self, flow: Flow, told: Sequence[tuple[Fact, dict[str, Any]]]) -> None:
        facts, rows = [fact for fact, _ in told], [row for _, row in told]
        self.touches = frozenset([one.result_id for one in facts] + [row["证书编号"] for row in rows])
        self.steps: list[Callable[[], bool]] = [
            *(partial(flow.tell_again, one) for one in facts),
            *(partial(flow.is_over, one) for one in facts),
            Report(flow, facts, rows).advance,
            *(partial(flow.tell_again, flow.facts[one.result_id]) for one in facts),
        ]

    def advance(self) -> bool:
        """Go as far as it goes; whether it is all done."""
        while self.steps and self.steps[0]():
            self.steps.pop(0)
        return not self.steps


class Report:
    """A certificate report on its way: uploaded, previewed, committed, read back, however often that is interrupted."""

    def __init__(self, flow: Flow, facts: Sequence[Fact], rows: Sequence[dict[str, Any]] = ()) -> None:
        self.flow, self.facts = flow, facts
        self.rows = list(rows) or [flow.certificate_row(fact) for fact in facts]
        self.voice = flow.voice_of_teo(facts[0].seat.teo)
        self.key, self.number = str(uuid.uuid4()), 0

    def advance(self) -> bool:
        """Go as far as it goes; whether it is all done."""
        if not self.number and not self._upload():
            return False
        answer = self.voice.ask("assessment", "GET", f"/imports/{self.number}")
        if answer is None:
            return False
        if answer.is_refused:  # forgotten with a set-back: begin anew
            self.key, self.number = str(uuid.uuid4()), 0
            return False
        if answer.body["state"] == "unreadable":
            raise AssertionError(f"a certificate report is unreadable: {answer.body}")
        if answer.body["state"] == "previewed":
            self.voice.ask("assessment", "POST", f"/imports/{self.number}/commit")
        return bool(answer.body["state"] == "committed" and self._read_back())

    def _upload(self) -> bool:
        answer = self.voice.ask(
            "assessment",
            "POST",
            "/imports",
            params={"kind": "certificates", "language": "zh"},
            files={"file": ("certificates.csv", sheet_of(self.rows))},
            headers={"Idempotency-Key": self.key},
        )
        if answer is None:
            return False
        if answer.is_refused:
            raise AssertionError(f"a certificate report was answered {answer.status}: {answer.body}")
        self.number = answer.body["number"]
        return True

    def _read_back(self) -> bool:
        numbers = self.flow.numbers_of([fact.seat.learner_id for fact in self.facts])
        if numbers is None:
            return False
        for told, row in zip(self.facts, self.rows, strict=True):
            if row["证书编号"] in numbers:
                self.flow.keep_certificate(told, numbers[row["证书编号"]], row)
            else:
                self.flow.give_up_certificate(row["证书编号"])
        return True
