"""A small college to tell stories in: two organisations, two schemes, the calendar of 2021, and its learners."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chassis.bus.batches import Arrival, take
from chassis.bus.event import Announcement
from chassis.bus.outbox import Outbox
from chassis.clock import CAMPUS
from chassis.database import rows_of, run_transaction
from chassis.errors import Refusal
from chassis.sheet.kind import Examined, Row, SheetKind, Upload
from contracts import assessment as published
from contracts.enrolment import CalendarPublished, EnrolmentApproved
from contracts.terms import LearnerKind, Level
from contracts.training import TrainingCompleted
from services.assessment.catalogue.commands import put_scheme, put_teo
from services.assessment.catalogue.domain import EachPart, Scheme, Teo, Weighted
from services.assessment.handlers import HANDLERS
from services.assessment.plans.commands import put_plan
from services.assessment.plans.domain import Plan
from services.assessment.plans.sheet import candidates_sheet
from services.assessment.results.commands import record_results
from services.assessment.results.domain import Marks, Remark, Sitting, Weighed
from services.assessment.results.models import read_results
from tests.support.arrivals import arrival

FINANCE_TEO, CARE_TEO = "91110000000000043U", "911100000000000276"
WEIGHTED = Weighted(1, date(2019, 4, 1), theory=40, practical=60, pass_at=60)
EACH = EachPart(1, date(2019, 4, 1), pass_at=60, resits=1, resit_within_days=365)
FINANCE = Scheme(
    "smart-finance",
    "智能财税",
    FINANCE_TEO,
    (Level.ELEMENTARY, Level.INTERMEDIATE, Level.ADVANCED),
    (WEIGHTED,),
    needs_training=True,
)
CARE = Scheme("maternal-infant", "母婴护理", CARE_TEO, (Level.INTERMEDIATE,), (EACH,))
YEAR_2021 = CalendarPublished(
    year=2021,
    holidays=tuple(date(2021, 9, day) for day in (20, 21)) + tuple(date(2021, 10, day) for day in (1, 4, 5, 6, 7)),
    made_up_days=(date(2021, 9, 18), date(2021, 9, 26), date(2021, 10, 9)),
)
SF2 = Plan(FINANCE_TEO, "SF-2021-B1", "smart-finance", Level.INTERMEDIATE, date(2021, 6, 19), 400, 5, "财会楼")
MI1 = Plan(CARE_TEO, "MI-2020-11", "maternal-infant", Level.INTERMEDIATE, date(2020, 11, 21), 40, 5)
MI2 = Plan(CARE_TEO, "MI-2021-04", "maternal-infant", Level.INTERMEDIATE, date(2021, 4, 17), 40, 5)
AS_OF = datetime(2021, 9, 16, 18, 0, tzinfo=CAMPUS)
COLLEGE = Upload(1, "candidates")


class Register:
    """Everybody's passport number is their learner id, but for strangers."""

    def match(self, documents: Sequence[tuple[str, str]]) -> list[str | None]:
        return [None if number.startswith("STRANGER") else number.lower() for _, number in documents]


class CampusClock:
    """The field's time, set by a story."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._file = folder / "clock"
        monkeypatch.setenv("DEMO", "1")
        monkeypatch.setenv("CLOCK_FILE", str(self._file))

    def stand_at(self, moment: str) -> None:
        self._file.write_text(datetime.fromisoformat(moment).replace(tzinfo=CAMPUS).isoformat())


def open_college(*plans: Plan) -> None:
    put_teo(Teo(FINANCE_TEO, "中联集团教育科技有限公司", ("中联",)))
    put_teo(Teo(CARE_TEO, "济南阳光大姐服务有限责任公司"))
    put_scheme(FINANCE)
    put_scheme(CARE)
    for plan in plans:
        put_plan(plan)


def deliver(*arrivals: Arrival) -> None:
    """What the consumer does with a batch."""
    run_transaction(lambda: take(arrivals, HANDLERS))


def publish_2021() -> None:
    deliver(arrival(YEAR_2021, 1))


def approved(learner: str, plan: Plan, seq: int = 1) -> Arrival:
    body = EnrolmentApproved(
        learner_id=learner,
        application_id=f"{learner}:{plan.scheme}:{plan.level:d}",
        scheme=plan.scheme,
        level=plan.level,
        kind=LearnerKind.STUDENT,
    )
    return arrival(body, seq)


def trained(learner: str, plan: Plan, seq: int = 1) -> Arrival:
    body = TrainingCompleted(
        learner_id=learner,
        class_code="C1",
        scheme=plan.scheme,
        level=plan.level,
        class_hours=48,
        completed_on=date(2020, 10, 1),
    )
    return arrival(body, seq)


def row(number: int, upload: Upload = COLLEGE, **cells: str) -> Row:
    return Row(number, cells, upload=upload)


def candidate_row(number: int, plan: Plan, admission: str, learner: str) -> Row:
    return row(number, 考核计划=plan.code, 准考证号=admission, 姓名="某人", 证件类型="护照", 证件号码=learner.upper())


def look(kind: SheetKind[Any], rows: list[Row]) -> list[Examined]:
    """What a sheet's preview says."""
    kind.resolve(rows)
    return kind.examine(rows, kind.known(rows))


def upload(kind: SheetKind[Any], rows: list[Row], number: int = 1) -> list[Examined]:
    """What previewing and committing a sheet does, in one transaction."""
    kind.resolve(rows)

    def body() -> list[Examined]:
        examined = kind.examine(rows, kind.known(rows))
        for one in examined:
            one.cause = f"import:assessment:{number}:{one.row_no}"
        if accepted := [one for one in examined if one.takes_effect]:
            kind.commit(accepted)
        return examined

    return run_transaction(body)


def verdicts(examined: Iterable[Examined]) -> list[str]:
    return [one.refusal.code if one.refusal else one.status for one in examined]


def seat(plan: Plan, *learners: str, number: int = 1) -> list[str]:
    """Approve, train and register learners; their admission numbers are A1, A2 ... in this order."""
    deliver(*[one for learner in learners for one in (approved(learner, plan, number), trained(learner, plan, number))])
    rows = [candidate_row(n, plan, f"A{n}", learner) for n, learner in enumerate(learners, 1)]
    return verdicts(upload(candidates_sheet(Register()), rows, number))


def sitting(
    plan: Plan,
    admission: str,
    theory: int | None = None,
    practical: int | None = None,
    *,
    remark: str = "",
    as_of: datetime = AS_OF,
    attempt: int = 1,
    external_id: str = "",
) -> Sitting:
    return Sitting(plan.id, admission, Marks(theory, practical, Remark(remark)), as_of, attempt, external_id)


def submit(*sittings: Sitting) -> list[str]:
    """What each item of a submission is answered."""
    return [told(one) for one in record_results(sittings)]


def told(one: Weighed | Refusal) -> str:
    if isinstance(one, Refusal):
        return one.code
    return "accepted" if one.steps else "unchanged"


def announced(*types: type[Announcement]) -> list[Any]:
    """What was announced, of these types or of results and certificates, in the order of each learner."""
    rows = rows_of(Outbox, {"type": {"$in": [one.__name__ for one in types]}} if types else {}, sort=[("time", 1)])
    return [msgspec.json.decode(row["body"], type=getattr(published, row["type"])) for row in rows]


def kinds() -> list[str]:
    """The types of everything announced but schemes and candidates."""
    quiet = {"SchemePublished", "CandidateRegistered"}
    rows = rows_of(Outbox, {"type": {"$nin": list(quiet)}}, sort=[("time", 1), ("seq", 1)])
    return [row["type"] for row in rows]


def states(plan: Plan) -> dict[str, tuple[str, str, int]]:
    """State, verdict and revision of a plan's results, by admission number and attempt."""
    found = read_results({"plan": plan.code})
    return {f"{one.admission_number}/{one.attempt}": (one.state, one.verdict, one.revision) for one in found}
