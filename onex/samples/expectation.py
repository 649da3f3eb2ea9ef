"""What must come of the samples: every number that the services will be asked for, reasoned here and nowhere else."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from onex.samples.judging import PASSED, Sat
from onex.samples.people import Person
from onex.samples.sheets import Sheet
from onex.samples.story import Learners, Story

MAILBOX, EMAIL = "mailbox", "email"


def expectation_of(story: Story) -> dict[str, Any]:
    """The expectation file."""
    sats = finalised(story)
    held = points(story, sats)
    return {
        **enrolment_figures(story.learners),
        "candidates": len(story.exams.candidates),
        "results": dict(sorted(Counter(sat.verdict for sat in sats).items())),
        "final": len(sats),
        "passes": sum(1 for sat in sats if sat.verdict == PASSED),
        "certificates": len(story.exams.certificates),
        "points": held,
        "points_total": sum(row["available_points"] for row in held),
        "notices": notices(story, sats),
        "sheets": [sheet_figures(sheet) for sheet in story.sheets],
        "demo_learner": demo_learner(story),
        "rows": result_rows(story),
    }


def enrolment_figures(learners: Learners) -> dict[str, int]:
    """How many people there are, and how far they come until the training is completed."""
    return {
        "learners": len(learners.people),
        "students": sum(1 for person in learners.people if person.record),
        "community_learners": sum(1 for person in learners.people if person.record is None),
        "student_records": sum(bool(person.record) + bool(person.earlier) for person in learners.people),
        "applications": len(learners.applications),
        "approved": len(learners.approved),
        "places": len(learners.approved),
        "completed": len(learners.completed),
    }


def finalised(story: Story) -> list[Sat]:
    """All results in the order in which they become final.

    Without a publicity period at once when submitted; else plan by plan in the order of the sessions; then the resits.
    """
    return sorted(story.exams.firsts, key=turn) + sorted(story.exams.seconds, key=turn)


def turn(sat: Sat) -> tuple[bool, date, str]:
    """When a result's turn to become final comes."""
    plan = sat.candidate.plan
    return (plan.publicity_days > 0, plan.session_date, plan.plan)


def worth(story: Story, sat: Sat) -> int:
    """What a result is worth in credit points."""
    plan = sat.candidate.plan
    return story.annex.credit_points[plan.scheme, plan.level] if sat.verdict == PASSED else 0


def holder(sat: Sat) -> tuple[str, str]:
    """A holding is what one learner has from one scheme."""
    return (sat.candidate.application.person.document_number, sat.candidate.plan.scheme)


def points(story: Story, sats: list[Sat]) -> list[dict[str, Any]]:
    """Holdings and points per scheme and level: a holding counts at its highest level."""
    best: dict[tuple[str, str], tuple[int, int]] = {}
    for sat in sats:
        if sat.verdict == PASSED:
            here = (sat.candidate.plan.level, worth(story, sat))
            best[holder(sat)] = max(best.get(holder(sat), (0, 0)), here)
    held = Counter((scheme, level, value) for (_, scheme), (level, value) in best.items())
    return [
        {"scheme": scheme, "level": level, "holdings": count, "available_points": count * value}
        for (scheme, level, value), count in sorted(held.items())
    ]


def credited(story: Story, sats: list[Sat]) -> list[Sat]:
    """The final passes that change the points that are available."""
    shown: dict[tuple[str, str], int] = {}
    changing = []
    for sat in sats:
        if worth(story, sat) > shown.get(holder(sat), 0):
            shown[holder(sat)] = worth(story, sat)
            changing.append(sat)
    return changing


def notices(story: Story, sats: list[Sat]) -> list[dict[str, Any]]:
    """One notice for each event of the six kinds: in the mailbox always, by e-mail where there is an address."""
    told: dict[str, list[Person]] = {
        "EnrolmentApproved": [item.person for item in story.learners.approved],
        "CandidateRegistered": [candidate.application.person for candidate in story.exams.candidates],
        "ResultPublicised": [person_of(sat) for sat in sats],
        "ResultFinalised": [person_of(sat) for sat in sats if sat.verdict != PASSED],
        "CreditPosted": [person_of(sat) for sat in credited(story, sats)],
        "CertificateIssued": [person_of(item.sat) for item in story.exams.certificates],
    }
    return [
        {"event": event, "channel": channel, "count": sum(1 for person in people if channel == MAILBOX or person.email)}
        for event, people in told.items()
        for channel in (MAILBOX, EMAIL)
    ]


def person_of(sat: Sat) -> Person:
    """Who sat."""
    return sat.candidate.application.person


def sheet_figures(sheet: Sheet) -> dict[str, Any]:
    """How many rows of a sheet are taken, and which are refused for what."""
    refused = [
        {"row": sheet.row_of(index), "code": line.refused} for index, line in enumerate(sheet.lines) if line.refused
    ]
    accepted = len(sheet.lines) - len(refused)
    return {"file": sheet.file, "rows": len(sheet.lines), "accepted": accepted, "refused": refused}


def demo_learner(story: Story) -> dict[str, Any]:
    """Somebody with several levels of one scheme, all of them passed."""
    star = next(person.record for person in story.learners.people if person.is_star and person.record)
    return {"student_number": star.student_number}


def result_rows(story: Story) -> list[dict[str, Any]]:
    """Each result with the sheet and row it stands in."""
    placed = {
        (str(line.cells["admission"]).strip(), attempt_of(sheet)): (sheet.file, sheet.row_of(index))
        for sheet in story.sheets
        if sheet.kind == "results"
        for index, line in enumerate(sheet.lines)
        if not line.refused
    }
    return [
        result_row(sat, *placed[sat.candidate.admission_number, sat.attempt])
        for sat in story.exams.firsts + story.exams.seconds
    ]


def attempt_of(sheet: Sheet) -> int:
    """Resits have sheets of their own."""
    return 2 if sheet.stage == "resits" else 1


def result_row(sat: Sat, file: str, row: int) -> dict[str, Any]:
    """A result as the services must have it, and where it was sent."""
    return {
        "teo": sat.candidate.plan.teo,
        "plan": sat.candidate.plan.plan,
        "admission_number": sat.candidate.admission_number,
        "attempt": sat.attempt,
        "theory": sat.theory,
        "practical": sat.practical,
        "verdict": sat.verdict,
        "sheet": file,
        "row": row,
    }
