"""What results are worth: rule versions, outcomes and their pins, the highest level counted once."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise

from chassis.errors import Ground
from contracts.terms import (
    KIND_WORDS,
    LEVEL_NAMES,
    LEVEL_OUTSIDE_KIND,
    OutcomeKind,
    Verdict,
    kind_of,
    level_of_kind,
    rank_of,
)
from services.creditbank.ledger.domain import CertificateState, Reason, Settlement, Worth

SCHEME_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
SCHEME_MALFORMED = Ground(
    "scheme_malformed",
    en="'{scheme}' can't be a scheme's code: write small letters, digits and hyphens, 64 at most; before another "
    "kind's code its kind and a dot, like licence.electrician.",
    zh="“{scheme}”不能作为证书代码：请使用小写字母、数字和连字符，最多 64 个字符；其他类别的成果在代码前加类别和点，如 "
    "licence.electrician。",
)
NOT_DECIDED = Ground(
    "rule_not_decided",
    en="Only a folklore default is published at once. Propose the rule: it is simulated, then approved by two people.",
    zh="仅民间默认值可直接发布。请提交规则议案，经模拟测算并由两人审批后发布。",
)
ALREADY_DECIDED = Ground(
    "rule_already_decided",
    en="Version {version} of this rule was decided. A default no longer takes its place: propose a new version.",
    zh="该规则第 {version} 版已经正式审定，不能再以默认值代替，请提交新版本议案。",
    status=409,
)
WITHOUT_END = Ground(
    "rule_without_end",
    en="The rule says no last day of sessions. Fill in sessions_until.",
    zh="规则缺少考试日期的截止日，请填写 sessions_until。",
)
WITHOUT_POLICY = Ground(
    "rule_without_policy",
    en="The rule rests on no policy document. Fill in the document's code, title and number or address.",
    zh="规则未注明所依据的政策文件，请填写文件代码、标题，以及文号或网址。",
)
ENDS_BEFORE = Ground(
    "rule_ends_before_it_begins",
    en="The rule's last day {until} lies before its first, {sessions_from}. Correct one of them.",
    zh="规则截止日 {until} 早于起始日 {sessions_from}，请更正。",
)
OVERLAPS = Ground(
    "rule_overlaps",
    en="Version {version} already holds for sessions from {sessions_from} to {until}. Choose other days, or name it in "
    "supersedes.",
    zh="第 {version} 版已适用于 {sessions_from} 至 {until} 的考试，请另选日期，或在 supersedes 中注明取代该版本。",
    status=409,
)
LEAVES_GAP = Ground(
    "rule_leaves_gap",
    en="Nothing would say what sessions from {first} to {last} are worth. Cover these days, if with 0.",
    zh="{first} 至 {last} 的考试将无规则可依。请一并覆盖这些日期，不计学分时填 0。",
    status=409,
)
VERSION_UNKNOWN = Ground(
    "rule_version_unknown",
    en="The rule {scheme}/{level} has no version {version}. Look at its versions.",
    zh="规则 {scheme}/{level} 没有第 {version} 版，请查看其各版本。",
)
RETIRED_OUTSIDE = Ground(
    "retired_outside",
    en="Version {version} holds for sessions from {sessions_from} to {until}. Retire it from one of these days on.",
    zh="第 {version} 版适用于 {sessions_from} 至 {until}，请在此期间内选择停用日。",
)
OUTCOME = "outcome"  # what waits: an outcome for its rule, or for its learner's account
RULE = "rule:"  # what the names of such rules begin with
A_DAY = timedelta(days=1)


class OutcomeState(StrEnum):
    AWAITED = "awaited"  # its certificate came before the result itself
    PUBLICISED = "publicised"
    FINAL = "final"
    ANNULLED = "annulled"
    REVOCATION = "revocation"  # no result: a certificate's revocation, which names none


@dataclass(frozen=True, slots=True)
class Policy:
    """The document that a decided rule rests on: its code here, and how people find it."""

    code: str = ""
    title: str = ""
    number: str = ""
    url: str = ""


NO_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """What a scheme's level is worth for sessions of some days, the first and the last included.

    Folklore defaults have no end and may lie over each other: of two the later one holds. `retired_from`: for sessions
    from that day on it holds no more; nothing else of a version ever changes.
    """

    version: int
    credit_points: int
    sessions_from: date
    note: str = ""
    is_folklore_default: bool = False
    sessions_until: date | None = None
    policy: Policy = NO_POLICY
    retired_from: date | None = None

    def says(self, other: RuleVersion) -> bool:
        """Whether it says the same as another, apart from its number."""
        return replace(self, version=other.version) == other

    @property
    def last_day(self) -> date:
        """The last day of sessions that it holds for; before its first if it holds for none."""
        until = self.sessions_until or date.max
        return min(until, self.retired_from - A_DAY) if self.retired_from else until

    def holds_on(self, session_date: date) -> bool:
        return self.sessions_from <= session_date <= self.last_day

    def meets(self, other: RuleVersion) -> bool:
        """Whether there is a day for which both hold."""
        first, last = max(self.sessions_from, other.sessions_from), min(self.last_day, other.last_day)
        return first <= last


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was said of a certificate's number when it came on record, or was revoked; empty what was not said.

    Of a number that came on record before the bank kept this, nothing is known but the number itself.
    """

    number: str
    teo: str = ""
    issued_on: date | None = None
    reason: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result as the bank knows it: its latest revision, and the rule version it was pinned to when first recognised.

    `cause` and `what` are the event that made it so. `certificate_numbers`: every one issued for it, or revoked by it
    where it is a revocation; `certificates`: what was said of them. `is_waiting`: not on the account yet, for want of
    a fact. `rerated`: the number of the rerate that moved its pin last.
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
    rerated: int = 0
    certificates: frozenset[Certificate] = frozenset()

    @property
    def key(self) -> tuple[str, str]:
        return self.learner_id, self.result_id

    @property
    def rank(self) -> int:
        """How high its level stands: of licences 1 is the highest."""
        return rank_of(self.scheme, self.level)

    @property
    def is_pass(self) -> bool:
        """Whether it may earn anything."""
        return self.verdict == Verdict.PASSED and self.state in {OutcomeState.PUBLICISED, OutcomeState.FINAL}

    @property
    def counts(self) -> bool:
        return self.is_pass and self.rule_version > 0 and not self.is_waiting


@dataclass(frozen=True, slots=True)
class CertificateMark:
    """A certificate was put on record or revoked, for a `reason`. A revocation names no result."""

    learner_id: str
    scheme: str
    level: int
    certificate_number: str
    cause: str
    what: str
    result_id: str = ""
    is_revoked: bool = False
    teo: str = ""
    issued_on: date | None = None
    reason: str = ""

    @property
    def certificate(self) -> Certificate:
        """What it says of its number."""
        return Certificate(self.certificate_number, self.teo, self.issued_on, self.reason, self.cause)


Known = dict[tuple[str, str], dict[str, Outcome]]  # by (learner, scheme), then by result
Rulebook = Mapping[tuple[str, int], Sequence[RuleVersion]]  # by (scheme, level)
Targets = Mapping[tuple[str, int], int]  # by (scheme, level), the version that a rerate moves pins to


@dataclass(slots=True)
class Review:
    """What a review of outcomes came to: what changed, what to settle, and what lacks a rule."""

    changed: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    settlements: list[Settlement] = field(default_factory=list)
    lacking: list[Outcome] = field(default_factory=list)


def chosen(versions: Iterable[RuleVersion], session_date: date) -> RuleVersion | None:
    """The rule version that holds for a session."""
    holding = [one for one in versions if one.holds_on(session_date)]
    return max(holding, key=lambda one: (one.sessions_from, one.version), default=None)


def superseding(versions: Sequence[RuleVersion], proposed: RuleVersion) -> RuleVersion | None:
    """A proposed default as the next version; None when it already holds for its date, word for word.

    Refusal when it is none, or when the rule was decided meanwhile.
    """
    if not proposed.is_folklore_default:
        raise NOT_DECIDED()
    defaults = [one for one in versions if one.is_folklore_default and one.sessions_from == proposed.sessions_from]
    latest = max(defaults, key=lambda one: one.version, default=None)
    if latest and replace(latest, retired_from=None).says(proposed):
        return None
    if standing := [one.version for one in versions if not one.is_folklore_default]:
        raise ALREADY_DECIDED(version=max(standing))
    return replace(proposed, version=next_version(versions))


def next_version(versions: Iterable[RuleVersion]) -> int:
    """The number of a rule's next version."""
    return max((one.version for one in versions), default=0) + 1


def decided(versions: Sequence[RuleVersion], proposed: RuleVersion, supersedes: Collection[int]) -> list[RuleVersion]:
    """A rule's versions with a decided one more. From its first day on those retire that give way to it: defaults, and
    the versions it names. Refusal for another that it overlaps, for days left without a rule, without end or policy."""
    check_said(proposed)
    last = replace(proposed, version=next_version(versions))
    after = [*(_giving_way(one, last, supersedes) for one in versions), last]
    check_gaps(after)
    return after


def check_said(proposed: RuleVersion) -> None:
    """Refuse a rule that does not say until when, or on which document's strength."""
    policy = proposed.policy
    if proposed.sessions_until is None:
        raise WITHOUT_END()
    if proposed.sessions_until < proposed.sessions_from:
        raise ENDS_BEFORE(until=proposed.sessions_until, sessions_from=proposed.sessions_from)
    if not policy.code or not policy.title or not (policy.number or policy.url):
        raise WITHOUT_POLICY()


def _giving_way(one: RuleVersion, last: RuleVersion, supersedes: Collection[int]) -> RuleVersion:
    if not one.meets(last):
        return one
    if not one.is_folklore_default and one.version not in supersedes:
        raise OVERLAPS(version=one.version, sessions_from=one.sessions_from, until=one.last_day)
    if not one.is_folklore_default and one.last_day > last.last_day:
        raise LEAVES_GAP(first=last.last_day + A_DAY, last=one.last_day)
    return replace(one, retired_from=max(last.sessions_from, one.sessions_from))


def check_gaps(versions: Iterable[RuleVersion]) -> None:
    """Refuse days between two versions for which none holds."""
    periods = sorted((one.sessions_from, one.last_day) for one in versions if one.last_day >= one.sessions_from)
    reach = [max(last for _, last in periods[: place + 1]) for place in range(len(periods))]
    for covered, (_, (first, _)) in zip(reach, pairwise(periods), strict=False):
        if covered < date.max and first > covered + A_DAY:
            raise LEAVES_GAP(first=covered + A_DAY, last=first - A_DAY)


def retired(versions: Sequence[RuleVersion], version: int, retired_from: date) -> list[RuleVersion]:
    """A rule's versions, one of them retired for sessions from a day on. Refusal when it does not hold then, or when
    others that follow it would leave days between without a rule."""
    one = next((one for one in versions if one.version == version), None)
    if one is None or not one.holds_on(retired_from):
        first, last = (one.sessions_from, one.last_day) if one else (date.min, date.min)
        raise RETIRED_OUTSIDE(version=version, sessions_from=first, until=last)
    after = [replace(one, retired_from=retired_from) if one.version == version else one for one in versions]
    check_gaps(after)
    return after


def worth(outcomes: Iterable[Outcome]) -> Worth:
    """What a learner's outcomes from one scheme are worth: the highest level counts, once.

    What is final is available; what publicity may still add to it is provisional.
    """
    passes = [one for one in outcomes if one.counts]
    available = _highest(one for one in passes if one.state == OutcomeState.FINAL)
    return Worth(provisional=max(_highest(passes) - available, 0), available=available)


def _highest(passes: Iterable[Outcome]) -> int:
    return max(((one.rank, one.credit_points) for one in passes), default=(0, 0))[1]


def counted_level(outcomes: Iterable[Outcome]) -> int:
    """The level a holding stands at: the highest final one, or during a first publicity the highest publicised."""
    passes = [(one.state == OutcomeState.FINAL, one.rank, one.level) for one in outcomes if one.counts]
    return max(passes, default=(False, 0, 0))[2]


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
    """The arriving outcome with what stays with a result through its revisions: its pin and its certificates.

    An outcome that is no X certificate may be put right in its level and day, and is then pinned anew.
    """
    if known is None or _is_put_right(known, arriving):
        return arriving
    return replace(
        arriving,
        rule_version=known.rule_version,
        credit_points=known.credit_points,
        certificate_numbers=known.certificate_numbers,
        certificates=known.certificates,
        rerated=known.rerated,
    )


def _is_put_right(known: Outcome, arriving: Outcome) -> bool:
    if kind_of(arriving.scheme) is OutcomeKind.CERTIFICATE:
        return False
    return (known.level, known.session_date) != (arriving.level, arriving.session_date)


def pinned(outcome: Outcome, rules: Rulebook) -> Outcome:
    """Pin a pass to the rule version of its session, once; it waits when there is none."""
    if not outcome.is_pass or outcome.rule_version:
        return outcome
    rule = chosen(rules.get((outcome.scheme, outcome.level), ()), outcome.session_date)
    if rule is None:
        return replace(outcome, is_waiting=True)
    return replace(outcome, rule_version=rule.version, credit_points=rule.credit_points)


def moved(outcome: Outcome, rules: Rulebook, targets: Targets, rerate: int) -> Outcome | None:
    """An outcome pinned to the version a rerate moves its level to; None when it stays where it is.

    A version takes only what it holds for: a rerate gives what settling anew would give, and again changes nothing.
    """
    version = targets.get((outcome.scheme, outcome.level))
    if not outcome.rule_version or version in (None, outcome.rule_version):
        return None
    rule = chosen(rules.get((outcome.scheme, outcome.level), ()), outcome.session_date)
    if rule is None or rule.version != version:
        return None
    return replace(outcome, rule_version=rule.version, credit_points=rule.credit_points, rerated=rerate)


def rerated(known: Known, rules: Rulebook, targets: Targets, rerate: int, what: str) -> Review:
    """Move the pins of these learners' outcomes; what moves is settled, and entered where it changes points."""
    found = Review()
    for before in [one for of_scheme in known.values() for one in sorted(of_scheme.values(), key=lambda one: one.key)]:
        after = moved(before, rules, targets, rerate)
        if after is None:
            continue
        of_scheme = known[after.learner_id, after.scheme]
        of_scheme[after.result_id] = found.changed[after.key] = after
        if not after.is_waiting:
            found.settlements.append(_after_rerate(after, of_scheme.values(), what))
    return found


def _after_rerate(outcome: Outcome, of_scheme: Collection[Outcome], what: str) -> Settlement:
    cause = f"rerate:{outcome.rerated}:{outcome.result_id}"
    version = outcome.rule_version
    reason = Reason(cause, what, outcome.scheme, outcome.level, outcome.result_id, rule_version=version)
    return replace(_standing(outcome.learner_id, reason, of_scheme), is_remark=True)


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
        settlement = settlement_of(outcome, of_scheme.values())
        if not outcome.is_waiting:
            found.settlements.append(settlement)
            continue
        found.lacking.append(outcome)
        if before and before.counts:  # what it was worth until now is taken back
            found.settlements.append(replace(settlement, is_remark=True))
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
    numbers = known.certificate_numbers | {mark.certificate_number}
    return replace(known, certificate_numbers=numbers, certificates=said_of(known.certificates, [mark.certificate]))


def said_of(known: Iterable[Certificate], later: Iterable[Certificate]) -> frozenset[Certificate]:
    """What is known of numbers after more was said of them: the later word counts, where it says anything."""
    found: dict[str, Certificate] = {}
    for one in (*known, *later):
        before = found.get(one.number, one)
        found[one.number] = Certificate(
            number=one.number,
            teo=one.teo or before.teo,
            issued_on=one.issued_on or before.issued_on,
            reason=one.reason or before.reason,
            cause=before.cause or one.cause,
        )
    return frozenset(found.values())


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


def restated(
    learner_id: str, scheme: str, cause: str, what: str, of_scheme: Collection[Outcome], level: int = 0
) -> Settlement:
    """What a learner has earned from a scheme by all outcomes; worth an entry only where something else is shown.

    `level`: which one to name where no outcome counts.
    """
    top = counted_level(of_scheme) or level or max((one.level for one in of_scheme), default=1)
    return replace(_standing(learner_id, Reason(cause, what, scheme, top), of_scheme), is_remark=True)


def handed_over(survivor_id: str, cause: str, what: str, known: Known) -> list[Settlement]:
    """What the survivor of two learners has earned from each scheme, all outcomes together."""
    settlements = []
    for (_, scheme), of_scheme in sorted(known.items()):
        outcomes = of_scheme.values()
        level = counted_level(outcomes) or max((one.rank, one.level) for one in outcomes)[1]
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

    Versions that were chosen for one session only grow, so the lower one was pinned earlier; but the pin that a later
    rerate moved goes before.
    """
    if one is None:
        return other
    older, newer = sorted((one, other), key=lambda copy: copy.revision)
    pin = min((older, newer), key=lambda copy: (-copy.rerated, copy.rule_version or math.inf))
    return replace(
        older if newer.is_waiting and not older.is_waiting else newer,
        rule_version=pin.rule_version,
        credit_points=pin.credit_points,
        rerated=pin.rerated,
        certificate_numbers=older.certificate_numbers | newer.certificate_numbers,
        certificates=said_of(older.certificates, newer.certificates),
    )


def scheme_of(code: str) -> str:
    """A scheme's code, or another source's `<kind>.<code>`, as it may stand in addresses."""
    kind, dot, rest = code.partition(".")
    of_kind = kind in set(OutcomeKind) - {OutcomeKind.CERTIFICATE} if dot else True
    if not of_kind or not SCHEME_CODE.fullmatch(rest if dot else code):
        raise SCHEME_MALFORMED(scheme=code)
    return code


def level_in(scheme: str, text: str) -> int:
    """A level as people write it for a scheme or other source, read by the words of its kind."""
    return level_of_kind(text, kind_of(scheme_of(scheme)))


def check_level(scheme: str, level: int) -> None:
    """Refuse a level that the kind of a scheme or other source does not have."""
    kind = kind_of(scheme_of(scheme))
    if level not in LEVEL_NAMES[kind]:
        zh, en = KIND_WORDS[kind]
        raise LEVEL_OUTSIDE_KIND(text=level, kind_zh=zh, kind_en=en)


def rule_fact(scheme: str, level: int) -> str:
    """The name of the fact a pass without a rule waits for, and of the strand its publisher writes."""
    return f"{RULE}{scheme}:{int(level)}"


def account_fact(learner_id: str) -> str:
    """The name of the fact an outcome waits for when its learner has no account."""
    return f"account:{learner_id}"
