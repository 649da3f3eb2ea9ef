"""Reading what a draft is simulated on, of many students with as many queries as of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

from chassis import clock
from contracts.terms import StudyStatus
from services.creditbank.conversion import queries as conversion
from services.creditbank.conversion.applications import Application, State
from services.creditbank.conversion.domain import ConversionRule, Policy
from services.creditbank.curricula.domain import StudentRecord
from services.creditbank.planning.reading import UNDECIDED, Files, read_files
from services.creditbank.simulations.domain import Draft, Effect, Subject
from services.creditbank.simulations.simulator import Flight, Student

Rules = Callable[[str], Sequence[ConversionRule]]
Policies = Callable[[str], Sequence[Policy]]


def read_students(records: Sequence[StudentRecord], draft: Draft) -> list[Student]:
    """The students of some records, each learner at the first of their records in a programme and entry year."""
    learner_ids = sorted({one.learner_id for one in records})
    if not learner_ids:
        return []
    files, offers = read_files(learner_ids), conversion.open_offers_to(learner_ids)
    rules, policies = cache(conversion.versions_of_rule), cache(conversion.drafts_of_policy)
    found = []
    for record in records:
        if _is_first(record, files.records.get(record.learner_id, ())):
            asked = [*_applications(files, record), *_offers(offers.get(record.learner_id, ()), record)]
            flights = tuple(asked_about(asked, draft, rules, policies))
            found.append(Student(record, files.facts(record.learner_id), flights))
    return found


def _is_first(record: StudentRecord, records: Iterable[StudentRecord]) -> bool:
    """Whether a learner with several records in one programme and entry year is looked at by this one."""
    cohort = record.programme, record.entry_year
    alike = [one.place for one in records if (one.programme, one.entry_year) == cohort and _studies(one)]
    return record.place == min(alike, default=record.place)


def _studies(record: StudentRecord) -> bool:
    return record.status == StudyStatus.ENROLLED


def _applications(files: Files, record: StudentRecord) -> Iterator[tuple[Effect, Application]]:
    """What a student has applied for and still gets: under review, waiting, or granted and not told yet."""
    for one in files.applications.get(record.learner_id, ()):
        is_open = one.state in UNDECIDED or (one.state == State.GRANTED and one.is_undoable)
        if is_open and (one.programme, one.entry_year) == (record.programme, record.entry_year):
            yield Effect.APPLICATION, one


def _offers(refused: Iterable[Application], record: StudentRecord) -> Iterator[tuple[Effect, Application]]:
    for one in refused:
        if (one.programme, one.entry_year) == (record.programme, record.entry_year):
            yield Effect.OFFER, one


def asked_about(
    asked: Iterable[tuple[Effect, Application]], draft: Draft, rules: Rules, policies: Policies
) -> Iterator[Flight]:
    """Of these what rests on the rule or the document that is drafted, with the versions each names."""
    for effect, one in asked:
        code, version, target = one.rule, one.rule_version, one.target
        if effect == Effect.OFFER and one.offer:
            code, version, target = one.offer.rule, one.offer.version, one.offer.target
        if draft.code != (code if draft.subject == Subject.RULE else one.policy):
            continue
        rule = next(each for each in rules(code) if each.version == version)
        policy = next(each for each in policies(one.policy) if each.version == one.policy_version)
        is_filed = effect == Effect.APPLICATION
        filed_on, held = (one.filed_on, one.held + one.spent) if is_filed else (clock.today(), 0)
        yield Flight(effect, one.id, rule, policy, target, filed_on, held)
