"""What is known of certificates, and how many stand at each stage of assessment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chassis import clock
from chassis.web.health import Step
from chassis.web.paging import Key, after
from services.assessment.certificates import models
from services.assessment.certificates.domain import Archive, Certificate, Report
from services.assessment.plans import queries as plans
from services.assessment.plans.domain import Candidate
from services.assessment.results import queries as results


def certificates_of_learner(learner_id: str, cursor: Key | None, limit: int) -> list[Certificate]:
    """A page of a learner's certificates, in the order of their ids, and one more."""
    return models.read_certificates({"learner_id": learner_id} | after(cursor, "_id"), limit + 1)


def archive_of(reports: Sequence[Report], forgotten: Iterable[Certificate]) -> Archive:
    """What is on record that bears on some reports; `forgotten`: what no longer is, since a set-back."""
    numbered: dict[str, list[Candidate]] = {}
    for one in plans.candidates_numbered({one.admission_number for one in reports if one.admission_number}):
        numbered.setdefault(one.admission_number, []).append(one)
    learners = {one.learner_id for one in reports if one.learner_id}
    learners |= {one.learner_id for found in numbered.values() for one in found}
    passes = results.final_passes(learners, {one.scheme.code for one in reports})
    known = models.certificates_like({one.certificate_id for one in reports}, {one.id for one in passes.values()})
    wanted = {one.certificate_id for one in reports}
    told = {one.id: one for one in forgotten if one.id in wanted}
    told_of = {one.id: one for one in results.final_passes_by_id({one.result_id for one in told.values()})}
    return Archive({one.id: one for one in known}, numbered, passes, clock.today(), told, told_of)


def stages() -> list[dict[str, str | int]]:
    """How many stand at each stage, from being entitled to holding a certificate."""
    counted = plans.stages() | results.stages() | {"certificates": models.count_valid()}
    return [{"stage": stage, "count": count} for stage, count in counted.items()]


def steps_by_cause(cause: str) -> list[Step]:
    """The certificates one cause put on record, as steps of a life."""
    return [
        {
            "at": row["recorded_at"],
            "service": "assessment",
            "what": "certificate",
            "id": row["_id"],
            "cause": cause,
            "learner_id": row["learner_id"],
            "detail": {"result_id": row["result_id"], "state": row["state"]},
        }
        for row in models.rows_by_cause(cause)
    ]
