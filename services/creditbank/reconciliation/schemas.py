"""The shape of reports, reconciliations and discrepancies over HTTP."""

from __future__ import annotations

from marshmallow import fields, validate

from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema
from services.creditbank.reconciliation.domain import Kind
from services.creditbank.reconciliation.remedies import Act, Party
from services.creditbank.reconciliation.runs import Stage, State
from services.creditbank.reconciliation.sheet import COLUMNS

MOST_APPROVALS = 500
MOST_HEADERS = 30
LAST_REPORT = 10**9
WORD = validate.Length(1, 100)


class CertificateReportSchema(Schema):
    """A report that a TEO's certificates are compared with, and the days and schemes it speaks for."""

    number = fields.Integer(required=True, metadata={"description": "the number of its import"})
    teo = fields.String(required=True)
    uploaded_by = fields.String(required=True)
    taken_at = fields.AwareDateTime(required=True)
    issued_from = fields.Date(required=True)
    issued_until = fields.Date(required=True)
    is_period_given = fields.Boolean(required=True)
    schemes = fields.List(fields.String(), required=True)
    rows = fields.Integer(required=True)
    left_out = fields.Integer(
        required=True,
        metadata={"description": "rows that were refused: with any, the report is not asked what it does not name"},
    )
    run = fields.Integer(required=True, allow_none=True, metadata={"description": "its first reconciliation"})


class ReportsArgs(PageArgs):
    teo = fields.String(validate=WORD)


class ReconciliationAskedSchema(Schema):
    """Which report to compare again; without one all that stands here is compared with the ledger."""

    report = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(1, LAST_REPORT))


class KindCountSchema(Schema):
    kind = fields.String(required=True)
    count = fields.Integer(required=True)


class ReconciliationSchema(Schema):
    """One comparison and how far it is; `seen`: rows, holdings and accounts that it has looked at."""

    number = fields.Integer(required=True)
    stage = fields.String(required=True, validate=validate.OneOf([str(one) for one in Stage]))
    report = fields.Integer(required=True, allow_none=True)
    teo = fields.String(required=True, allow_none=True)
    night = fields.String(required=True, allow_none=True, metadata={"description": "the day of a nightly one"})
    asked_by = fields.String(required=True)
    begun_at = fields.AwareDateTime(required=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)
    seen = fields.Integer(required=True)
    discrepancies = fields.Integer(required=True)
    counts = fields.List(fields.Nested(KindCountSchema), required=True)


class DiscrepancyFilters(Schema):
    kind = fields.String(validate=validate.OneOf([str(one) for one in Kind]))
    state = fields.String(validate=validate.OneOf([str(one) for one in State]))
    teo = fields.String(validate=WORD)


class DiscrepanciesArgs(DiscrepancyFilters, PageArgs):
    """The filters, and where to read on."""


class DiscrepancySchema(Schema):
    """One thing that does not agree, and what mends it: an `act` of the bank, or a task of a `party`."""

    id = fields.String(required=True)
    run = fields.Integer(required=True)
    kind = fields.String(required=True, validate=validate.OneOf([str(one) for one in Kind]))
    state = fields.String(required=True, validate=validate.OneOf([str(one) for one in State]))
    teo = fields.String(required=True)
    scheme = fields.String(required=True)
    level = fields.Integer(required=True, allow_none=True)
    certificate_number = fields.String(required=True, allow_none=True)
    learner_id = fields.String(required=True, allow_none=True)
    result_id = fields.String(required=True, allow_none=True)
    row = fields.Integer(required=True, allow_none=True, metadata={"description": "of the report"})
    issued_on = fields.Date(required=True, allow_none=True)
    here = fields.String(required=True)
    there = fields.String(required=True)
    zh = fields.String(required=True)
    en = fields.String(required=True)
    mend_zh = fields.String(required=True)
    mend_en = fields.String(required=True)
    act = fields.String(required=True, validate=validate.OneOf(["", *(str(one) for one in Act)]))
    party = fields.String(required=True, validate=validate.OneOf(["", *(str(one) for one in Party)]))
    request = fields.String(required=True, metadata={"description": "what mends it, as it is sent"})
    approved_by = fields.String(required=True, allow_none=True)
    approved_at = fields.AwareDateTime(required=True, allow_none=True)
    ended_by = fields.Integer(required=True, allow_none=True, metadata={"description": "the run that closed it"})


class DiscrepancyApprovalSchema(Schema):
    discrepancy = fields.String(required=True, validate=validate.Length(1, 40))


class DiscrepancyApprovalsSchema(Schema):
    items = fields.List(
        fields.Nested(DiscrepancyApprovalSchema), required=True, validate=validate.Length(1, MOST_APPROVALS)
    )


class ColumnHeadersSchema(Schema):
    """What else a TEO writes above a column of the template."""

    column = fields.String(required=True, validate=validate.OneOf([one.name for one in COLUMNS]))
    headers = fields.List(fields.String(validate=WORD), required=True, validate=validate.Length(1, MOST_HEADERS))


class ReportProfileSchema(Schema):
    """How a TEO heads its columns; `left_out`: headers of columns that it sends besides, and that are not read."""

    columns = fields.List(
        fields.Nested(ColumnHeadersSchema), load_default=[], validate=validate.Length(0, len(COLUMNS))
    )
    left_out = fields.List(fields.String(validate=WORD), load_default=[], validate=validate.Length(0, MOST_HEADERS))
