"""Modules of trainings, excuse rules, and what a learner is excused from, over HTTP."""

from __future__ import annotations

from typing import Any

from chassis.web.access import allow, caller
from chassis.web.blueprint import Blueprint
from chassis.web.health import Step
from chassis.web.paging import PageArgs, page, paged, place_after
from contracts.terms import Role
from services.training.modules import commands, queries
from services.training.modules.domain import WITHOUT_END, ExcuseRule, TrainingModule
from services.training.modules.schemas import (
    ExcuseRulesArgs,
    ExcuseRuleSchema,
    KeptExcuseRuleSchema,
    TrainingExcuseSchema,
    TrainingModuleBodySchema,
    TrainingModulesArgs,
    TrainingModuleSchema,
)

STAFF = (Role.REGISTRY, Role.DEPARTMENT, Role.TRAINER, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)

blp = Blueprint("modules", __name__, description="Modules of trainings, and which course excuses from which.")


def learner_owner(learner_id: str, **_: str) -> dict[str, str]:
    """What a learner is excused from is theirs."""
    return {"learner": learner_id}


@blp.route("/training-modules/<scheme>/<int:level>/<code>", methods=["PUT"])
@allow(Role.REGISTRY, Role.TRAINER, Role.OPERATOR, whole_college=True)
@blp.arguments(TrainingModuleBodySchema)
@blp.response(200, TrainingModuleSchema)
def put_training_module(body: dict[str, Any], scheme: str, level: int, code: str) -> Any:
    """Enter a module of the training for a scheme at a level, or change it; the same again changes nothing."""
    return commands.put_module(TrainingModule(scheme=scheme, level=level, code=code, **body))  # type: ignore[arg-type]


@blp.route("/training-modules", methods=["GET"])
@allow(*Role)
@paged(TrainingModuleSchema, TrainingModulesArgs)
def list_training_modules(args: dict[str, Any]) -> dict[str, Any]:
    """Modules by scheme, level and code."""
    where = {name: args[name] for name in ("scheme", "level") if args[name]}
    found = queries.modules_page(where, place_after(args["cursor"]), args["limit"] + 1)
    return page(found, args["limit"], key=lambda one: [one.place])


@blp.route("/excuse-rules/<code>", methods=["PUT"])
@allow(Role.REGISTRY, Role.OPERATOR, whole_college=True)
@blp.arguments(ExcuseRuleSchema)
@blp.response(200, KeptExcuseRuleSchema)
def put_excuse_rule(given: dict[str, Any], code: str) -> Any:
    """Draft a rule's next version; two people approve it before it is published."""
    if given["valid_until"] is None:
        raise WITHOUT_END()
    return commands.draft_rule(ExcuseRule(code=code, version=0, **given), caller().subject)


@blp.route("/excuse-rules/<code>", methods=["GET"])
@allow(*Role)
@blp.response(200, KeptExcuseRuleSchema(many=True))
def get_excuse_rule(code: str) -> Any:
    """Every version of a rule, the latest first."""
    return queries.rule_versions(code)


@blp.route("/excuse-rules", methods=["GET"])
@allow(*Role)
@paged(KeptExcuseRuleSchema, ExcuseRulesArgs)
def list_excuse_rules(args: dict[str, Any]) -> dict[str, Any]:
    """Excuse rules, each in every version, of a training, programme, entry year or state."""
    names = ("scheme", "level", "programme", "entry_year", "state")
    where = {name: args[name] for name in names if args[name] is not None}
    found = queries.rules_page(where, place_after(args["cursor"]), args["limit"] + 1)
    return page(found, args["limit"], key=lambda one: [f"{one.code}:{one.version:04d}"])


@blp.route("/excuse-rules/<code>/versions/<int:version>/approval", methods=["PUT"])
@allow(Role.REGISTRY, Role.OPERATOR, by_person=True, whole_college=True)
@blp.response(200, KeptExcuseRuleSchema)
def approve_excuse_rule(code: str, version: int) -> Any:
    """Approve a draft; it is approved when two people have."""
    return commands.approve_rule(code, version, caller().subject)


@blp.route("/excuse-rules/<code>/versions/<int:version>/publication", methods=["PUT"])
@allow(Role.REGISTRY, Role.OPERATOR, by_person=True, whole_college=True)
@blp.response(200, KeptExcuseRuleSchema)
def publish_excuse_rule(code: str, version: int) -> Any:
    """Publish an approved version, for all whom it concerns; the one before it is retired."""
    return commands.publish_rule(code, version)


@blp.route("/excuse-rules/<code>/versions/<int:version>/publication", methods=["DELETE"])
@allow(Role.REGISTRY, Role.OPERATOR, by_person=True, whole_college=True)
@blp.response(200, KeptExcuseRuleSchema)
def retire_excuse_rule(code: str, version: int) -> Any:
    """Retire a published version; whom it has excused it keeps."""
    return commands.retire_rule(code, version)


@blp.route("/learners/<learner_id>/training-excuses", methods=["GET"])
@allow(*STAFF, Role.LEARNER, owning=learner_owner)
@paged(TrainingExcuseSchema, PageArgs)
def list_training_excuses(args: dict[str, Any], learner_id: str) -> dict[str, Any]:
    """What a learner is or was excused from, each with the course, the mark, the rule and its basis, in a sentence."""
    found = queries.excuses_page(learner_id, place_after(args["cursor"]), args["limit"] + 1)
    return page(found, args["limit"], key=lambda one: [one["place"]])


def life(cause: str) -> list[Step]:
    """What a cause excused somebody from, or took back, for the page that follows a cause."""
    return [
        {
            "at": row["at"],
            "service": "training",
            "what": "module excused" if row["is_excused"] else "excuse withdrawn",
            "id": row["_id"],
            "cause": cause,
            "learner_id": row["learner_id"],
            "detail": {name: row[name] for name in ("scheme", "level", "module", "course", "rule", "rule_version")},
        }
        for row in queries.caused_by(cause)
    ]
