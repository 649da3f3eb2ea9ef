"""Learners who convert while all breaks: they file and withdraw, others decide and undo, the registry's system takes
exemptions. Everything is asked until it is answered, and in the end every application has its answer."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from onex.demo.trouble import Answered
from tests.faults.college import College, until
from tests.faults.voices import Answer, OwnVoice, Voice

BANK = "creditbank"
OPERATOR, REGISTRY, DEPARTMENT, LEARNERS = "demo-operator", "demo-registry", "demo-department", "faults-learners"
POLICY = "faults-measures"
FROM, UNTIL = "2019-09-01", "2098-12-31"
MOST_AT_ONCE = 6
MOST_OPEN = 60
PAGE = 500
HAVE_PASSED = 0.9
REASON = "too little in common"
Row = dict[str, Any]
RULES: dict[str, Row] = {
    "faults-data": {
        "scheme": "ecommerce-data",
        "levels": [1, 2, 3],
        "targets": [
            {"course": "JD2113", "module": "JD2113-1", "credit_points": 200},
            {"course": "JD2113", "credit_points": 400},
            {"course": "JD2101", "credit_points": 400},
        ],
    },
    "faults-finance": {
        "scheme": "smart-finance",
        "levels": [2, 3],
        "targets": [{"course": "JD2102", "credit_points": 400}, {"course": "JD2111", "credit_points": 400}],
    },
}
MEASURES: Row = {
    "title": "学分转换办法",
    "issued_on": FROM,
    "valid_from": FROM,
    "valid_until": UNTIL,
    "most_points_per_certificate": 800,
    "windows": [{"term": "2021-2022-1", "opens_on": FROM, "closes_on": UNTIL}],
    "undo_minutes": 1,
    "is_folklore_default": True,
}
EARLY = frozenset({"scheme_unknown"})  # what the bank has not heard of yet
NO_TO_LEARNERS = frozenset(
    {
        "level_not_passed",
        "above_balance",
        "exemption_already_asked",
        "certificate_cap",
        "course_replaced_already",
        "account_held_up",
        "account_in_debt",
        "not_admitted_yet",
        "not_your_programme",
        "curriculum_unknown_yet",
        "application_decided",
        "offer_over",
        "not_found",
    }
)
NO_TO_DECIDERS = NO_TO_LEARNERS | {
    "application_not_under_review",
    "application_waits_for_final",
    "application_step_of_others",
    "undo_window_over",
    "credit_provisional",
    "credit_unnumbered",
}


class Lost(AssertionError):
    """An application that was acknowledged is not there, though the bank was not set back."""


@dataclass
class Filed:
    """An application that was acknowledged, and what was asked for."""

    application: str
    learner_id: str
    wish: Mapping[str, str]
    decisions: list[str] = field(default_factory=list)
    is_withdrawn: bool = False


class Conversions:
    """Deeds about applications, at random; `voice_of` gives a client that asks once, `write` writes into the journal.

    `was_set_back`: the services whose databases were set back: the bank then has forgotten what it was asked.
    """

    def __init__(
        self,
        college: College,
        chance: random.Random,
        voice_of: Callable[[str], Voice],
        write: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self.college, self.chance, self.voice_of, self.write = college, chance, voice_of, write
        self.learners: Voice = Voice(college.addresses, LEARNERS)
        self.learner_ids: list[str] = []
        self.filed: dict[str, Filed] = {}
        self.exports: list[tuple[int, list[str]]] = []
        self.refusals: Counter[str] = Counter()
        self.was_set_back: set[str] = set()

    def open(self, learner_ids: Iterable[str]) -> None:
        """A client for the learners, the policy and the rules."""
        self.learner_ids = sorted(set(learner_ids))
        operator = self.college.speaker(OPERATOR)
        operator.put("portal", f"/clients/{LEARNERS}", {"roles": ["learner"], "owns": {"learner": self.learner_ids}})
        secret = operator.post("portal", f"/clients/{LEARNERS}/secrets")["secret"]
        self.learners = OwnVoice(self.college.addresses, LEARNERS, secret)
        operator.put(BANK, f"/conversion-policies/{POLICY}", MEASURES)
        for code, rule in RULES.items():
            until(f"the rule {code} is taken", partial(self._is_put, code, rule))

    def _is_put(self, code: str, rule: Row) -> bool:
        body = {"policy": POLICY, "programme": self.college.programme["code"], "entry_year": 2019, **rule}
        body |= {"valid_from": FROM, "valid_until": UNTIL, "is_folklore_default": True}
        try:
            self.college.speaker(OPERATOR).put(BANK, f"/conversion-rules/{code}", body)
        except Answered as refused:
            if refused.code not in EARLY:
                raise
            return False
        self.write({"fact": "rule", "rule": code, "scheme": rule["scheme"], "levels": rule["levels"]})
        return True

    # --- deeds, each asked once; whether it was answered ------------------------------------------------------------
    def file(self, passes: Sequence[tuple[str, str]]) -> Callable[[], bool] | None:
        """A learner asks for an exemption; most of them have `passes`, by learner and scheme."""
        if not self.learner_ids or len(self.open_ones()) >= MOST_OPEN:
            return None
        learner_id, rule = self.chance.choice(self.learner_ids), self.chance.choice(sorted(RULES))
        if passes and self.chance.random() < HAVE_PASSED:
            learner_id, scheme = self.chance.choice(passes)
            rule = next(code for code, one in RULES.items() if one["scheme"] == scheme)
        target = self.chance.choice(RULES[rule]["targets"])
        wish = {"rule": rule, "course": target["course"], "module": target.get("module", "")}
        return partial(self.ask_to_file, learner_id, wish)

    def ask_to_file(self, learner_id: str, wish: Mapping[str, str]) -> bool:
        path = f"/accounts/{learner_id}/conversion-applications"
        answer = self.learners.ask(BANK, "POST", path, json=dict(wish))
        if answer is None:
            return False
        if not self._is_refused(answer, NO_TO_LEARNERS):
            self._keep(answer.body["application"], learner_id, wish)
        return True

    def _keep(self, application: str, learner_id: str, wish: Mapping[str, str]) -> None:
        if application not in self.filed:
            self.filed[application] = Filed(application, learner_id, wish)
            self.write({"fact": "application", "application": application, "learner_id": learner_id, **wish})

    def open_ones(self, busy: frozenset[str] = frozenset()) -> list[str]:
        """Applications that may still need a word, and that nothing pending touches."""
        return [
            one.application
            for one in self.filed.values()
            if not one.is_withdrawn and len(one.decisions) < 2 and one.application not in busy
        ]

    def some(self, busy: frozenset[str], most: int = MOST_AT_ONCE) -> list[str]:
        """Some of the open ones."""
        found = self.open_ones(busy)
        return self.chance.sample(found, min(len(found), self.chance.randint(1, most)))

    def decide(self, applications: Sequence[str]) -> Callable[[], bool]:
        """The department or the registry decides about some."""
        by = self.chance.choice((DEPARTMENT, REGISTRY))
        verdicts = [("approve" if self.chance.random() < 0.85 else "refuse") for _ in applications]
        return partial(self.ask_to_decide, by, list(zip(applications, verdicts, strict=True)))

    def ask_to_decide(self, by: str, verdicts: Sequence[tuple[str, str]]) -> bool:
        items = [{"application": one, "verdict": verdict, "reason": REASON} for one, verdict in verdicts]
        answer = self.voice_of(by).ask(BANK, "POST", "/conversion-decisions", json=items)
        if answer is None:
            return False
        for (application, verdict), judged in zip(verdicts, self._judged(answer), strict=True):
            if judged["status"] != "refused":
                self.filed[application].decisions.append(f"{by} {verdict}")
                self.write({"fact": "decision", "application": application, "by": by, "verdict": verdict})
        return True

    def ground(self) -> tuple[str, str] | None:
        """Whose pass of which scheme a late decision stands on."""
        decided = [one for one in self.filed.values() if one.decisions]
        if not decided:
            return None
        one = self.chance.choice(decided[-MOST_AT_ONCE:])
        return one.learner_id, RULES[one.wish["rule"]]["scheme"]

    def undo(self, busy: frozenset[str]) -> tuple[str, Callable[[], bool]] | None:
        """The registry takes a late decision back."""
        decided = [one.application for one in self.filed.values() if one.decisions and one.application not in busy]
        if not decided:
            return None
        application = self.chance.choice(decided[-MOST_AT_ONCE:])
        return application, partial(self.ask_to_undo, application)

    def ask_to_undo(self, application: str) -> bool:
        answer = self.voice_of(REGISTRY).ask(BANK, "POST", "/conversion-undos", json=[{"application": application}])
        if answer is None:
            return False
        [judged] = self._judged(answer)
        if judged["status"] != "refused" and self.filed[application].decisions:
            self.filed[application].decisions.pop()
            self.write({"fact": "undo", "application": application})
        return True

    def ask_to_withdraw(self, application: str) -> bool:
        """A learner takes an application back."""
        answer = self.learners.ask(BANK, "PUT", f"/conversion-applications/{application}/withdrawal")
        if answer is None:
            return False
        unknown = {"outside_your_scope"} if BANK in self.was_set_back else set()  # nobody's, as far as the bank knows
        if not self._is_refused(answer, NO_TO_LEARNERS | unknown):
            self.filed[application].is_withdrawn = True
            self.write({"fact": "withdrawal", "application": application})
        return True

    def ask_to_export(self) -> bool:
        """Exemptions go to the registry's system."""
        answer = self.voice_of(REGISTRY).ask(BANK, "POST", "/exemption-exports")
        if answer is None:
            return False
        if answer.is_refused:
            raise AssertionError(f"an export was answered {answer.status}: {answer.body}")
        if answer.body["number"]:
            rows = [one["application"] for one in answer.body["rows"]]
            self.exports.append((answer.body["number"], rows))
            self.write({"fact": "export", "number": answer.body["number"], "applications": rows})
        return True

    def acknowledge(self, rejects: float = 0.15) -> Callable[[], bool] | None:
        """The registry's system answers an export: it takes most of it."""
        if not self.exports:
            return None
        number, rows = self.exports.pop(0)
        reasons = ["unknown course" if self.chance.random() < rejects else "" for _ in rows]
        items = [{"application": one, "reason": reason} for one, reason in zip(rows, reasons, strict=True)]
        return partial(self._answer_export, number, items)

    def _answer_export(self, number: int, items: list[Row]) -> bool:
        answer = self.voice_of(REGISTRY).ask(BANK, "POST", f"/exemption-exports/{number}/acknowledgement", json=items)
        if answer is None:
            return False
        if answer.is_refused:
            if BANK not in self.was_set_back:
                raise AssertionError(f"an acknowledgement was answered {answer.status}: {answer.body}")
            return True
        self._judged(answer)
        return True

    def _judged(self, answer: Answer) -> list[Row]:
        """What came of each item; AssertionError for a refusal that nobody expects."""
        if answer.is_refused:
            raise AssertionError(f"a decision was answered {answer.status}: {answer.body}")
        judged: list[Row] = answer.body
        for one in judged:
            if one["status"] == "refused":
                self._count(one, NO_TO_DECIDERS)
        return judged

    def _is_refused(self, answer: Answer, expected: frozenset[str]) -> bool:
        if answer.is_refused:
            self._count(answer.body, expected)
        return answer.is_refused

    def _count(self, refusal: Mapping[str, Any], expected: frozenset[str]) -> None:
        if refusal["code"] not in expected:
            raise AssertionError(f"refused with {refusal['code']}: {refusal}")
        self.refusals[refusal["code"]] += 1

    # --- the end ------------------------------------------------------------------------------------------------------
    def finish_once(self) -> list[str]:
        """Give every application its answer, as far as it goes now; what has none yet."""
        found = self._read_all()
        if found is None:
            return ["applications can't be read"]
        lost = sorted(set(self.filed) - set(found))
        if lost and BANK not in self.was_set_back:
            raise Lost(f"filed and not there: {lost[:5]}")
        for one in lost:
            self._file_again(self.filed[one])
        opened = [one for one in found.values() if not is_answered(one)]
        for one in opened:
            self._lead_on(one)
        return [*lost, *(f"{one['application']} is {one['state']}" for one in opened), *self._unsent(found.values())]

    def _file_again(self, one: Filed) -> None:
        """What a set-back forgot is filed again; where that is refused by now, nobody waits for an answer any more."""
        answer = self.learners.ask(BANK, "POST", f"/accounts/{one.learner_id}/conversion-applications", json=one.wish)
        if answer is None:
            return
        if self._is_refused(answer, NO_TO_LEARNERS) or answer.body["application"] != one.application:
            del self.filed[one.application]
            self.write({"fact": "application forgotten", "application": one.application})

    def _lead_on(self, one: Row) -> None:
        """What waits is withdrawn; under review it is approved at its step, or refused where that is refused."""
        self._keep(one["application"], one["learner_id"], {"rule": one["rule"], **places_of(one["target"])})
        if one["state"] == "waiting":
            self.ask_to_withdraw(one["application"])
        elif one["state"] == "review":
            by = DEPARTMENT if one["step"] == "department" else REGISTRY
            before = sum(self.refusals.values())
            self.ask_to_decide(by, [(one["application"], "approve")])
            if sum(self.refusals.values()) > before:
                self.ask_to_decide(by, [(one["application"], "refuse")])

    def _unsent(self, found: Iterable[Row]) -> Iterator[str]:
        """Exemptions that are not with the registry's system: they go out, and it takes them."""
        outside = [
            one["application"]
            for one in found
            if is_granted(one) and not one["is_case"] and one["export_state"] != "taken"
        ]
        if outside:
            self.ask_to_export()
            while deed := self.acknowledge(rejects=0.0):
                deed()
            sent = {one["export"] for one in found if one["export_state"] == "sent"}
            self.exports += [
                (number, [one["application"] for one in found if one["export"] == number]) for number in sent
            ]
        return (f"{one} is not exported" for one in outside)

    def _read_all(self) -> dict[str, Row] | None:
        """Every application as the bank shows it, by id; None when it can't be read now."""
        rows: dict[str, Row] = {}
        query: Row = {"limit": PAGE}
        while True:
            answer = self.voice_of(OPERATOR).ask(BANK, "GET", "/conversion-applications", params=query)
            if answer is None or answer.is_refused:
                return None
            rows |= {one["application"]: one for one in answer.body["items"]}
            if answer.body["next"] is None:
                return rows
            query["cursor"] = answer.body["next"]


def is_granted(one: Row) -> bool:
    """Whether its learner was told of an exemption."""
    return bool(one["state"] == "granted" and one["is_released"])


def is_answered(one: Row) -> bool:
    """Whether its learner knows how it ended, or ended it."""
    return bool(
        one["state"] in {"withdrawn", "fallen"} or (one["state"] in {"granted", "refused"} and one["is_released"])
    )


def places_of(target: Mapping[str, Any]) -> dict[str, str]:
    """A target as a wish names it."""
    return {"course": target["course"], "module": target["module"]}
