"""How training stands, and what a row of a completion sheet led to."""

from __future__ import annotations

from typing import Any

from chassis.web.access import allow
from chassis.web.blueprint import Blueprint
from chassis.web.health import Step
from chassis.web.schemas import FlowSchema
from contracts.terms import Role
from services.training.classes.domain import PlaceState
from services.training.classes.queries import place_counts
from services.training.completions import queries
from services.training.modules.queries import excused_count

STAFF = (Role.REGISTRY, Role.DEPARTMENT, Role.TRAINER, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)

blp = Blueprint("training", __name__, description="How training stands.")


@blp.route("/flow")
@allow(*STAFF)
@blp.response(200, FlowSchema)
def flow() -> Any:
    """How many places are taken, how many learners wait for one, how many completed their training, and how many
    modules learners are excused from."""
    counts = place_counts()
    stages = {
        "places": counts[PlaceState.HELD] + counts[PlaceState.COMPLETED],
        "waiting_for_class": counts[PlaceState.WAITING],
        "completed": counts[PlaceState.COMPLETED],
        "modules_excused": excused_count(),
    }
    return {"stages": [{"stage": stage, "count": count} for stage, count in stages.items()]}


def life(cause: str) -> list[Step]:
    """What a row of a completion sheet recorded, for the page that follows a cause."""
    return [
        {
            "at": row["at"],
            "service": "training",
            "what": "training passed" if row["passed"] else "training failed",
            "id": row["_id"],
            "cause": cause,
            "learner_id": row["learner_id"],
            "detail": {"class": row["class_code"], "scheme": row["scheme"], "level": row["level"]},
        }
        for row in queries.caused_by(cause)
    ]
