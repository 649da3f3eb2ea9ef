"""Reading what plans rest on, of one learner or of many, with as many queries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chassis import clock
from services.creditbank.conversion import queries as conversion
from services.creditbank.conversion.applications import Application, State
from services.creditbank.conversion.college import curriculum_of, studies_in
from services.creditbank.conversion.domain import ConversionRule, Policy, Target
from services.creditbank.conversion.judging import Claim
from services.creditbank.curricula import queries as curricula
from services.creditbank.curricula.domain import CourseResult, Curriculum, StudentRecord
from services.creditbank.ledger import queries as ledger
from services.creditbank.ledger.domain import Account
from services.creditbank.planning.planner import Facts, Pending
from services.creditbank.recognition.domain import Outcome
from services.creditbank.recognition.queries import outcomes_of

Programme = tuple[str, int]
UNDECIDED = frozenset({State.WAITING, State.REVIEW})


@dataclass
class Library:
    """What many learners share, each read once: curricula, published rules, every version of their policies."""

    curricula: dict[Programme, Curriculum] = field(default_factory=dict)
    rules: dict[Programme, list[ConversionRule]] = field(default_factory=dict)
    policies: dict[str, list[Policy]] = field(default_factory=dict)

    def read(self, programmes: Collection[Programme], policies: Collection[str]) -> None:
        """Read what is not here yet: of these programmes, and policies by code."""
        for place in sorted(set(programmes) - self.rules.keys()):
            self.rules[place] = conversion.rules_published(*place)
            if found := curriculum_of(*place):
                self.curricula[place] = found
        ruled = {one.policy for rules in self.rules.values() for one in rules}
        for code in sorted((ruled | set(policies)) - self.policies.keys()):
            self.policies[code] = conversion.versions_of_policy(code)


@dataclass(frozen=True)
class Files:
    """Everything about some learners, by learner; who has no account has none."""

    accounts: Mapping[str, Account]
    records: Mapping[str, Sequence[StudentRecord]]
    results: Mapping[str, Sequence[CourseResult]]
    outcomes: Mapping[str, Mapping[str, Sequence[Outcome]]]
    applications: Mapping[str, Sequence[Application]]
    earlier: Mapping[str, int]
    numbered: frozenset[str]
    held_up: frozenset[str]
    library: Library

    def facts(self, learner_id: str) -> Facts:
        """What a learner's plan rests on."""
        records = self.records.get(learner_id, ())
        programmes = dict.fromkeys((one.programme, one.entry_year) for one in records)
        standing = self.applications.get(learner_id, ())
        return Facts(
            learner_id=learner_id,
            today=clock.today(),
            account=self.accounts.get(learner_id) or Account(learner_id),
            studies=studies_in(records),
            curricula=self.library.curricula,
            rules=tuple(rule for place in programmes for rule in self.library.rules[place]),
            policies=self.library.policies,
            passed_courses=frozenset(one.course for one in self.results.get(learner_id, ()) if one.counts),
            outcomes=self.outcomes.get(learner_id, {}),
            claims=tuple(Claim(one.scheme, one.target) for one in standing),
            pending=tuple(self._pending(one) for one in standing if _is_open(one)),
            elsewhere_points=self.earlier.get(learner_id, 0),
            numbered=self.numbered,
            is_held_up=learner_id in self.held_up,
        )

    def exempt(self, learner_id: str) -> list[Target]:
        """The courses and modules that a learner is excused from."""
        standing = self.applications.get(learner_id, ())
        return [one.target for one in standing if one.state == State.GRANTED]

    def results_in(self, record: StudentRecord) -> list[CourseResult]:
        """The course results of a student record's learner in its programme."""
        return [one for one in self.results.get(record.learner_id, ()) if one.programme == record.programme]

    def _pending(self, one: Application) -> Pending:
        versions = self.library.policies[one.policy]
        policy = next(version for version in versions if version.version == one.policy_version)
        curriculum = self.library.curricula.get((one.programme, one.entry_year))
        return Pending(one.scheme, one.target, policy, one.department, curriculum, is_held=one.held + one.spent > 0)


def _is_open(one: Application) -> bool:
    """Whether it is still to be decided, as far as its learner knows."""
    return one.state in UNDECIDED or one.is_undoable


def read_files(learner_ids: Collection[str]) -> Files:
    """Read everything about some learners, in as many queries whether one or a page of them."""
    records, applications = curricula.records_by_learner(learner_ids), conversion.standing_of(learner_ids)
    asked = [one for found in applications.values() for one in found]
    library = Library()
    library.read(_programmes(records.values()) | _programmes([asked]), {one.policy for one in asked})
    return Files(
        accounts=ledger.accounts_of(learner_ids),
        records=records,
        results=curricula.results_by_learner(learner_ids),
        outcomes=_by_learner(learner_ids),
        applications=applications,
        earlier=conversion.earlier_points_of(learner_ids),
        numbered=frozenset(ledger.numbered_schemes()),
        held_up=frozenset(ledger.held_up(learner_ids)),
        library=library,
    )


def _programmes(found: Iterable[Sequence[StudentRecord | Application]]) -> set[Programme]:
    return {(one.programme, one.entry_year) for some in found for one in some}


def _by_learner(learner_ids: Collection[str]) -> dict[str, dict[str, list[Outcome]]]:
    found: dict[str, dict[str, list[Outcome]]] = {}
    for (learner_id, scheme), of_scheme in outcomes_of(learner_ids).items():
        found.setdefault(learner_id, {})[scheme] = list(of_scheme.values())
    return found
