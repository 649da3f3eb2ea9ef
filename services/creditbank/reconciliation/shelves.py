"""The books that a step of a comparison reads: what stands here and bears on some rows, results or accounts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from chassis.clock import today
from services.creditbank.conversion import queries as conversion
from services.creditbank.conversion.domain import SchemeLevels
from services.creditbank.ledger import queries as ledger
from services.creditbank.ledger.domain import Account
from services.creditbank.recognition import queries as results
from services.creditbank.recognition.domain import Outcome
from services.creditbank.reconciliation import models
from services.creditbank.reconciliation.domain import Books, ReportRow


def books_of_rows(rows: Sequence[ReportRow]) -> Books:
    """What bears on rows of one report: their learners' results, and who has their numbers."""
    numbers = {one.certificate_number for one in rows}
    bearing = results.outcomes_numbered(numbers)
    known = results.outcomes_of({one.learner_id for one in rows if one.learner_id})
    first_rows: dict[str, int] = {}
    for one in models.rows_with_numbers(rows[0].report, numbers) if rows else ():
        first_rows.setdefault(one.certificate_number, one.row)
    return Books(_schemes(), known, bearing, first_rows)


def books_of_holdings(outcomes: Collection[Outcome], report: int = 0) -> Books:
    """What bears on the outcomes of some learners, and on the report they are compared with."""
    learner_ids = {one.learner_id for one in outcomes}
    numbers = {number for one in outcomes for number in one.certificate_numbers}
    about = models.rows_of_learners(report, learner_ids) if report else []
    return Books(
        schemes=_schemes(),
        known=_by_holding(outcomes),
        numbered=results.outcomes_numbered(numbers),
        reported_numbers=models.reported(report, numbers) if report else set(),
        reported_passes={(one.learner_id, one.scheme, one.level) for one in about},
        rules=results.rulebook({(one.scheme, one.level) for one in outcomes if one.is_waiting}),
        accounts=ledger.accounts_of(learner_ids),
        numbered_schemes=ledger.numbered_schemes(),
        today=today(),
    )


def books_of_accounts(accounts: Collection[Account]) -> Books:
    """What bears on accounts: whether there are results behind what they hold."""
    holders = {one.learner_id for one in accounts if one.holdings}
    return Books(_schemes(), results.outcomes_of(holders))


def _schemes() -> dict[str, SchemeLevels]:
    return {one.code: one for one in conversion.schemes()}


def _by_holding(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], dict[str, Outcome]]:
    found: dict[tuple[str, str], dict[str, Outcome]] = {}
    for one in outcomes:
        found.setdefault((one.learner_id, one.scheme), {})[one.result_id] = one
    return found
