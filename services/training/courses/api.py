"""Course results over HTTP: submitted and withdrawn by the registry, read by staff and by whose they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chassis.errors import Ground, sift
from chassis.web.access import allow, check_scope
from chassis.web.blueprint import Blueprint
from chassis.web.health import Step
from chassis.web.paging import page, paged
from chassis.web.schemas import JudgedSchema, accepted, refused
from contracts.terms import Role
from services.training.courses import commands, queries
from services.training.courses.domain import EVERY_PROGRAMME, MARK_OR_GRADE, USUAL_PASS_MARK, Mark, mark_of
from services.training.courses.schemas import (
    CourseResultsArgs,
    CourseResultSchema,
    CourseWithdrawalSchema,
    MarkSchema,
    PassMarkBodySchema,
    PassMarkSchema,
    shape,
)

STAFF = (Role.REGISTRY, Role.DEPARTMENT, Role.TRAINER, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
PASS_MARK_PLACE = Ground(
    "pass_mark_place",
    en="A pass mark belongs to a programme's code, like 560301, or to 'default'.",
    zh="合格线应属于某个专业代码（如 560301）或 default。",
)
PLACE = re.compile(r"[0-9A-Za-z-]{1,20}")
Judged = Mapping[str, Any]

blp = Blueprint("courses", __name__, description="Course results: marks of the programmes' courses.")


@blp.route("/course-results", methods=["POST"])
@allow(Role.REGISTRY, whole_college=True)
@blp.arguments(MarkSchema(many=True))
@blp.response(200, JudgedSchema(many=True))
def submit_marks(given: list[dict[str, Any]]) -> list[Judged]:
    """Record course marks; each gets its own verdict, and a repeat changes nothing. What waits is accepted, too."""
    read = sift(lambda numbered: _mark_of(numbered[1]), enumerate(given))
    answers = [refused(index, refusal) for (index, _), refusal in read.refused]
    judged = commands.record_marks([(index, mark) for (index, _), mark in read.accepted])
    answers += [accepted(index, mark.result_id, weighed.is_news) for (index, mark), weighed in judged.accepted]
    answers += [refused(index, refusal, mark.result_id) for (index, mark), refusal in judged.refused]
    return sorted(answers, key=lambda one: int(one["index"]))


def _mark_of(given: Mapping[str, Any]) -> Mark:
    if (given["mark"] is None) == (given["grade"] == ""):
        raise MARK_OR_GRADE()
    said = given["grade"] or str(given["mark"])
    return mark_of(given["student_number"], given["course"], given["term"], said, given["as_of"])


@blp.route("/course-results", methods=["GET"])
@allow(*STAFF, Role.LEARNER, Role.SERVICE)
@paged(CourseResultSchema, CourseResultsArgs)
def list_course_results(query: dict[str, Any]) -> dict[str, Any]:
    """Course results in the order of their ids: of a learner or a student number, those that wait, or all."""
    check_scope({"learner": query["learner_id"]})
    found = queries.results_page(query, query["cursor"], query["limit"])
    return page([shape(one) for one in found], query["limit"], lambda row: [row["result_id"]])


@blp.route("/course-result-withdrawals", methods=["POST"])
@allow(Role.REGISTRY, whole_college=True)
@blp.arguments(CourseWithdrawalSchema(many=True))
@blp.response(200, JudgedSchema(many=True))
def withdraw_course_results(given: list[dict[str, str]]) -> list[Judged]:
    """Take course results back with a reason, each judged alone; a newer mark brings one back."""
    asked = [(index, one["result_id"], one["reason"]) for index, one in enumerate(given)]
    judged = commands.withdraw_results(asked)
    answers = [accepted(index, result_id, changed) for (index, result_id, _), changed in judged.accepted]
    answers += [refused(index, refusal, result_id) for (index, result_id, _), refusal in judged.refused]
    return sorted(answers, key=lambda one: int(one["index"]))


@blp.route("/pass-marks/<programme>", methods=["PUT"])
@allow(Role.OPERATOR, Role.REGISTRY, whole_college=True)
@blp.arguments(PassMarkBodySchema)
@blp.response(200, PassMarkSchema)
def put_pass_mark(body: dict[str, int], programme: str) -> dict[str, Any]:
    """Set the mark that passes in a programme, or by `default` in all others; what was judged before stays."""
    if not PLACE.fullmatch(programme):
        raise PASS_MARK_PLACE()
    commands.set_pass_mark(programme, body["pass_mark"])
    return {"programme": programme, **body}


@blp.route("/pass-marks", methods=["GET"])
@allow(*Role)
@blp.response(200, PassMarkSchema(many=True))
def list_pass_marks() -> list[dict[str, Any]]:
    """The marks that pass, by programme; `default` in all others."""
    marks = {EVERY_PROGRAMME: USUAL_PASS_MARK} | queries.pass_marks()
    return [{"programme": programme, "pass_mark": mark} for programme, mark in sorted(marks.items())]


def life(cause: str) -> list[Step]:
    """The course results whose values a cause gave, for the page that follows a cause."""
    return [
        {
            "at": row["at"],
            "service": "training",
            "what": "course result",
            "id": row["_id"],
            "cause": cause,
            "learner_id": row["learner_id"],
            "detail": {name: row[name] for name in ("course", "term", "mark", "passed", "revision")},
        }
        for row in queries.caused_by(cause)
    ]
