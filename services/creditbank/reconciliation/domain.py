"""What does not agree between a report, what assessment announced and the ledger; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum

from services.creditbank.conversion.domain import SchemeLevels
from services.creditbank.ledger.domain import Account, Holding
from services.creditbank.recognition.domain import (
    Certificate,
    Known,
    Outcome,
    OutcomeState,
    Rulebook,
    certificate_state,
    chosen,
    counted_level,
    worth,
)

UNNUMBERED_AFTER = timedelta(days=90)  # how long a pass may wait for its number where no report says otherwise


class Kind(StrEnum):
    """What may be wrong. The first are found in a report's row, then those of what stands here, then the ledger's."""

    NUMBER_TWICE = "number_twice"
    SCHEME_UNKNOWN = "scheme_unknown"
    SCHEME_OF_ANOTHER = "scheme_of_another"
    LEVEL_NOT_OFFERED = "level_not_offered"
    HOLDER_UNKNOWN = "holder_unknown"
    HOLDER_MISMATCH = "holder_mismatch"
    SCHEME_MISMATCH = "scheme_mismatch"
    LEVEL_MISMATCH = "level_mismatch"
    NUMBER_NOT_RECORDED = "number_not_recorded"
    NUMBER_DIFFERS = "number_differs"
    NUMBER_WITHOUT_PASS = "number_without_pass"  # noqa: S105 -- no password
    PASS_NOT_FINAL = "pass_not_final"  # noqa: S105 -- no password
    PASS_ANNULLED = "pass_annulled"  # noqa: S105 -- no password
    ISSUE_DATE_UNKNOWN = "issue_date_unknown"
    ISSUE_DATE_MISMATCH = "issue_date_mismatch"
    REVOKED_AT_TEO = "revoked_at_teo"
    REVOKED_HERE = "revoked_here"

    MISSING_FROM_REPORT = "missing_from_report"
    PASS_WITHOUT_NUMBER = "pass_without_number"  # noqa: S105 -- no password
    NUMBER_AWAITS_RESULT = "number_awaits_result"
    NUMBER_HERE_TWICE = "number_here_twice"

    SETTLEMENT_OVERDUE = "settlement_overdue"
    ACCOUNT_MISSING = "account_missing"
    POINTS_WRONG = "points_wrong"
    LEVEL_SHOWN_WRONG = "level_shown_wrong"
    CERTIFICATE_SHOWN_WRONG = "certificate_shown_wrong"
    POINTS_WITHOUT_RESULT = "points_without_result"


@dataclass(frozen=True, slots=True)
class ReportRow:
    """What one row of a TEO's report says. `learner_id` is empty where nobody has the document of the row.

    `scheme`: the code, or the words written where they name no scheme known here.
    """

    report: int
    row: int
    teo: str
    scheme: str
    level: int
    certificate_number: str
    issued_on: date
    learner_id: str = ""
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """A certificate as it stands here: the result it belongs to, and what was said of its number."""

    outcome: Outcome
    said: Certificate
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not agree. `row`: of the report, or 0. `here`, `there`: what the two sides say."""

    kind: Kind
    teo: str
    scheme: str
    level: int = 0
    certificate_number: str = ""
    learner_id: str = ""
    result_id: str = ""
    row: int = 0
    issued_on: date | None = None
    here: str = ""
    there: str = ""

    @property
    def fingerprint(self) -> str:
        """The same for the same thing found again, whichever row says it."""
        return "|".join((self.kind, self.teo, self.scheme, self.certificate_number, self.learner_id, self.result_id))


@dataclass(frozen=True)
class Scope:
    """What a report speaks for: its organisation's certificates of some schemes, issued within some days.

    One that is not whole, since rows of it were refused, says nothing of what it does not name.
    """

    report: int
    teo: str
    schemes: frozenset[str]
    issued_from: date
    issued_until: date
    is_whole: bool = True

    def covers(self, scheme: str, issued_on: date | None, session_date: date) -> bool:
        """Whether a certificate ought to be in the report; one without a date by the session of its pass."""
        if scheme not in self.schemes or not self.is_whole:
            return False
        if issued_on is None:
            return session_date <= self.issued_until
        return self.issued_from <= issued_on <= self.issued_until


@dataclass(frozen=True)
class Books:
    """What is on record that bears on what is compared.

    `numbered`: the outcomes that bear numbers, revocations too. `first_rows`: by number, the report's first row of it.
    `reported`: numbers, and (learner, scheme, level), that the report names, where one is compared with.
    """

    schemes: Mapping[str, SchemeLevels]
    known: Known
    numbered: Sequence[Outcome] = ()
    first_rows: Mapping[str, int] = field(default_factory=dict)
    reported_numbers: Collection[str] = ()
    reported_passes: Collection[tuple[str, str, int]] = ()
    rules: Rulebook = field(default_factory=dict)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    numbered_schemes: Collection[str] = ()
    today: date = date.max

    def teo_of(self, outcome: Outcome, said: Certificate) -> str:
        """Whose a certificate is: as it was said, or its scheme's organisation."""
        scheme = self.schemes.get(outcome.scheme)
        return said.teo or (scheme.teo if scheme else "")

    def standing(self, teo: str, number: str) -> list[Standing]:
        """The certificates of this number that an organisation has on record here."""
        found = [(one, said_of(one, number)) for one in self.numbered if number in one.certificate_numbers]
        own = [(one, said) for one, said in found if self.teo_of(one, said) in {teo, ""}]
        revoked = {one.learner_id for one, _ in own if one.state == OutcomeState.REVOCATION}
        return [
            Standing(one, said, is_revoked=one.learner_id in revoked)
            for one, said in own
            if one.state != OutcomeState.REVOCATION
        ]


def said_of(outcome: Outcome, number: str) -> Certificate:
    """What was said of a number; nothing but the number itself of those on record before that was kept."""
    return next((one for one in outcome.certificates if one.number == number), Certificate(number))


# --- a row of a report ------------------------------------------------------------------------------------------------
def compare_row(row: ReportRow, books: Books) -> Iterator[Finding]:
    """What of a report's row does not agree with what stands here."""
    if kind := _misreported(row, books):
        yield _of_row(row, kind, there=str(books.first_rows.get(row.certificate_number, "")))
        return
    standing = books.standing(row.teo, row.certificate_number)
    if standing:
        own = (one for one in standing if one.outcome.learner_id == row.learner_id)
        yield from _against(row, next(own, standing[0]))
    elif not row.is_revoked:
        yield _unrecorded(row, books.known.get((row.learner_id, row.scheme), {}).values())


def _misreported(row: ReportRow, books: Books) -> Kind | None:
    """What is wrong with a row by itself."""
    scheme = books.schemes.get(row.scheme)
    if books.first_rows.get(row.certificate_number, row.row) != row.row:
        return Kind.NUMBER_TWICE
    if scheme is None:
        return Kind.SCHEME_UNKNOWN
    if scheme.teo and scheme.teo != row.teo:
        return Kind.SCHEME_OF_ANOTHER
    return None if row.level in scheme.levels else Kind.LEVEL_NOT_OFFERED


def _of_row(row: ReportRow, kind: Kind, here: str = "", there: str = "", result_id: str = "") -> Finding:
    return Finding(
        kind,
        row.teo,
        row.scheme,
        row.level,
        row.certificate_number,
        row.learner_id,
        result_id,
        row.row,
        row.issued_on,
        here,
        there,
    )


def _against(row: ReportRow, one: Standing) -> Iterator[Finding]:
    """What of a row does not agree with the certificate that has its number here."""
    outcome = one.outcome
    if row.is_revoked or one.is_revoked:
        if row.is_revoked != one.is_revoked:
            kind = Kind.REVOKED_AT_TEO if row.is_revoked else Kind.REVOKED_HERE
            yield _of_row(row, kind, here=one.said.reason, result_id=outcome.result_id)
        return
    for kind, here, there in _unlike(row, one):
        yield _of_row(row, kind, here, there, outcome.result_id)
    if (lacking := _no_final_pass([outcome])) and outcome.learner_id == row.learner_id:
        yield _of_row(row, lacking, result_id=outcome.result_id)


def _unlike(row: ReportRow, one: Standing) -> Iterator[tuple[Kind, str, str]]:
    """In which values a row and the certificate here differ: the kind, what stands here, what stands there."""
    outcome = one.outcome
    if not row.learner_id:
        yield Kind.HOLDER_UNKNOWN, outcome.learner_id, ""
    elif row.learner_id != outcome.learner_id:
        yield Kind.HOLDER_MISMATCH, outcome.learner_id, row.learner_id
    if row.scheme != outcome.scheme:
        yield Kind.SCHEME_MISMATCH, outcome.scheme, row.scheme
    elif row.level != outcome.level:
        yield Kind.LEVEL_MISMATCH, str(outcome.level), str(row.level)
    if (row.learner_id, row.scheme) == (outcome.learner_id, outcome.scheme):
        yield from _unlike_dates(row, one)


def _unlike_dates(row: ReportRow, one: Standing) -> Iterator[tuple[Kind, str, str]]:
    """Whether a row and the certificate here, which is its learner's and of its scheme, differ in the date of issue.

    One that is unknown here can be noted once the pass is final.
    """
    issued_on = one.said.issued_on
    if issued_on is None and is_final_pass(one.outcome):
        yield Kind.ISSUE_DATE_UNKNOWN, "", row.issued_on.isoformat()
    elif issued_on not in {None, row.issued_on}:
        yield Kind.ISSUE_DATE_MISMATCH, str(issued_on), row.issued_on.isoformat()


def _unrecorded(row: ReportRow, outcomes: Collection[Outcome]) -> Finding:
    """Why the number of a row is not on record here, by what its holder has from the scheme."""
    if not row.learner_id:
        return _of_row(row, Kind.HOLDER_UNKNOWN)
    of_level = [one for one in outcomes if one.level == row.level and one.state != OutcomeState.REVOCATION]
    passed = next(iter(sorted(filter(is_final_pass, of_level), key=lambda one: one.session_date, reverse=True)), None)
    if passed is None:
        other = next((one for one in outcomes if is_final_pass(one)), None)
        if other and not of_level:
            return _of_row(row, Kind.LEVEL_MISMATCH, str(other.level), str(row.level), other.result_id)
        return _of_row(row, _no_final_pass(of_level) or Kind.NUMBER_WITHOUT_PASS)
    if standing := standing_numbers(passed, outcomes):
        return _of_row(row, Kind.NUMBER_DIFFERS, "、".join(standing), row.certificate_number, passed.result_id)
    return _of_row(row, Kind.NUMBER_NOT_RECORDED, result_id=passed.result_id)


def is_final_pass(outcome: Outcome) -> bool:
    """Whether a certificate may stand on it."""
    return outcome.is_pass and outcome.state == OutcomeState.FINAL


def _no_final_pass(outcomes: Sequence[Outcome]) -> Kind | None:
    """Why none of some outcomes of a level bears a certificate; None where one does."""
    if any(map(is_final_pass, outcomes)):
        return None
    if any(one.state == OutcomeState.AWAITED for one in outcomes):
        return Kind.NUMBER_AWAITS_RESULT
    if any(one.is_pass for one in outcomes):
        return Kind.PASS_NOT_FINAL
    states = {one.state for one in outcomes}
    return Kind.PASS_ANNULLED if OutcomeState.ANNULLED in states else Kind.NUMBER_WITHOUT_PASS


def standing_numbers(passed: Outcome, of_scheme: Iterable[Outcome]) -> list[str]:
    """The numbers of a pass that were not revoked."""
    revocations = (one for one in of_scheme if one.state == OutcomeState.REVOCATION)
    revoked = {number for one in revocations for number in one.certificate_numbers}
    return sorted(passed.certificate_numbers - revoked)


# --- what stands here -------------------------------------------------------------------------------------------------
def compare_holding(learner_id: str, scheme: str, books: Books, scope: Scope | None) -> Iterator[Finding]:
    """What of a learner's outcomes from a scheme does not agree with the report there is one of, or with the ledger."""
    outcomes = sorted(books.known[learner_id, scheme].values(), key=lambda one: one.result_id)
    for one in outcomes:
        if one.state != OutcomeState.REVOCATION:
            yield from _of_numbers(one, outcomes, books, scope)
            yield from _of_settlement(one, books)
    account = books.accounts.get(learner_id)
    if account:
        shown = account.holdings.get(scheme, Holding(learner_id, scheme))
        yield from _shown_wrong(outcomes, shown, _teo(scheme, books))


def _teo(scheme: str, books: Books) -> str:
    found = books.schemes.get(scheme)
    return found.teo if found else ""


def _of_outcome(kind: Kind, one: Outcome, teo: str, number: str = "", **more: str) -> Finding:
    issued_on = said_of(one, number).issued_on if number else None
    return Finding(kind, teo, one.scheme, one.level, number, one.learner_id, one.result_id, 0, issued_on, **more)


def _of_numbers(one: Outcome, outcomes: Sequence[Outcome], books: Books, scope: Scope | None) -> Iterator[Finding]:
    """What of the numbers of a result does not agree, or that it has none."""
    teo = _teo(one.scheme, books)
    for number in standing_numbers(one, outcomes):
        others = sorted(other.outcome.key for other in books.standing(teo, number) if other.outcome.key != one.key)
        if others and others[0] > one.key:
            yield _of_outcome(Kind.NUMBER_HERE_TWICE, one, teo, number, there=others[0][1])
        if number not in books.reported_numbers and one.state == OutcomeState.AWAITED:
            yield _of_outcome(Kind.NUMBER_AWAITS_RESULT, one, teo, number)
        elif scope and _is_missing(one, number, outcomes, books, scope):
            yield _of_outcome(Kind.MISSING_FROM_REPORT, one, teo, number)
    if is_final_pass(one) and not one.certificate_numbers and _wants_number(one, outcomes, books, scope):
        yield _of_outcome(Kind.PASS_WITHOUT_NUMBER, one, teo)


def _is_missing(one: Outcome, number: str, outcomes: Sequence[Outcome], books: Books, scope: Scope) -> bool:
    """Whether the report ought to name a number and does not; if it names another for the pass, that was found."""
    if number in books.reported_numbers or not is_final_pass(one) or _is_reported(one, outcomes, books):
        return False
    return scope.covers(one.scheme, said_of(one, number).issued_on, one.session_date)


def _is_reported(one: Outcome, outcomes: Sequence[Outcome], books: Books) -> bool:
    """Whether the report has a row about a pass: of its level, or of one that its learner has no result of."""
    levels = {level for who, scheme, level in books.reported_passes if (who, scheme) == (one.learner_id, one.scheme)}
    return one.level in levels or bool(levels - {other.level for other in outcomes})


def _wants_number(one: Outcome, outcomes: Sequence[Outcome], books: Books, scope: Scope | None) -> bool:
    """Whether a pass without a number should have one by now: by the report's days, or by its age."""
    if scope:
        return scope.covers(one.scheme, None, one.session_date) and not _is_reported(one, outcomes, books)
    return one.scheme in books.numbered_schemes and one.session_date + UNNUMBERED_AFTER < books.today


def _of_settlement(one: Outcome, books: Books) -> Iterator[Finding]:
    """That a result is not on its account though it could be, or has no account to be on."""
    if not one.is_waiting or not one.is_pass:
        return
    teo = _teo(one.scheme, books)
    if one.learner_id not in books.accounts:
        yield _of_outcome(Kind.ACCOUNT_MISSING, one, teo)
    elif one.rule_version or chosen(books.rules.get((one.scheme, one.level), ()), one.session_date):
        yield _of_outcome(Kind.SETTLEMENT_OVERDUE, one, teo)


def _shown_wrong(outcomes: Sequence[Outcome], shown: Holding, teo: str) -> Iterator[Finding]:
    """Where the ledger shows something else than outcomes are worth."""
    earned, level, certificate = worth(outcomes), counted_level(outcomes), certificate_state(outcomes)
    plain = Finding(Kind.POINTS_WRONG, teo, shown.scheme, level or shown.level, learner_id=shown.learner_id)
    if tuple(earned) != tuple(shown.shown()):
        yield replace(plain, here=_points(shown.shown()), there=_points(earned))
    elif level != shown.level:
        yield replace(plain, kind=Kind.LEVEL_SHOWN_WRONG, here=str(shown.level), there=str(level))
    elif certificate != shown.certificate:
        yield replace(plain, kind=Kind.CERTIFICATE_SHOWN_WRONG, here=shown.certificate, there=str(certificate))


def _points(worth_: tuple[int, int]) -> str:
    return f"{worth_[0]} + {worth_[1]}"


def compare_account(account: Account, books: Books) -> Iterator[Finding]:
    """What an account holds from schemes of which there is no result at all."""
    for scheme, held in sorted(account.holdings.items()):
        if (account.learner_id, scheme) not in books.known and (any(held.shown()) or held.level):
            here = _points(held.shown())
            teo = _teo(scheme, books)
            yield Finding(Kind.POINTS_WITHOUT_RESULT, teo, scheme, held.level, learner_id=held.learner_id, here=here)
