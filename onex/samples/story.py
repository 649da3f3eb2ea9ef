"""The whole story of the samples, from the people to their certificates, told once by a fixed seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from onex.samples.annex import Annex
from onex.samples.applying import Application, applications_of, roster_sheets
from onex.samples.certificates import Certificate, certificate_sheets, certificates_of, passes_among
from onex.samples.exams import Candidate, Plan, TrainingClass, classes_for, seated
from onex.samples.judging import ABSENT, Sat, first_attempts, second_attempts
from onex.samples.marking import resit_sheets, result_sheets
from onex.samples.people import Person, assert_distinct, people_of
from onex.samples.registering import candidate_sheets
from onex.samples.sheets import Sheet
from onex.samples.training import completion_sheets, outcomes_of

SEED = 20190918  # the day the pilot plan was signed


@dataclass(frozen=True)
class Learners:
    """Who applies for what, and how their training ends."""

    people: list[Person]
    applications: list[Application]
    approved: list[Application]
    outcomes: list[tuple[Application, str]]
    completed: list[Application]


@dataclass(frozen=True)
class Exams:
    """Who sits where, and with what result; `idle` completed the training and sits nowhere."""

    plans: list[Plan]
    candidates: list[Candidate]
    idle: list[Application]
    judged: list[Sat]
    spoiled: set[str]
    seconds: list[Sat]
    certificates: list[Certificate]

    @property
    def firsts(self) -> list[Sat]:
        """The first attempts whose rows can be read."""
        return [sat for sat in self.judged if sat.candidate.admission_number not in self.spoiled]


@dataclass(frozen=True)
class Story:
    """Everything that happens, and the sheets that tell it."""

    annex: Annex
    learners: Learners
    classes: list[TrainingClass]
    exams: Exams
    sheets: list[Sheet]


def rng_for(chapter: str) -> Random:
    """Each chapter has its own stream, so that one changed does not stir the others."""
    return Random(f"{SEED}:{chapter}")  # noqa: S311 (a fixed seed is the point)


def tell(annex: Annex) -> Story:
    """Tell the story."""
    learners = enrolled(annex)
    exams = examined(annex, learners.completed)
    return Story(annex, learners, classes_for(learners.approved), exams, sheets_of(annex, learners, exams))


def enrolled(annex: Annex) -> Learners:
    """The people, what they apply for, and who completes the training."""
    people = people_of(rng_for("people"), annex)
    assert_distinct(people)
    applications = applications_of(rng_for("applications"), annex, people)
    approved = [item for item in applications if not item.is_held_back]
    outcomes = outcomes_of(rng_for("training"), approved)
    return Learners(people, applications, approved, outcomes, [item for item, word in outcomes if word == "合格"])


def examined(annex: Annex, completed: list[Application]) -> Exams:
    """The exams, the resits and the certificates."""
    plans, candidates, idle = seated(rng_for("seats"), annex, completed)
    judged = first_attempts(rng_for("marks"), annex, candidates)
    exams = Exams(plans, candidates, idle, judged, spoiled_numbers(judged), [], [])
    seconds = second_attempts(rng_for("resits"), annex, exams.firsts)
    passes = passes_among(exams.firsts + seconds)
    return replace(exams, seconds=seconds, certificates=certificates_of(rng_for("certificates"), passes))


def sheets_of(annex: Annex, learners: Learners, exams: Exams) -> list[Sheet]:
    """What the college and the TEOs send, in the order of the stages."""
    applications, stranger = learners.applications, nobody(learners.people, learners.applications)
    dropped = untrained(learners.approved, learners.completed)
    passes = passes_among(exams.firsts + exams.seconds)
    return [
        *roster_sheets(annex, learners.people, applications),
        *completion_sheets(annex, learners.outcomes, never_approved(applications), stranger),
        *candidate_sheets(exams.candidates, exams.idle, dropped, stranger),
        *result_sheets(annex, exams.judged, exams.spoiled),
        *resit_sheets(annex, exams.firsts, exams.seconds),
        *certificate_sheets(annex, exams.certificates, passes, exams.firsts),
    ]


def spoiled_numbers(judged: list[Sat]) -> set[str]:
    """Three candidates whose row is sent with a score of 101 or with none."""
    usual = [sat.candidate for sat in judged if sat.verdict != ABSENT and not sat.candidate.application.person.is_star]
    wanted = ("RB20201128-01", "SF-2020-A1", "ED-2020-11-1")
    return {next(item.admission_number for item in usual[5:] if item.plan.plan == plan) for plan in wanted}


def never_approved(applications: list[Application]) -> Application:
    """Somebody's application that the registry holds back, for an intermediate level."""
    return next(item for item in applications if item.is_held_back and item.level == 2)


def nobody(people: list[Person], applications: list[Application]) -> Person:
    """Somebody registered who applied for nothing."""
    applied = {item.person.document_number for item in applications}
    return next(person for person in people if person.document_number not in applied)


def untrained(approved: list[Application], completed: list[Application]) -> list[Application]:
    """Approved, but not trained to the end."""
    done = {item.key for item in completed}
    return [item for item in approved if item.key not in done]
