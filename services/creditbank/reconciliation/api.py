"""Reconciliation over HTTP: reports, comparisons, what they found, and approvals of what mends it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from flask import Response

from chassis.errors import Sifted
from chassis.sheet.export import check_length, csv_lines
from chassis.sheet.saving import SavedTableSchema, answered
from chassis.sheet.write import XLSX
from chassis.web.access import allow, caller, owned
from chassis.web.blueprint import Blueprint
from chassis.web.once import once
from chassis.web.paging import number_before, page, paged, place_after
from chassis.web.problems import language
from chassis.web.schemas import JudgedSchema, accepted, refused
from contracts.terms import Role, credit_code_of
from services.creditbank.reconciliation import commands, queries
from services.creditbank.reconciliation.commands import Approval
from services.creditbank.reconciliation.listing import FOUND, HEADINGS, lines_of
from services.creditbank.reconciliation.runs import Profile
from services.creditbank.reconciliation.schemas import (
    CertificateReportSchema,
    DiscrepanciesArgs,
    DiscrepancyApprovalsSchema,
    DiscrepancyFilters,
    DiscrepancySchema,
    ReconciliationAskedSchema,
    ReconciliationSchema,
    ReportProfileSchema,
    ReportsArgs,
)
from services.creditbank.reconciliation.sheet import check_profile

READERS = (Role.TEO, Role.REGISTRY, Role.OPERATOR, Role.AUDITOR)
BINARY, TEXT = {"type": "string", "format": "binary"}, {"type": "string"}
CSV = "text/csv; charset=utf-8"
Judged = Mapping[str, Any]

blp = Blueprint("reconciliation", __name__, description="Reports of TEOs, assessment and the ledger, compared.")


@blp.route("/certificate-reports")
@allow(*READERS)
@paged(CertificateReportSchema, ReportsArgs)
def list_reports(args: dict[str, Any]) -> dict[str, Any]:
    """Reports that were taken, the newest first; they come by POST /imports?kind=certificate-report."""
    found = queries.reports_before(number_before(args["cursor"]), _teos(args), args["limit"] + 1)
    return page(found, args["limit"], key=lambda one: [one["number"]])


def _teos(args: dict[str, Any]) -> Collection[str] | None:
    """Whose are asked for, of those that the caller may see."""
    mine, asked = owned("teo"), args.get("teo")
    if asked is None:
        return mine
    return {asked} if mine is None else {asked} & mine


@blp.route("/certificate-reports/<int:number>")
@allow(*READERS, owning=queries.owner_of_report)
@blp.response(200, CertificateReportSchema)
def get_report(number: int) -> dict[str, Any]:
    """A report and what it speaks for."""
    return queries.report_of(number)


@blp.route("/reconciliations", methods=["POST"])
@allow(Role.REGISTRY, Role.OPERATOR, whole_college=True)
@once
@blp.arguments(ReconciliationAskedSchema)
@blp.response(202, ReconciliationSchema)
def post_reconciliation(given: dict[str, Any]) -> Any:
    """Compare all that stands here, or a report again, in the background: follow Location."""
    run = commands.ask(caller().subject, given["report"])
    return queries.shown_run(run), 202, {"Location": f"/reconciliations/{run.number}"}


@blp.route("/reconciliations", methods=["GET"])
@allow(*READERS)
@paged(ReconciliationSchema, ReportsArgs)
def list_reconciliations(args: dict[str, Any]) -> dict[str, Any]:
    """Comparisons, the newest first; to a TEO those of its own reports."""
    found = queries.runs_before(number_before(args["cursor"]), _teos(args), args["limit"] + 1)
    return page(found, args["limit"], key=lambda one: [one["number"]])


@blp.route("/reconciliations/<int:number>")
@allow(*READERS, owning=queries.owner_of)
@blp.response(200, ReconciliationSchema)
def get_reconciliation(number: int) -> dict[str, Any]:
    """How far a comparison is, and what it has found, by kind."""
    return queries.run_of(number)


@blp.route("/reconciliations/<int:number>/discrepancies")
@allow(*READERS, owning=queries.owner_of)
@paged(DiscrepancySchema, DiscrepanciesArgs)
def list_discrepancies(args: dict[str, Any], number: int) -> dict[str, Any]:
    """What a comparison found: each with a sentence, what mends it, and how far that is."""
    found = queries.discrepancies_after(number, _filters(args), place_after(args["cursor"]), args["limit"] + 1)
    return page(found, args["limit"], key=lambda one: [one["id"].rpartition(":")[2]])


def _filters(args: dict[str, Any]) -> dict[str, Any]:
    return {name: args[name] for name in ("kind", "state", "teo") if name in args}


@blp.route("/reconciliations/<int:number>/discrepancies.xlsx")
@allow(*READERS, owning=queries.owner_of)
@blp.arguments(DiscrepancyFilters, location="query")
@blp.response(200, BINARY, content_type=XLSX)
@blp.alt_response(202, schema=SavedTableSchema)
def get_workbook(args: dict[str, Any], number: int) -> Response:
    """The same as a workbook; a long one in the background."""
    return answered(FOUND, {"number": number, **_filters(args)}, f"reconciliation-{number}.xlsx")


@blp.route("/reconciliations/<int:number>/discrepancies.csv")
@allow(*READERS, owning=queries.owner_of)
@blp.arguments(DiscrepancyFilters, location="query")
@blp.response(200, TEXT, content_type=CSV)
def get_csv(args: dict[str, Any], number: int) -> Response:
    """The same as CSV."""
    count, found = queries.discrepancies_to_save(number, _filters(args))
    check_length(count)
    content = csv_lines(HEADINGS[language()], lines_of(found, language()))
    return Response(content, content_type=CSV)


@blp.route("/discrepancy-approvals", methods=["POST"])
@allow(Role.REGISTRY, by_person=True, whole_college=True)
@blp.arguments(DiscrepancyApprovalsSchema)
@blp.response(200, JudgedSchema(many=True))
def approve(given: dict[str, Any]) -> list[Judged]:
    """Approve that discrepancies are mended, each judged alone: the bank acts, or it is a task; a repeat changes
    nothing."""
    asked = [Approval(index, one["discrepancy"]) for index, one in enumerate(given["items"])]
    return _answers(commands.approve(asked, caller().subject))


def _answers(judged: Sifted[Approval, bool]) -> list[Judged]:
    answers = [accepted(one.index, one.discrepancy, changed) for one, changed in judged.accepted]
    answers += [refused(one.index, refusal, one.discrepancy) for one, refusal in judged.refused]
    return sorted(answers, key=lambda answer: int(answer["index"]))


def profile_owner(teo: str) -> dict[str, str | None]:
    """Whose columns these are."""
    return {"teo": teo}


@blp.route("/report-profiles/<teo>", methods=["GET"])
@allow(Role.TEO, Role.REGISTRY, Role.OPERATOR, owning=profile_owner)
@blp.response(200, ReportProfileSchema)
def get_profile(teo: str) -> dict[str, Any]:
    """How a TEO heads the columns of its reports."""
    return queries.shown_profile(queries.profile_of(credit_code_of(teo)))


@blp.route("/report-profiles/<teo>", methods=["PUT"])
@allow(Role.TEO, Role.REGISTRY, Role.OPERATOR, owning=profile_owner)
@blp.arguments(ReportProfileSchema)
@blp.response(200, ReportProfileSchema)
def put_profile(given: dict[str, Any], teo: str) -> dict[str, Any]:
    """Say how a TEO heads its columns, and which of its columns are left out."""
    headers = {one["column"]: tuple(one["headers"]) for one in given["columns"]}
    profile = Profile(credit_code_of(teo), headers, tuple(given["left_out"]))
    check_profile(profile)
    commands.keep_profile(profile)
    return queries.shown_profile(profile)
