"""A small college whose students may be excused from modules of a training, told as its services would tell it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from threading import Barrier
from typing import Any

from chassis import waiters
from chassis.bus.batches import take
from chassis.bus.event import Announcement
from chassis.bus.outbox import Outbox
from chassis.database import rows_of, run_transaction
from chassis.watch import cause
from contracts.assessment import SchemePublished
from contracts.creditbank import ExemptionGranted, ExemptionWithdrawn
from contracts.enrolment import Course, EnrolmentApproved, EnrolmentWithdrawn, ProgrammePublished, StudentRecordChanged
from contracts.terms import CourseKind, LearnerKind, Level, StudyStatus
from services.training.classes.commands import put_class
from services.training.classes.domain import TrainingClass
from services.training.courses.commands import MARK, record_marks, settle_waiting
from services.training.courses.domain import Mark
from services.training.handlers import HANDLERS
from services.training.modules.commands import approve_rule, draft_rule, publish_rule, put_module
from services.training.modules.domain import Excuse, ExcuseRule, TrainingModule
from services.training.modules.models import excuses_of
from services.training.modules.reviewing import review_learners, spread_rules
from services.training.students.domain import REVIEW
from tests.support.arrivals import arrival

SCHEME, LEVEL, MODULE = "smart-finance", Level.ELEMENTARY, "tax"
PROGRAMME, YEAR, NUMBER, COURSE, TERM = "630302", 2019, "2019040117", "KJ2105", "2020-2021-1"
OTHER_NUMBER = "2019040999"
RESULT = f"{NUMBER}:{COURSE}:{TERM}"
JULY = datetime(2021, 7, 5, 4, 0, tzinfo=UTC)
LATER = datetime(2021, 9, 1, tzinfo=UTC)
TOLD = ("TrainingModuleExcused", "TrainingExcuseWithdrawn")
COURSES = (
    Course(code=COURSE, name="税务会计", credit_points=400, kind=CourseKind.CORE, term=4),
    Course(code="KJ2101", name="财务大数据基础", credit_points=200, kind=CourseKind.FOUNDATION, term=1),
)


class College:
    """Numbers what the other services announce, and delivers it."""

    def __init__(self, seq: dict[tuple[str, str], int] | None = None) -> None:
        self.seq = seq or {}

    def tell(self, *bodies: Announcement) -> None:
        """Deliver announcements in one batch."""
        told = []
        for body in bodies:
            for key in [*body.keys()]:
                place = body.source, key
                self.seq[place] = self.seq.get(place, 0) + 1
                told.append(arrival(body, self.seq[place], key=key, cause=f"{body.source} of {key}"))
        run_transaction(lambda: take(told, HANDLERS))

    def founded(self) -> College:
        """A scheme with a class of 48 hours and two modules, and a programme with two courses."""
        levels = (Level.ELEMENTARY, Level.INTERMEDIATE)
        self.tell(
            SchemePublished(scheme=SCHEME, name="智能财税", teo="91110000000000043U", levels=levels, aliases=()),
            ProgrammePublished(
                programme=PROGRAMME, name="会计", entry_year=YEAR, credit_points_total=14_000, courses=COURSES,
                curriculum_revision=1,
            ),
        )  # fmt: skip
        put_class(TrainingClass("C1", SCHEME, LEVEL, 400, date(2021, 9, 1), date(2021, 12, 1), class_hours=48))
        put_module(TrainingModule(SCHEME, LEVEL, MODULE, "纳税申报", 16))
        put_module(TrainingModule(SCHEME, LEVEL, "ledger", "智能记账", 12))
        return self


def place(learner_id: str = "lan", level: Level = LEVEL) -> EnrolmentApproved:
    return EnrolmentApproved(
        learner_id=learner_id, application_id=f"{learner_id}:{SCHEME}:{int(level)}", scheme=SCHEME, level=level,
        kind=LearnerKind.STUDENT,
    )  # fmt: skip


def no_place(learner_id: str = "lan") -> EnrolmentWithdrawn:
    application = f"{learner_id}:{SCHEME}:{int(LEVEL)}"
    return EnrolmentWithdrawn(learner_id=learner_id, application_id=application, scheme=SCHEME, level=LEVEL)


def record(learner_id: str = "lan", number: str = NUMBER, entry_year: int = YEAR) -> StudentRecordChanged:
    return StudentRecordChanged(
        learner_id=learner_id, student_number=number, college="4144012345", programme=PROGRAMME, entry_year=entry_year,
        department="财会学院", class_name="会计1903班", status=StudyStatus.ENROLLED, since=date(2019, 9, 1),
    )  # fmt: skip


def exempted(kind: str = "course", module: str = "", learner_id: str = "lan", name: str = "a1") -> ExemptionGranted:
    return ExemptionGranted(**_of_exemption(kind, module, learner_id, name))


def not_exempted(learner_id: str = "lan", name: str = "a1") -> ExemptionWithdrawn:
    return ExemptionWithdrawn(**_of_exemption("course", "", learner_id, name))


def _of_exemption(kind: str, module: str, learner_id: str, name: str) -> dict[str, Any]:
    return {
        "learner_id": learner_id, "application_id": name, "scheme": SCHEME, "level": LEVEL, "course": COURSE,
        "credit_points": 400, "module": module, "student_number": NUMBER, "programme": PROGRAMME, "entry_year": YEAR,
        "term": TERM, "kind": kind,
    }  # fmt: skip


def marked(mark: int = 86, as_of: datetime = JULY, **more: Any) -> None:
    """A mark as the registry submits it; one that is older than what is known is refused, which is right."""
    fields: dict[str, Any] = {"student_number": NUMBER, "course": COURSE, "term": TERM, "grade": ""} | more
    record_marks([(0, Mark(mark=mark, as_of=as_of, **fields))])


def rule(code: str = "tax-by-course", **more: Any) -> ExcuseRule:
    fields: dict[str, Any] = {
        "basis": "学分互认办法第八条", "scheme": SCHEME, "level": LEVEL, "module": MODULE, "programme": PROGRAMME,
        "entry_year": YEAR, "course": COURSE, "least_mark": 75, "valid_from": date(2019, 9, 1),
        "valid_until": date(2025, 8, 31),
    }  # fmt: skip
    return ExcuseRule(code=code, version=0, **fields | more)


def published(one: ExcuseRule | None = None) -> ExcuseRule:
    """A rule that two people approved, in force."""
    draft = drafted(one or rule())
    return publish_rule(draft.code, draft.version)


def drafted(one: ExcuseRule) -> ExcuseRule:
    """A rule that two people approved."""
    draft = draft_rule(one, "li")
    approve_rule(draft.code, draft.version, "li")
    return approve_rule(draft.code, draft.version, "mei")


def settle() -> None:
    """What the worker does until nothing is due."""
    with cause("a test"):
        while spread_rules():
            pass
        while waiters.sweep(MARK, settle_waiting) or waiters.waiting(REVIEW):
            waiters.sweep(REVIEW, review_learners)


def excused(*learners: str) -> list[tuple[str, str, int]]:
    """From what somebody is excused: learner, module, hours."""
    found = excuses_of(learners or ("lan",))
    return [(one.learner_id, one.module, one.class_hours) for one in found if one.is_excused]


def excuse(learner_id: str = "lan") -> Excuse:
    """The one excuse of a learner, whether it stands or not."""
    [found] = excuses_of([learner_id])
    return found


def told(*keys: str) -> list[str]:
    """What was announced about excuses, of anybody or on some keys, in order."""
    where = {"type": {"$in": TOLD}} | ({"key": {"$in": list(keys)}} if keys else {})
    short = {"TrainingModuleExcused": "excused", "TrainingExcuseWithdrawn": "withdrawn"}
    return [short[row["type"]] for row in rows_of(Outbox, where, sort=[("time", 1), ("key", 1), ("seq", 1)])]


def at_once(*deeds: Callable[[], object]) -> None:
    """Do several things at the same time."""
    start = Barrier(len(deeds))

    def run(deed: Callable[[], object]) -> None:
        start.wait()
        deed()

    with ThreadPoolExecutor(len(deeds)) as threads:
        list(threads.map(run, deeds))
