"""The shape of learners over HTTP."""

from __future__ import annotations

from marshmallow import fields, validate

from chassis.web.paging import PageArgs
from chassis.web.schemas import Schema
from contracts.terms import DocumentType, LearnerKind, StudyStatus

LEARNER_ID = validate.Length(1, 64)
PURPOSE = validate.Length(1, 200)


class LearnerSchema(Schema):
    learner_id = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(LearnerKind))
    registered_at = fields.AwareDateTime(required=True)
    merged_into = fields.String(required=True, allow_none=True)


class LearnerFilters(PageArgs):
    student_number = fields.String(load_default="", validate=validate.Length(0, 64))
    name = fields.String(
        load_default="",
        validate=validate.Length(0, 100),
        metadata={"description": "the whole name; noted in the audit"},
    )


class StudentRecordSchema(Schema):
    student_number = fields.String(required=True)
    college = fields.String(required=True)
    programme = fields.String(required=True)
    entry_year = fields.Integer(required=True)
    department = fields.String(required=True)
    class_name = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(StudyStatus))
    since = fields.Date(required=True)
    until = fields.Date(required=True, allow_none=True)


class PurposeArgs(Schema):
    purpose = fields.String(required=True, validate=PURPOSE, metadata={"description": "noted in the audit"})


class MatchArgs(Schema):
    purpose = fields.String(load_default="match", validate=PURPOSE, metadata={"description": "noted in the audit"})


class DocumentSchema(Schema):
    document_type = fields.String(
        required=True, metadata={"description": "resident, passport, … or 居民身份证, …; empty: resident"}
    )
    document_number = fields.String(required=True, metadata={"description": "as written; unsound ones match nobody"})


class MatchedSchema(Schema):
    learner_id = fields.String(required=True, allow_none=True)


class KeysWantedSchema(Schema):
    learner_ids = fields.List(fields.String(validate=LEARNER_ID), required=True, validate=validate.Length(0, 500))
    purpose = fields.String(required=True, validate=PURPOSE)


class KeysSchema(Schema):
    keys = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "base64url of 32 bytes, by learner id; unknown learners are left out"},
    )


class MaskedDocumentSchema(Schema):
    document_type = fields.String(required=True, validate=validate.OneOf(DocumentType))
    masked_number = fields.String(required=True)


class ParticularsSchema(Schema):
    learner_id = fields.String(required=True)
    name = fields.String(required=True)
    phone = fields.String(required=True, allow_none=True)
    email = fields.String(required=True, allow_none=True)
    documents = fields.List(fields.Nested(MaskedDocumentSchema), required=True)
