"""How TEOs, schemes and working days are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

import mongoengine as me
from pymongo import ReplaceOne, UpdateMany

from chassis.database import Row, rows_of, write
from contracts.terms import Level
from contracts.workdays import WorkingDays, Year
from services.assessment.catalogue.domain import EachPart, PassRule, Scheme, Teo, Weighted


class Teos(me.Document):
    meta = {"collection": "teos", "auto_create_index": False, "strict": False}
    code = me.StringField(primary_key=True)
    name = me.StringField()
    aliases = me.ListField(me.StringField())


class Schemes(me.Document):
    """`revision` grows with each change; `pass_rules` are only added to. Dates are ISO texts."""

    meta = {"collection": "schemes", "auto_create_index": False, "strict": False}
    code = me.StringField(primary_key=True)
    name = me.StringField()
    aliases = me.ListField(me.StringField())
    teo = me.StringField()
    levels = me.ListField(me.IntField())
    needs_certificate_number = me.BooleanField()
    needs_training = me.BooleanField()
    publicity_days = me.IntField()
    pass_rules = me.ListField(me.DictField())
    revision = me.IntField()


class CalendarYears(me.Document):
    """What enrolment published about the working days of one year.

    `kept_at` by the machine's clock; `applied`: open publicity was dated again since.
    """

    meta = {"collection": "calendar_years", "auto_create_index": False, "strict": False}
    year = me.IntField(primary_key=True)
    holidays = me.ListField(me.StringField())
    made_up_days = me.ListField(me.StringField())
    kept_at = me.DateTimeField()
    applied = me.BooleanField()


def read_teos() -> list[Teo]:
    """All organisations, by code; there are some dozens."""
    rows = rows_of(Teos, {}, sort=[("_id", 1)])
    return [Teo(row["_id"], row["name"], tuple(row["aliases"])) for row in rows]


def save_teo(teo: Teo) -> None:
    """Keep an organisation as it is now."""
    row = {"name": teo.name, "aliases": list(teo.aliases)}
    write(Teos, [ReplaceOne({"_id": teo.code}, row, upsert=True)])


def read_schemes(codes: Iterable[str] | None = None) -> list[Scheme]:
    """All schemes by code, or those named."""
    where = {} if codes is None else {"_id": {"$in": list(codes)}}
    return [_scheme_of(row) for row in rows_of(Schemes, where, sort=[("_id", 1)])]


def revision_of_scheme(code: str) -> int:
    """How often a scheme was changed; 0 when nobody knows it."""
    rows = rows_of(Schemes, {"_id": code}, ["revision"])
    return int(rows[0]["revision"]) if rows else 0


def save_scheme(scheme: Scheme, revision: int) -> None:
    """Keep a scheme as it is now."""
    row = {
        "name": scheme.name,
        "aliases": list(scheme.aliases),
        "teo": scheme.teo,
        "levels": [int(level) for level in scheme.levels],
        "needs_certificate_number": scheme.needs_certificate_number,
        "needs_training": scheme.needs_training,
        "publicity_days": scheme.publicity_days,
        "pass_rules": [_row_of_rule(rule) for rule in scheme.pass_rules],
        "revision": revision,
    }
    write(Schemes, [ReplaceOne({"_id": scheme.code}, row, upsert=True)])


def _scheme_of(row: Row) -> Scheme:
    return Scheme(
        code=row["_id"],
        name=row["name"],
        teo=row["teo"],
        levels=tuple(Level(level) for level in row["levels"]),
        pass_rules=tuple(_rule_of(rule) for rule in row["pass_rules"]),
        aliases=tuple(row["aliases"]),
        needs_certificate_number=row["needs_certificate_number"],
        needs_training=row["needs_training"],
        publicity_days=row["publicity_days"],
    )


def _rule_of(row: Row) -> PassRule:
    begins = date.fromisoformat(row["sessions_from"])
    if row["kind"] == "weighted":
        return Weighted(row["version"], begins, row["theory"], row["practical"], row["pass_at"])
    return EachPart(row["version"], begins, row["pass_at"], row["resits"], row["resit_within_days"])


def _row_of_rule(rule: PassRule) -> Row:
    common = {"version": rule.version, "sessions_from": rule.sessions_from.isoformat(), "pass_at": rule.pass_at}
    if isinstance(rule, Weighted):
        return {"kind": "weighted", **common, "theory": rule.theory, "practical": rule.practical}
    return {"kind": "each", **common, "resits": rule.resits, "resit_within_days": rule.resit_within_days}


def read_working_days() -> WorkingDays:
    """The calendar as far as it is published here: a few dozen days a year."""
    return WorkingDays({row["_id"]: _year_of(row) for row in rows_of(CalendarYears, {})})


def _year_of(row: Row) -> Year:
    return Year(*(frozenset(map(date.fromisoformat, row[kind])) for kind in ("holidays", "made_up_days")))


def save_years(years: Sequence[tuple[int, Year]]) -> None:
    """Keep the working days of years; the last of several for one year counts."""
    write(
        CalendarYears,
        [
            ReplaceOne(
                {"_id": number},
                {
                    "holidays": [day.isoformat() for day in sorted(year.holidays)],
                    "made_up_days": [day.isoformat() for day in sorted(year.made_up_days)],
                    "kept_at": datetime.now(UTC),
                    "applied": False,
                },
                upsert=True,
            )
            for number, year in years
        ],
        ordered=True,
    )


def years_kept_since(moment: datetime) -> list[int]:
    """Years whose working days were not applied yet, or were replaced after a moment."""
    where = {"$or": [{"applied": False}, {"kept_at": {"$gte": moment}}]}
    return [row["_id"] for row in rows_of(CalendarYears, where)]


def set_applied(years: Sequence[int], before: datetime) -> None:
    """Mark years applied that were not replaced since."""
    write(
        CalendarYears,
        [UpdateMany({"_id": {"$in": list(years)}, "kept_at": {"$lt": before}}, {"$set": {"applied": True}})],
    )
