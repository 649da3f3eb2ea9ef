"""Taking reports, comparing in bounded steps, and carrying out what a person approves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from chassis import clock
from chassis.database import transactional
from chassis.errors import NOT_FOUND, Sifted, sift
from chassis.sheet.imports import found as import_of
from chassis.sheet.kind import Upload
from chassis.strands import name_keys, survivor_of
from services.creditbank.conversion.applying import review_touched
from services.creditbank.ledger import queries as ledger
from services.creditbank.papers.commands import review_credentials
from services.creditbank.recognition import commands as recognition
from services.creditbank.recognition import queries as results
from services.creditbank.recognition.domain import CertificateMark
from services.creditbank.reconciliation import models
from services.creditbank.reconciliation.domain import (
    Finding,
    ReportRow,
    Scope,
    compare_account,
    compare_holding,
    compare_row,
    is_final_pass,
)
from services.creditbank.reconciliation.models import Report
from services.creditbank.reconciliation.remedies import REMEDIES, Act
from services.creditbank.reconciliation.runs import (
    DISCREPANCY_GONE,
    JOURNAL_DISAGREES,
    OWN_REPORT,
    REPORT_NOT_ALL_IN,
    RUN_NOT_FINISHED,
    STANDING,
    UNDER_WAY,
    Discrepancy,
    Profile,
    Run,
    Stage,
    State,
    check_open,
    ended,
    further,
    is_covered,
    numbered,
)
from services.creditbank.reconciliation.shelves import books_of_accounts, books_of_holdings, books_of_rows

ALL_RUNS = "reconciliations"
MOST = 500  # rows, outcomes or accounts that one transaction compares
NIGHT_HOUR = 2  # from when on a day's own comparison may begin
ENDED_IMPORTS = {"committed", "failed"}
RECONCILED = "Reconciled"  # what happened to an account whose discrepancy the bank has mended
NUMBER_RECONCILED = "NumberReconciled"  # a number went on record by the TEO's report and a person's approval


# --- reports ----------------------------------------------------------------------------------------------------------
@transactional
def take_rows(upload: Upload, rows: Sequence[ReportRow]) -> None:
    """Keep rows of a report under the learners they concern now; it is compared when all of them are in."""
    name_keys([f"certificate-report:{upload.number}"])
    now = [replace(one, learner_id=_survivor(one.learner_id)) for one in rows]
    models.add_rows(now)
    models.keep_report(_grown(models.find_report(upload.number) or _begun(upload, now[0]), now))


def _survivor(learner_id: str) -> str:
    return survivor_of(f"learner:{learner_id}").removeprefix("learner:") if learner_id else ""


@transactional
def move_rows(survivor_id: str, merged_id: str) -> None:
    """Two learners are one person: reports say of the survivor what they said of both. Again changes nothing."""
    name_keys([f"learner:{one}" for one in (survivor_id, merged_id)])
    models.move_rows(_survivor(survivor_id), merged_id)


def _begun(upload: Upload, first: ReportRow) -> Report:
    """A report with nothing in it yet."""
    given = [upload.options.get(name) for name in ("issued_from", "issued_until")]
    days = [date.fromisoformat(one) if one else first.issued_on for one in given]
    return Report(
        number=upload.number,
        teo=first.teo,
        uploaded_by=upload.uploaded_by,
        committed_by=upload.committed_by,
        taken_at=clock.now(),
        issued_from=days[0],
        issued_until=days[1],
        is_period_given=any(given),
        schemes=(),
        rows=0,
        run=0,
    )


def _grown(report: Report, rows: Sequence[ReportRow]) -> Report:
    """A report with rows more; its days are those of its rows unless its sender said which it speaks for."""
    days = [one.issued_on for one in rows]
    schemes = {*report.schemes, *(one.scheme for one in rows)}
    grown = replace(report, rows=report.rows + len(rows), schemes=tuple(sorted(schemes)))
    if report.is_period_given:
        return grown
    return replace(grown, issued_from=min(report.issued_from, *days), issued_until=max(report.issued_until, *days))


@transactional
def keep_profile(profile: Profile) -> None:
    """Say how a TEO heads its columns; sheets that are read from now on are read so."""
    name_keys([f"report-profile:{profile.teo}"])
    models.keep_profile(profile)


# --- runs -------------------------------------------------------------------------------------------------------------
@transactional
def ask(by: str, report: int | None = None) -> Run:
    """Have all that stands here compared with the ledger, or a report that was taken compared again.

    Refusal for a report that was never compared: more of it may come, and then it is compared by itself.
    """
    if report is None:
        return _begin(by)
    found = models.find_report(report)
    if found is None:
        raise NOT_FOUND(what="certificate report", id=report)
    if not found.run:
        raise REPORT_NOT_ALL_IN(report=report)
    return _begin(by, found)


def _begin(by: str, report: Report | None = None, night: str | None = None) -> Run:
    name_keys([ALL_RUNS])
    number = models.next_run_number()
    run = Run(number, by, _moment(), night=night)
    if report:
        run = replace(run, report=report.number, teo=report.teo, stage=Stage.ROWS)
        if not report.run:
            models.keep_report(replace(report, run=number))
    models.keep_run(run)
    return run


@transactional
def begin_nightly() -> bool:
    """Begin the comparison of a day, once, when its night is there."""
    campus = clock.now().astimezone(clock.CAMPUS)
    night = campus.date().isoformat()
    if campus.hour < NIGHT_HOUR or models.run_of_night(night):
        return False
    name_keys([ALL_RUNS])
    _begin("night", night=night)
    return True


def begin_reports() -> bool:
    """Begin the comparison of the oldest report that is all in; True when one began."""
    for report in models.reports_not_compared(MOST):
        brought = import_of(report.number)
        if brought["state"] in ENDED_IMPORTS:
            _begin_report(report.number, brought["total"])
            return True
    return False


@transactional
def _begin_report(number: int, total: int) -> None:
    name_keys([ALL_RUNS, f"certificate-report:{number}"])
    report = models.find_report(number)
    if report and not report.run:
        _begin(report.uploaded_by, replace(report, left_out=total - report.rows))


def compare_some() -> bool:
    """Take the next step of the oldest comparison; True when there is more.

    What is found and how far it is are one transaction: killed at any moment, it goes on where it was.
    """
    if begin_reports():
        return True
    run = models.first_unfinished(UNDER_WAY)
    if run is None:
        return False
    _step(run.number)
    return True


@transactional
def _step(number: int) -> None:
    name_keys([f"reconciliation:{number}"])
    run = models.find_run(number)
    match run.stage:
        case Stage.ROWS:
            _compare_rows(run)
        case Stage.HOLDINGS:
            _compare_holdings(run)
        case Stage.ACCOUNTS:
            _compare_accounts(run)
        case Stage.CLOSING:
            _close(run)


def _keep(run: Run, findings: Iterable[Finding], seen: int, after: str) -> None:
    found = numbered(run, findings)
    models.add_discrepancies(found)
    models.keep_run(further(run, found, seen, after))


def _compare_rows(run: Run) -> None:
    rows = models.rows_after(run.report, run.after, MOST)
    books = books_of_rows(rows)
    findings = [finding for row in rows for finding in compare_row(row, books)]
    _keep(run, findings, len(rows), f"{rows[-1].row:06}" if len(rows) == MOST else "")


def _compare_holdings(run: Run) -> None:
    until = results.span_end(run.after, MOST)
    scope = _scope(run)
    outcomes = list(results.span_of(run.after, until, scope.schemes if scope else None))
    books = books_of_holdings(outcomes, run.report)
    findings = [
        finding
        for learner_id, scheme in sorted(books.known)
        for finding in compare_holding(learner_id, scheme, books, scope)
    ]
    _keep(run, findings, len(books.known), until)


def _scope(run: Run) -> Scope | None:
    report = models.find_report(run.report) if run.report else None
    return report.scope if report else None


def _compare_accounts(run: Run) -> None:
    accounts = ledger.accounts_after(run.after, MOST)
    books = books_of_accounts(accounts)
    findings = [finding for account in accounts for finding in compare_account(account, books)]
    _keep(run, findings, len(accounts), accounts[-1].learner_id if len(accounts) == MOST else "")


def _close(run: Run) -> None:
    """End what earlier runs on the same basis found: it is gone, or this run goes on with it."""
    scope = _scope(run)
    standing = models.standing_before(run.number, run.basis, STANDING, run.after, MOST)
    again = models.found_again(run.number, {one.finding.fingerprint for one in standing})
    numbers = models.reported(run.report, {one.finding.certificate_number for one in standing}) if run.report else set()
    changed: list[Discrepancy] = []
    for one in standing:
        found = again.get(one.finding.fingerprint)
        if found or is_covered(one, scope, numbers):
            earlier, carried = ended(one, found, run.number)
            changed += [earlier, *([carried] if carried else [])]
    models.change_discrepancies(changed)
    moved = further(run, [], 0, standing[-1].id if len(standing) == MOST else "")
    models.keep_run(moved if moved.stage == Stage.CLOSING else replace(moved, finished_at=_moment()))


# --- approvals --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Approval:
    """A discrepancy that somebody approves to be mended."""

    index: int
    discrepancy: str


def approve(asked: Sequence[Approval], by: str) -> Sifted[Approval, bool]:
    """Approve discrepancies, each alone and in a transaction of its own; whether that changed anything."""
    return sift(lambda one: approve_one(one.discrepancy, by), asked)


@transactional
def approve_one(place: str, by: str) -> bool:
    """Mend a discrepancy that still stands, or give it out as a task; False when that was done before.

    Refusal for whoever brought the report in, and for what does not stand any more.
    """
    one = models.find_discrepancy(place)
    name_keys([f"discrepancy:{place}"])
    run = models.find_run(one.run)
    _check(run, one, by)
    if one.state != State.OPEN:
        return False
    one = _of_survivor(one)
    if one.finding.fingerprint not in {found.fingerprint for found in found_now(run, one.finding)}:
        raise DISCREPANCY_GONE()
    act = REMEDIES[one.finding.kind].act
    if act:
        _carry_out(act, one.finding, run.cause(one.finding, one.serial))
    state = State.MENDED if act else State.TASKED
    models.change_discrepancies([replace(one, state=state, approved_by=by, approved_at=_moment())])
    return True


def _of_survivor(one: Discrepancy) -> Discrepancy:
    """The same as a thing of whoever its learner was merged into since."""
    return replace(one, finding=replace(one.finding, learner_id=_survivor(one.finding.learner_id)))


def _check(run: Run, one: Discrepancy, by: str) -> None:
    report = models.find_report(run.report) if run.report else None
    if report and by in report.brought_by:
        raise OWN_REPORT()
    if run.stage != Stage.FINISHED:
        raise RUN_NOT_FINISHED(run=run.number)
    check_open(one)


def found_now(run: Run, finding: Finding) -> list[Finding]:
    """What is found now where a discrepancy was found, by the same comparison; its learner's strand is named."""
    if finding.learner_id:
        name_keys([f"learner:{finding.learner_id}"])
    if finding.row:
        row = models.row_at(run.report, finding.row)
        return list(compare_row(row, books_of_rows([row]))) if row else []
    known = results.outcomes_of([finding.learner_id])
    outcomes = [one for of_scheme in known.values() for one in of_scheme.values()]
    if (finding.learner_id, finding.scheme) in known:
        books = books_of_holdings(outcomes, run.report)
        return list(compare_holding(finding.learner_id, finding.scheme, books, _scope(run)))
    accounts = list(ledger.accounts_of([finding.learner_id]).values())
    return [found for account in accounts for found in compare_account(account, books_of_accounts([account]))]


def _carry_out(act: Act, finding: Finding, cause: str) -> None:
    """What the bank does by itself, and what follows from it for applications and credentials."""
    match act:
        case Act.RECORD_NUMBER | Act.RECORD_DATE:
            touched = recognition.mark_certificates([_mark(finding, cause)])
        case Act.SETTLE:
            touched = recognition.settle_again([f"{finding.learner_id}:{finding.result_id}"])
        case Act.RESTATE:
            if not ledger.follows_journal(finding.learner_id):
                raise JOURNAL_DISAGREES()
            touched = recognition.restate(finding.learner_id, finding.scheme, cause, RECONCILED, finding.level)
    review_touched(touched)
    review_credentials({learner_id for learner_id, _ in touched})


def _mark(finding: Finding, cause: str) -> CertificateMark:
    """What goes on record of the pass that a finding names; Refusal unless its learner has it, final, from its scheme.

    For another it would make a result out of nothing, in the place of the real one.
    """
    of_scheme = results.outcomes_of([finding.learner_id]).get((finding.learner_id, finding.scheme), {})
    passed = of_scheme.get(finding.result_id)
    if passed is None or not is_final_pass(passed):
        raise DISCREPANCY_GONE()
    return CertificateMark(
        learner_id=finding.learner_id,
        scheme=finding.scheme,
        level=passed.level,
        certificate_number=finding.certificate_number,
        cause=cause,
        what=NUMBER_RECONCILED,
        result_id=finding.result_id,
        teo=finding.teo,
        issued_on=finding.issued_on,
    )


def _moment() -> datetime:
    """The instant it is, as exactly as the database keeps it."""
    at = clock.now()
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
