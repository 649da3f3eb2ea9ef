"""Policies, conversion rules and applications over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from flask import Response

from chassis import clock
from chassis.errors import Sifted
from chassis.web.access import allow, caller, owned
from chassis.web.blueprint import Blueprint
from chassis.web.paging import number_before, page, paged, place_after
from chassis.web.schemas import JudgedSchema, accepted, refused
from contracts.terms import Role
from services.creditbank.conversion import (
    appealing,
    applying,
    commands,
    deciding,
    delegating,
    exporting,
    queries,
    voiding,
)
from services.creditbank.conversion.applications import Actor
from services.creditbank.conversion.applying import Wish
from services.creditbank.conversion.deciding import Decision, Undo
from services.creditbank.conversion.delegations import DELEGATED, Delegation
from services.creditbank.conversion.domain import WITHOUT_END, ConversionRule, Policy
from services.creditbank.conversion.exporting import Answer
from services.creditbank.conversion.schemas import (
    AppealWishSchema,
    ApplicationDecisionSchema,
    ApplicationFilters,
    ApplicationSchema,
    ApplicationUndoSchema,
    ConversionRuleSchema,
    DelegationSchema,
    DelegationWishSchema,
    EarlierSchema,
    ExemptionExportSchema,
    ExemptionWishSchema,
    ExportAnswerSchema,
    ExportSchema,
    ForgottenExemptionSchema,
    KeptPolicySchema,
    KeptRuleSchema,
    PolicySchema,
    RuleFilters,
    VoidApprovalSchema,
    VoidFiguresSchema,
    VoidSchema,
    VoidWishSchema,
)
from services.creditbank.curricula import queries as curricula

DELEGATORS = tuple(sorted(DELEGATED))
DECIDERS = (Role.DEPARTMENT, Role.REGISTRY, Role.TEO, Role.OPERATOR)
READERS = (Role.LEARNER, *DECIDERS, Role.AUDITOR)
OWNERS = {"learner": "learner_id", "department": "department", "teo": "teo"}
SHEET, TEXT = "text/csv; charset=utf-8", {"type": "string"}

blp = Blueprint("conversion", __name__, description="What credits are converted to, by which policy, and for whom.")
Judged = Mapping[str, Any]


def account_owner(learner_id: str, **_: str) -> dict[str, str]:
    """An account belongs to its learner."""
    return {"learner": learner_id}


def student_owner(learner_id: str, **_: str) -> dict[str, str | None]:
    """An account belongs to its learner, and to each department and college where they have a student record."""
    records = curricula.records_of(learner_id)
    at = {"department": {one.department for one in records}, "college": {one.college for one in records}}
    return {"learner": learner_id} | {kind: min(ids & (owned(kind) or set()), default=None) for kind, ids in at.items()}


def application_owner(application: str, **_: str) -> Mapping[str, str | None]:
    """An application belongs to its learner, and to their department; what was delegated to staff is as their own."""
    who = caller()
    if who.owns and delegating.may_decide_in_stead(_actor(), application):
        return {kind: next(iter(ids), None) for kind, ids in who.owns.items()}
    return queries.owner_of(application)


def void_owner(application: str, **_: str) -> Mapping[str, str | None]:
    """What is to be voided belongs to its learner: no department or organisation decides about it."""
    return queries.owner_of_void(application)


@blp.route("/conversion-policies/<code>", methods=["PUT"])
@allow(Role.REGISTRY, Role.OPERATOR, whole_college=True)
@blp.arguments(PolicySchema)
@blp.response(200, KeptPolicySchema)
def put_policy(given: dict[str, Any], code: str) -> dict[str, Any]:
    """Draft a policy document's next version; two people approve it before it is published. Where there is none yet, a
    folklore default is at once."""
    policy = msgspec.convert(given | {"code": code, "version": 0}, Policy)
    return queries.shown(commands.draft_policy(policy, caller().subject))


@blp.route("/conversion-policies/<code>", methods=["GET"])
@allow(*Role)
@blp.response(200, KeptPolicySchema(many=True))
def get_policy(code: str) -> list[dict[str, Any]]:
    """Every version of a policy document, the latest first."""
    return queries.policy_of(code)


@blp.route("/conversion-policies", methods=["GET"])
@allow(*Role)
@paged(KeptPolicySchema)
def list_policies(args: dict[str, Any]) -> dict[str, Any]:
    """All policy documents, each in every version."""
    found = queries.policies_after(place_after(args["cursor"]), args["limit"] + 1)
    return page(found, args["limit"], key=_place)


@blp.route("/conversion-rules/<code>", methods=["PUT"])
@allow(Role.REGISTRY, Role.OPERATOR, whole_college=True)
@blp.arguments(ConversionRuleSchema)
@blp.response(200, KeptRuleSchema)
def put_rule(given: dict[str, Any], code: str) -> dict[str, Any]:
    """Draft a rule's next version; two people approve it before it is published. A folklore default is at once."""
    if given["valid_until"] is None:
        raise WITHOUT_END()
    rule = msgspec.convert(given | {"code": code, "version": 0}, ConversionRule)
    return queries.shown(commands.draft_rule(rule, caller().subject))


@blp.route("/conversion-rules/<code>", methods=["GET"])
@allow(*Role)
@blp.response(200, KeptRuleSchema(many=True))
def get_rule(code: str) -> list[dict[str, Any]]:
    """Every version of a rule, the latest first."""
    return queries.rule_of(code)


@blp.route("/conversion-rules", methods=["GET"])
@allow(*Role)
@paged(KeptRuleSchema, RuleFilters)
def list_rules(args: dict[str, Any]) -> dict[str, Any]:
    """Conversion rules, each in every version, of a programme, entry year, scheme or state."""
    names = ("programme", "entry_year", "scheme", "state")
    where = {name: args[name] for name in names if args[name] is not None}
    found = queries.rules_after(where, place_after(args["cursor"]), args["limit"] + 1)
    return page(found, args["limit"], key=_place)


@blp.route("/conversion-rules/<code>/versions/<int:version>/publication", methods=["DELETE"])
@allow(Role.REGISTRY, Role.OPERATOR, by_person=True, whole_college=True)
@blp.response(200, KeptRuleSchema)
def retire_rule(code: str, version: int) -> dict[str, Any]:
    """Retire a published version; what was filed under it goes on."""
    return queries.shown(commands.retire_rule(code, version))


@blp.route("/accounts/<learner_id>/conversion-applications", methods=["POST"])
@allow(Role.LEARNER, owning=account_owner)
@blp.arguments(ExemptionWishSchema)
@blp.response(200, ApplicationSchema)
def apply(given: dict[str, str], learner_id: str) -> dict[str, Any]:
    """File an application for oneself; filed twice, it is one."""
    return _as_seen(queries.shown_application(applying.apply(learner_id, Wish(**given), caller().subject)))


@blp.route("/conversion-applications", methods=["GET"])
@allow(*READERS)
@paged(ApplicationSchema, ApplicationFilters)
def list_applications(args: dict[str, Any]) -> dict[str, Any]:
    """Applications by id; who is limited to a learner or a department sees those."""
    where = {name: value for name, value in args.items() if name not in {"cursor", "limit"} and value is not None}
    if caller().is_only(Role.LEARNER) or "learner" in caller().owns:
        where = queries.as_learner_asks(where)
    if caller().owns:
        where = {"$and": [where, _own_or_delegated()]}
    found = queries.applications_after(where, place_after(args["cursor"]), args["limit"] + 1)
    return page([_as_seen(one) for one in found], args["limit"], key=lambda one: [one["application"]])


@blp.route("/conversion-applications/<application>", methods=["GET"])
@allow(*READERS, owning=application_owner)
@blp.response(200, ApplicationSchema)
def get_application(application: str) -> dict[str, Any]:
    """One application."""
    return _as_seen(queries.application_of(application))


@blp.route("/conversion-applications/<application>/withdrawal", methods=["PUT"])
@allow(Role.LEARNER, owning=application_owner)
@blp.response(200, ApplicationSchema)
def withdraw(application: str) -> dict[str, Any]:
    """Withdraw an application before it is decided; its points are available again."""
    return _as_seen(queries.shown_application(applying.withdraw(application, caller().subject)))


@blp.route("/conversion-applications/<application>/offer", methods=["POST"])
@allow(Role.LEARNER, owning=application_owner)
@blp.response(200, ApplicationSchema)
def accept_offer(application: str) -> dict[str, Any]:
    """Take the offer that came with a refusal: an application of its own, under review at once."""
    return _as_seen(queries.shown_application(applying.accept_offer(application, caller().subject)))


@blp.route("/conversion-applications/<application>/appeal", methods=["PUT"])
@allow(Role.LEARNER, owning=application_owner)
@blp.arguments(AppealWishSchema)
@blp.response(200, ApplicationSchema)
def appeal(given: dict[str, str], application: str) -> dict[str, Any]:
    """Appeal against a refusal, once: another person decides about it."""
    return _as_seen(queries.shown_application(appealing.appeal(application, given["reason"], caller().subject)))


@blp.route("/conversion-decisions", methods=["POST"])
@allow(*DECIDERS, by_person=True)
@blp.arguments(ApplicationDecisionSchema(many=True))
@blp.response(200, JudgedSchema(many=True))
def decide(body: list[dict[str, str]]) -> list[Judged]:
    """Approve or refuse applications at the step they are at, uphold or dismiss their appeals, each judged alone; a
    repeat is `unchanged`, and a refusal without a reason is refused itself."""
    decisions = [
        Decision(index, one["application"], one["verdict"] == "approve", one["reason"], one["on_behalf_of"])
        for index, one in enumerate(body)
    ]
    return _answers(deciding.decide(decisions, _actor()))


@blp.route("/conversion-undos", methods=["POST"])
@allow(*DECIDERS, by_person=True)
@blp.arguments(ApplicationUndoSchema(many=True))
@blp.response(200, JudgedSchema(many=True))
def undo(body: list[dict[str, Any]]) -> list[Judged]:
    """Take decisions back within the undo window; each goes back with its hold kept, and nobody is told.

    A department or TEO takes back what was decided at its own step, and names no rule version.
    """
    asked = [Undo(index, **one) for index, one in enumerate(body)]
    return _answers(deciding.undo(asked, _actor()))


@blp.route("/conversion-delegations", methods=["POST"])
@allow(*DELEGATORS, by_person=True)
@blp.arguments(DelegationWishSchema)
@blp.response(200, DelegationSchema)
def delegate(given: dict[str, Any]) -> dict[str, Any]:
    """Let another decide in one's stead, for some days and within one's own scope; the same again is one."""
    one = Delegation("", "", given["to"], Role(given["role"]), _departments(given), (), given["first"], given["until"],
                     given["note"], clock.now())  # fmt: skip
    return queries.shown_delegation(delegating.delegate(one, _actor()))


@blp.route("/conversion-delegations", methods=["GET"])
@allow(*DECIDERS, Role.AUDITOR)
@paged(DelegationSchema)
def list_delegations(args: dict[str, Any]) -> dict[str, Any]:
    """Delegations that one gave or has; the operator and the auditor see all, revoked and over ones too."""
    sees_all = bool(caller().roles & {Role.OPERATOR, Role.AUDITOR}) and not caller().owns
    subject = None if sees_all else caller().subject
    found = queries.delegations_after(subject, place_after(args["cursor"]), args["limit"] + 1)
    return page(found, args["limit"], key=lambda one: [one["delegation"]])


@blp.route("/conversion-delegations/<delegation>/revocation", methods=["PUT"])
@allow(*DELEGATORS, Role.OPERATOR, by_person=True)
@blp.response(200, DelegationSchema)
def revoke_delegation(delegation: str) -> dict[str, Any]:
    """Take a delegation back; what was decided by it stays."""
    return queries.shown_delegation(delegating.revoke(delegation, _actor()))


@blp.route("/exemption-exports", methods=["POST"])
@allow(Role.REGISTRY, whole_college=True)
@blp.response(200, ExemptionExportSchema)
def export() -> dict[str, Any]:
    """Put new exemptions, and rejected ones again, into the next export for the registry's system."""
    number = exporting.export(caller().subject)
    return {"number": number, "rows": exporting.row_of(number)["rows"] if number else []}


@blp.route("/exemption-exports", methods=["GET"])
@allow(Role.REGISTRY, Role.OPERATOR, Role.AUDITOR, whole_college=True)
@paged(ExportSchema)
def list_exports(args: dict[str, Any]) -> dict[str, Any]:
    """What went out, the newest first, by whom and how many rows."""
    found = exporting.exports_before(number_before(args["cursor"]), args["limit"] + 1)
    return page(found, args["limit"], key=lambda one: [one["number"]])


@blp.route("/exemption-exports/<int:number>", methods=["GET"])
@allow(Role.REGISTRY, Role.OPERATOR, Role.AUDITOR, whole_college=True)
@blp.response(200, ExemptionExportSchema)
def get_export(number: int) -> dict[str, Any]:
    """What went out in an export, as it went."""
    return {"number": number, "rows": exporting.row_of(number)["rows"]}


@blp.route("/exemption-exports/<int:number>/sheet.csv", methods=["GET"])
@allow(Role.REGISTRY, Role.OPERATOR, Role.AUDITOR, whole_college=True)
@blp.response(200, TEXT, content_type=SHEET)
def get_sheet(number: int) -> Response:
    """An export as a sheet for the registry's system: 学号, 课程代码, 学期, 学分, 类别."""
    return Response(exporting.sheet_of(exporting.row_of(number)["rows"]), content_type=SHEET)


@blp.route("/exemption-exports/<int:number>/acknowledgement", methods=["POST"])
@allow(Role.REGISTRY, whole_college=True)
@blp.arguments(ExportAnswerSchema(many=True))
@blp.response(200, JudgedSchema(many=True))
def acknowledge(body: list[dict[str, str]], number: int) -> list[Judged]:
    """Note what the registry's system took; what it rejected, with a reason, goes out again."""
    answers = [Answer(index, **one) for index, one in enumerate(body)]
    return _answers(exporting.acknowledge(number, answers, caller().subject))


@blp.route("/accounts/<learner_id>/earlier-conversions", methods=["PUT"])
@allow(Role.REGISTRY, owning=student_owner)
@blp.arguments(EarlierSchema)
@blp.response(200, EarlierSchema)
def put_earlier(given: dict[str, Any], learner_id: str) -> dict[str, Any]:
    """Note what a learner converted before this system, or from other sources; it counts against their share."""
    commands.keep_earlier(learner_id, **given)
    return given


@blp.route("/accounts/<learner_id>/forgotten-exemptions", methods=["GET"])
@allow(Role.REGISTRY, Role.OPERATOR, Role.AUDITOR, owning=account_owner)
@blp.response(200, ForgottenExemptionSchema(many=True))
def get_forgotten(learner_id: str) -> list[dict[str, Any]]:
    """What a learner was granted and a set-back forgot; until it is back, or voided, nothing else goes on."""
    return [queries.shown_lost(*one) for one in voiding.lost_by(learner_id)]


@blp.route("/accounts/<learner_id>/forgotten-exemptions/<application>/void", methods=["PUT"])
@allow(Role.REGISTRY, owning=account_owner, by_person=True)
@blp.arguments(VoidWishSchema)
@blp.response(200, VoidSchema)
def propose_void(given: dict[str, Any], learner_id: str, application: str) -> dict[str, Any]:
    """Propose to void a forgotten exemption that can't be filed again; a second person approves."""
    return queries.shown_void(voiding.propose_void(learner_id, application, **given, by=caller().subject))


@blp.route("/exemption-voids/<application>/approval", methods=["PUT"])
@allow(Role.REGISTRY, owning=void_owner, by_person=True)
@blp.arguments(VoidApprovalSchema)
@blp.response(200, VoidSchema)
def approve_void(given: dict[str, int], application: str) -> dict[str, Any]:
    """Void it, as a second person, by the proposal that was looked at: its learner is told, and may convert again."""
    return queries.shown_void(voiding.approve_void(application, given["revision"], caller().subject))


@blp.route("/exemption-voids", methods=["GET"])
@allow(Role.REGISTRY, Role.OPERATOR, Role.AUDITOR)
@paged(VoidSchema)
def list_voids(args: dict[str, Any]) -> dict[str, Any]:
    """Every proposal to void a forgotten exemption, with who made it, who approved it, and why."""
    found = queries.voids_after(place_after(args["cursor"]), args["limit"] + 1)
    return page(found, args["limit"], key=lambda one: [one["application"]])


@blp.route("/exemption-void-figures", methods=["GET"])
@allow(Role.REGISTRY, Role.OPERATOR, Role.AUDITOR)
@blp.response(200, VoidFiguresSchema)
def get_void_figures() -> dict[str, int]:
    """How many forgotten exemptions were voided, and how many of them are cases in the registry's system."""
    return queries.void_figures()


def _own_or_delegated() -> dict[str, Any]:
    """What is the caller's own, or was delegated to them."""
    own = {kind: set(owned(kind) or ()) for kind in OWNERS}
    delegated = delegating.departments_for(_actor())
    if delegated is None:
        return {}
    own["department"] |= set(delegated)
    return {"$or": [{name: {"$in": sorted(own[kind])}} for kind, name in OWNERS.items()]}


def _departments(given: Mapping[str, Any]) -> tuple[str, ...] | None:
    return None if given["departments"] is None else tuple(given["departments"])


def _actor() -> Actor:
    who = caller()
    departments, learners, teos = (
        who.owns.get(kind, ()) if who.owns else None for kind in ("department", "learner", "teo")
    )
    return Actor(who.subject, who.roles, departments, learners, teos)


def _as_seen(one: dict[str, Any]) -> dict[str, Any]:
    is_own = caller().reads_as(Role.LEARNER, "learner", one["learner_id"])
    return queries.as_learner_sees(one) if is_own else one


def _answers(judged: Sifted[Any, bool]) -> list[Judged]:
    answers = [accepted(one.index, one.application, changed) for one, changed in judged.accepted]
    answers += [refused(one.index, refusal, one.application) for one, refusal in judged.refused]
    return sorted(answers, key=lambda answer: int(answer["index"]))


def _place(one: dict[str, Any]) -> list[str | int]:
    return [f"{one['code']}:{one['version']:04d}"]
