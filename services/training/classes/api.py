"""Classes and who has a place in them."""

from __future__ import annotations

import re
from typing import Any

from chassis.database import Row
from chassis.errors import Ground
from chassis.web.access import allow
from chassis.web.blueprint import Blueprint
from chassis.web.health import Step
from chassis.web.paging import PageArgs, page, paged, place_after
from contracts.terms import Level, Role
from services.training.classes import commands, queries
from services.training.classes.domain import TrainingClass
from services.training.classes.schemas import CODE, ClassBodySchema, ClassesArgs, ClassSchema, PlaceSchema

STAFF = (Role.REGISTRY, Role.DEPARTMENT, Role.TRAINER, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
CLASS_CODE_INVALID = Ground(
    "class_code_invalid",
    en="A class code has 1 to 64 letters, digits, dots, dashes or underscores.",
    zh="班级代码由 1 至 64 个字母、数字、点、连字符或下划线组成。",
)

blp = Blueprint("classes", __name__, url_prefix="/classes", description="Classes and places.")


@blp.route("")
@allow(*STAFF)
@paged(ClassSchema, ClassesArgs)
def list_classes(args: dict[str, Any]) -> dict[str, Any]:
    """Classes by code."""
    limit = args["limit"]
    found = queries.classes_page(place_after(args["cursor"]), limit + 1, args["scheme"], args["level"])
    return page(found, limit, key=lambda one: [one.code])


@blp.route("/<code>")
@allow(*STAFF)
@blp.response(200, ClassSchema)
def get_class(code: str) -> Any:
    """A class."""
    return queries.class_by_code(code)


@blp.route("/<code>", methods=["PUT"])
@allow(Role.OPERATOR, whole_college=True)
@blp.arguments(ClassBodySchema)
@blp.response(200, ClassSchema)
def put_class(body: dict[str, Any], code: str) -> Any:
    """Open a class, or change it; learners who wait for its scheme and level get the room there is."""
    if len(code) > 64 or not re.fullmatch(CODE, code):
        raise CLASS_CODE_INVALID()
    return commands.put_class(TrainingClass(code=code, **{**body, "level": Level(body["level"])}))


@blp.route("/<code>/places")
@allow(*STAFF)
@paged(PlaceSchema, PageArgs)
def list_places(args: dict[str, Any], code: str) -> dict[str, Any]:
    """The places of a class, by application."""
    limit = args["limit"]
    found = [_shown(row) for row in queries.places_page(code, place_after(args["cursor"]), limit + 1)]
    return page(found, limit, key=lambda one: [one["application_id"]])


def _shown(row: Row) -> dict[str, Any]:
    return {**row, "application_id": row["_id"], "since": row["at"]}


def life(cause: str) -> list[Step]:
    """The places an approval led to, for the page that follows a cause."""
    return [
        {
            "at": row["at"],
            "service": "training",
            "what": f"place {row['state']}",
            "id": row["_id"],
            "cause": cause,
            "learner_id": row["learner_id"],
            "detail": {"class": row["class_code"], "scheme": row["scheme"], "level": row["level"]},
        }
        for row in queries.caused_by(cause)
    ]
