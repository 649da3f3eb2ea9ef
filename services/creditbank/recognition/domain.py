"""What results are worth: rule versions, outcomes and their pins, the highest level counted once."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from chassis.errors import Ground
from contracts.terms import Verdict
from services.creditbank.ledger.domain import CertificateState, Reason, Settlement, Worth

SCHEME_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
SCHEME_MALFORMED = Ground(
    "scheme_malformed",
    en="'{scheme}' can't be a scheme's code: write small letters, digits and hyphens, 64 at most.",
    zh="“{scheme}”不能作为证书代码：请使用小写字母、数字和连字符，最多 64 个字符。",
)


class OutcomeState(StrEnum):
    AWAITED = "awaited"  # its certificate came before the result itself
    PUBLICISED = "publicised"
    FINAL = "final"
    ANNULLED = "annulled"
    REVOCATION = "revocation"  # no result: a certificate's revocation, which names none


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """What a scheme's level is worth for sessions from a date on. Of two with one date the later version holds."""

    version: int
    credit_points: int
    sessions_from: date
    note: str = ""
    is_folklore_default: bool = False

    def says(self, other: RuleVersion) -> bool:
        """Whether it says the same as another, apart from its number."""
        return replace(self, version=other.version) == other


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result as the bank knows it: its latest revision, and the rule version it was pinned to when first recognised.

    `cause` and `what` are the event that made it so. `certificate_numbers`: every one issued for it, or revoked by it
    where it is a revocation. `is_waiting`: not on the account yet, for want of a fact.
    """

    learner_id: str
    result_id: str
    scheme: str
    level: int
    revision: int
    state: OutcomeState
    verdict: Verdict
    session_date: date
    cause: str
    what: str
    rule_version: int = 0
    credit_points: int = 0
    certificate_numbers: frozenset[str] = frozenset()
    is_waiting: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.learner_id, self.result_id

    @property
    def is_pass(self) -> bool:
        """Whether it may earn anything."""
        return self.verdict == Verdict.PASSED and self.state in {OutcomeState.PUBLICISED, OutcomeState.FINAL}

    @property
    def counts(self) -> bool:
        return self.is_pass and self.rule_version > 0 and not self.is_waiting


@dataclass(frozen=True, slots=True)
class CertificateMark:
    """A certificate was put on record or revoked. A revocation names no result."""

    learner_id: str
    scheme: str
    level: int
    certificate_number: str
    cause: str
    what: str
    result_id: str = ""
    is_revoked: bool = False


Known = dict[tuple[str, str], dict[str, Outcome]]  # by (learner, scheme), then by result
Rulebook = Mapping[tuple[str, int], Sequence[RuleVersion]]  # by (scheme, level)


@dataclass(slots=True)
class Review:
    """What a review of outcomes came to: what changed, what to settle, and what lacks a rule."""

    changed: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    settlements: list[Settlement] = field(default_factory=list)
    lacking: list[Outcome] = field(default_factory=list)


def chosen(versions: Iterable[RuleVersion], session_date: date) -> RuleVersion | None:
    """The rule version that holds for a session."""
    holding = [one for one in versions if one.sessions_from <= session_date]
    return max(holding, key=lambda one: (one.sessions_from, one.version), default=None)


def superseding(versions: Sequence[RuleVersion], proposed: RuleVersion) -> RuleVersion | None:
    """The proposed rule as the next version; None when it already holds for its date, word for word."""
    same_date = [one for one in versions if one.sessions_from == proposed.sessions_from]
    latest = max(same_date, key=lambda one: one.version, default=None)
    if latest and latest.says(proposed):
        return None
    return replace(proposed, version=max((one.version for one in versions), default=0) + 1)


def worth(outcomes: Iterable[Outcome]) -> Worth:
    """What a learner's outcomes from one scheme are worth: the highest level counts, once.

    What is final is available; what publicity may still add to it is provisional.
    """
    passes = [one for one in outcomes if one.counts]
    available = _highest(one for one in passes if one.state == OutcomeState.FINAL)
    return Worth(provisional=max(_highest(passes) - available, 0), available=available)


def _highest(passes: Iterable[Outcome]) -> int:
    return max(((one.level, one.credit_points) for one in passes), default=(0, 0))[1]


def counted_level(outcomes: Iterable[Outcome]) -> int:
    """The level a holding stands at: the highest final one, or during a first publicity the highest publicised."""
    passes = [(one.state == OutcomeState.FINAL, one.level) for one in outcomes if one.counts]
    return max(passes, default=(False, 0))[1]


def certificate_state(outcomes: Collection[Outcome]) -> CertificateState:
    """Whether the certificate of what is final and counts is on record, or was revoked."""
    final = [one for one in outcomes if one.counts and one.state == OutcomeState.FINAL]
    top = max((one.level for one in final), default=0)
    numbers = _numbers(one for one in final if one.level == top)
    if not numbers:
        return CertificateState.NONE
    revoked = _numbers(one for one in outcomes if one.state == OutcomeState.REVOCATION)
    return CertificateState.REVOKED if numbers <= revoked else CertificateState.RECORDED


def _numbers(outcomes: Iterable[Outcome]) -> set[str]:
    return {number for one in outcomes for number in one.certificate_numbers}


def is_news(known: Outcome | None, arriving: Outcome) -> bool:
    """An older revision that arrives late changes nothing; what still waits may be tried again."""
    if known is None:
        return True
    return arriving.revision > known.revision or (known.is_waiting and arriving.revision == known.revision)


def follows(known: Outcome | None, arriving: Outcome) -> Outcome:
    """The arriving outcome with what stays with a result through its revisions: its pin and its certificates."""
    if known is None:
        return arriving
    return replace(
        arriving,
        rule_version=known.rule_version,
        credit_points=known.credit_points,
        certificate_numbers=known.certificate_numbers,
    )


def pinned(outcome: Outcome, rules: Rulebook) -> Outcome:
    """Pin a pass to the rule version of its session, once; it waits when there is none."""
    if not outcome.is_pass or outcome.rule_version:
        return outcome
    rule = chosen(rules.get((outcome.scheme, outcome.level), ()), outcome.session_date)
    if rule is None:
        return replace(outcome, is_waiting=True)
    return replace(outcome, rule_version=rule.version, credit_points=rule.credit_points)


def review(known: Known, arriving: Iterable[Outcome], rules: Rulebook) -> Review:
    """Take in outcomes one after the other; each that is news is settled, or lacks a rule. `known` moves along."""
    found = Review()
    for late in arriving:
        of_scheme = known.setdefault((late.learner_id, late.scheme), {})
        before = of_scheme.get(late.result_id)
        if not is_news(before, late):
            continue
        outcome = pinned(follows(before, replace(late, is_waiting=False) if late.is_waiting else late), rules)
        of_scheme[outcome.result_id] = found.changed[outcome.key] = outcome
        if outcome.is_waiting:
            found.lacking.append(outcome)
        else:
            found.settlements.append(settlement_of(outcome, of_scheme.values()))
    return found


def review_marks(known: Known, marks: Iterable[CertificateMark]) -> Review:
    """Note that certificates were issued or revoked, and settle what counts by them, whichever came first."""
    found = Review()
    for mark in marks:
        of_scheme = known.setdefault((mark.learner_id, mark.scheme), {})
        noted = _noted(of_scheme, mark)
        of_scheme[noted.result_id] = found.changed[noted.key] = noted
        numbered = [one for one in of_scheme.values() if mark.certificate_number in one.certificate_numbers]
        found.settlements += [remark_of(one, mark, of_scheme.values()) for one in numbered if one.counts]
    return found


def _noted(of_scheme: Mapping[str, Outcome], mark: CertificateMark) -> Outcome:
    """The result that a certificate was issued for, or its revocation, with its number."""
    result_id = mark.result_id or f"revocation:{mark.scheme}:{mark.certificate_number}"
    known = of_scheme.get(result_id) or _stand_in(result_id, mark)
    return replace(known, certificate_numbers=known.certificate_numbers | {mark.certificate_number})


def _stand_in(result_id: str, mark: CertificateMark) -> Outcome:
    return Outcome(
        learner_id=mark.learner_id,
        result_id=result_id,
        scheme=mark.scheme,
        level=mark.level,
        revision=0,
        state=OutcomeState.REVOCATION if mark.is_revoked else OutcomeState.AWAITED,
        verdict=Verdict.ABSENT,
        session_date=date.min,
        cause=mark.cause,
        what=mark.what,
    )


def settlement_of(outcome: Outcome, of_scheme: Collection[Outcome]) -> Settlement:
    """What the ledger has to show after an outcome."""
    reason = Reason(
        cause=outcome.cause,
        what=outcome.what,
        scheme=outcome.scheme,
        level=outcome.level,
        result_id=outcome.result_id,
        revision=outcome.revision,
        rule_version=outcome.rule_version,
    )
    return _standing(outcome.learner_id, reason, of_scheme)


def remark_of(outcome: Outcome, mark: CertificateMark, of_scheme: Collection[Outcome]) -> Settlement:
    """The same after a certificate, which is worth an entry only if it changes something."""
    reason = Reason(mark.cause, mark.what, mark.scheme, mark.level, outcome.result_id)
    return replace(_standing(mark.learner_id, reason, of_scheme), is_remark=True)


def handed_over(survivor_id: str, cause: str, what: str, known: Known) -> list[Settlement]:
    """What the survivor of two learners has earned from each scheme, all outcomes together."""
    settlements = []
    for (_, scheme), of_scheme in sorted(known.items()):
        outcomes = of_scheme.values()
        level = counted_level(outcomes) or max(one.level for one in outcomes)
        settlement = _standing(survivor_id, Reason(cause, what, scheme, level), outcomes)
        settlements.append(replace(settlement, is_remark=True))
    return settlements


def _standing(learner_id: str, reason: Reason, of_scheme: Collection[Outcome]) -> Settlement:
    return Settlement(
        learner_id=learner_id,
        reason=reason,
        earned=worth(of_scheme),
        level=counted_level(of_scheme),
        certificate=certificate_state(of_scheme),
    )


def united(one: Outcome | None, other: Outcome) -> Outcome:
    """Of two copies of one result the newer, unless it alone waits; with the earlier pin and the certificates of both.

    Versions that were chosen for one session only grow, so the lower one was pinned earlier.
    """
    if one is None:
        return other
    older, newer = sorted((one, other), key=lambda copy: copy.revision)
    pin = min((older, newer), key=lambda copy: copy.rule_version or math.inf)
    return replace(
        older if newer.is_waiting and not older.is_waiting else newer,
        rule_version=pin.rule_version,
        credit_points=pin.credit_points,
        certificate_numbers=older.certificate_numbers | newer.certificate_numbers,
    )


def scheme_of(code: str) -> str:
    """A scheme's code, as it may stand in addresses."""
    if not SCHEME_CODE.fullmatch(code):
        raise SCHEME_MALFORMED(scheme=code)
    return code


def rule_fact(scheme: str, level: int) -> str:
    """The name of the fact a pass without a rule waits for, and of the strand its publisher writes."""
    return f"rule:{scheme}:{int(level)}"


def account_fact(learner_id: str) -> str:
    """The name of the fact an outcome waits for when its learner has no account."""
    return f"account:{learner_id}"
