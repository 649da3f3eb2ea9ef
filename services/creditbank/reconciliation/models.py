"""Reports, runs and discrepancies at rest; of a report's people only their learner ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import mongoengine as me
from pymongo import InsertOne, ReplaceOne, UpdateMany, UpdateOne

from chassis.database import Row, collection_of, rows_of, write
from chassis.errors import NOT_FOUND
from services.creditbank.reconciliation.domain import Finding, Kind, ReportRow, Scope
from services.creditbank.reconciliation.runs import Discrepancy, Profile, Run, State

EARLIER = 20  # of a number's earlier rows so many are looked at on average, the newest first


class CertificateReports(me.Document):
    """By the number of the import that brought it. `run`: the first comparison of it, 0 before there is one.

    `left_out`: how many of its rows were refused, or never taken.
    """

    meta = {
        "collection": "certificate_reports",
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"fields": ["run"], "name": "run"}, {"fields": ["teo", "-_id"], "name": "teo"}],
    }
    number = me.IntField(primary_key=True)
    teo = me.StringField()
    uploaded_by = me.StringField()
    committed_by = me.StringField()
    taken_at = me.DateTimeField()
    issued_from = me.StringField()
    issued_until = me.StringField()
    is_period_given = me.BooleanField()
    schemes = me.ListField(me.StringField())
    rows = me.IntField()
    run = me.IntField()
    left_out = me.IntField()


class CertificateReportRows(me.Document):
    """By `<report>:<row>`, as the domain has them."""

    meta = {
        "collection": "certificate_report_rows",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["report", "certificate_number"], "name": "number"},
            {"fields": ["learner_id", "report"], "name": "holder"},
            {"fields": ["teo", "certificate_number", "-report"], "name": "earlier"},
        ],
    }
    place = me.StringField(primary_key=True)
    report = me.IntField()
    row = me.IntField()
    teo = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    certificate_number = me.StringField()
    issued_on = me.StringField()
    learner_id = me.StringField()
    is_revoked = me.BooleanField()


class ReconciliationRuns(me.Document):
    """By number, as `Run` has them. `night`: the day whose nightly comparison it is."""

    meta = {
        "collection": "reconciliation_runs",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["stage"], "name": "stage"},
            {"fields": ["night"], "name": "night", "sparse": True},
            {"fields": ["teo", "-_id"], "name": "teo"},
        ],
    }
    number = me.IntField(primary_key=True)
    stage = me.StringField()
    report = me.IntField()
    teo = me.StringField()
    night = me.StringField()
    asked_by = me.StringField()
    begun_at = me.DateTimeField()
    finished_at = me.DateTimeField()
    after = me.StringField()
    found = me.IntField()
    seen = me.IntField()
    counts = me.DictField()


class Discrepancies(me.Document):
    """By `<run>:<serial>`: a finding, in which state it is, and what a person said of it."""

    meta = {
        "collection": "discrepancies",
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"fields": ["run", "kind"], "name": "kind"},
            {"fields": ["run", "fingerprint"], "name": "fingerprint"},
            {"fields": ["basis", "state", "_id"], "name": "basis"},
        ],
    }
    place = me.StringField(primary_key=True)
    run = me.IntField()
    serial = me.IntField()
    basis = me.StringField()
    fingerprint = me.StringField()
    state = me.StringField()
    kind = me.StringField()
    teo = me.StringField()
    scheme = me.StringField()
    level = me.IntField()
    certificate_number = me.StringField()
    learner_id = me.StringField()
    result_id = me.StringField()
    row = me.IntField()
    issued_on = me.StringField()
    here = me.StringField()
    there = me.StringField()
    approved_by = me.StringField()
    approved_at = me.DateTimeField()
    ended_by = me.IntField()


class ReportProfiles(me.Document):
    """By TEO: how it heads its columns, and which more it sends."""

    meta = {"collection": "report_profiles", "auto_create_index": False, "strict": False}
    teo = me.StringField(primary_key=True)
    headers = me.DictField()
    left_out = me.ListField(me.StringField())


# --- reports ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Report:
    """A report as it is kept; what it speaks for is its scope."""

    number: int
    teo: str
    uploaded_by: str
    taken_at: datetime
    issued_from: date
    issued_until: date
    is_period_given: bool
    schemes: tuple[str, ...]
    rows: int
    run: int
    left_out: int = 0
    committed_by: str = ""

    @property
    def brought_by(self) -> frozenset[str]:
        """Who uploaded it and who had it committed: the same person may do the one through a machine."""
        return frozenset({self.uploaded_by, self.committed_by} - {""})

    @property
    def scope(self) -> Scope:
        schemes = frozenset(self.schemes)
        return Scope(self.number, self.teo, schemes, self.issued_from, self.issued_until, self.left_out == 0)


def find_report(number: int) -> Report | None:
    """A report by its number."""
    return next((_report(row) for row in rows_of(CertificateReports, {"_id": number})), None)


def _report(row: Row) -> Report:
    said = {name: value for name, value in row.items() if name != "_id"}
    said |= {name: date.fromisoformat(row[name]) for name in ("issued_from", "issued_until")}
    return Report(number=row["_id"], **said | {"schemes": tuple(row["schemes"])})


def keep_report(report: Report) -> None:
    """Write a report as it is now."""
    said = asdict(report)
    row: Row = {"_id": said.pop("number"), **said, "schemes": sorted(report.schemes)}
    row |= {"issued_from": report.issued_from.isoformat(), "issued_until": report.issued_until.isoformat()}
    write(CertificateReports, [ReplaceOne({"_id": row["_id"]}, row, upsert=True)])


def reports_before(where: Mapping[str, Any], limit: int) -> list[Report]:
    """Reports, the newest first."""
    return [_report(row) for row in rows_of(CertificateReports, where, sort=[("_id", -1)], limit=limit)]


def reports_not_compared(limit: int) -> list[Report]:
    """The oldest reports that no run has looked at."""
    return [_report(row) for row in rows_of(CertificateReports, {"run": 0}, sort=[("_id", 1)], limit=limit)]


def add_rows(rows: Iterable[ReportRow]) -> None:
    """Keep rows of a report."""
    write(CertificateReportRows, [InsertOne(_row_of(one)) for one in rows])


def move_rows(survivor_id: str, merged_id: str) -> None:
    """Have what reports say of a merged learner said of the survivor."""
    write(CertificateReportRows, [UpdateMany({"learner_id": merged_id}, {"$set": {"learner_id": survivor_id}})])


def _row_of(one: ReportRow) -> Row:
    return {"_id": f"{one.report:08}:{one.row:06}", **asdict(one), "issued_on": one.issued_on.isoformat()}


def _report_row(row: Row) -> ReportRow:
    said = {name: value for name, value in row.items() if name != "_id"}
    return ReportRow(**said | {"issued_on": date.fromisoformat(row["issued_on"])})


def rows_after(report: int, after: str, limit: int) -> list[ReportRow]:
    """A report's rows in their order, behind a place."""
    prefix = f"{report:08}:"
    where = {"_id": {"$gt": prefix + after, "$lt": f"{report:08};"}}
    return [_report_row(row) for row in rows_of(CertificateReportRows, where, sort=[("_id", 1)], limit=limit)]


def row_at(report: int, row: int) -> ReportRow | None:
    """One row of a report."""
    return next(map(_report_row, rows_of(CertificateReportRows, {"_id": f"{report:08}:{row:06}"})), None)


def rows_with_numbers(report: int, numbers: Collection[str]) -> list[ReportRow]:
    """A report's rows with these certificate numbers."""
    where = {"report": report, "certificate_number": {"$in": sorted(numbers)}}
    return list(map(_report_row, rows_of(CertificateReportRows, where, sort=[("_id", 1)])))


def reported(report: int, numbers: Collection[str]) -> set[str]:
    """Which of these numbers a report names."""
    return {one.certificate_number for one in rows_with_numbers(report, numbers)}


def rows_of_learners(report: int, learner_ids: Collection[str]) -> list[ReportRow]:
    """A report's rows about these learners."""
    where = {"report": report, "learner_id": {"$in": sorted(learner_ids)}}
    return list(map(_report_row, rows_of(CertificateReportRows, where)))


def earlier_rows(numbers: Collection[tuple[str, str]]) -> list[ReportRow]:
    """What the last of some earlier reports said of these (organisation, number)."""
    by_teo: dict[str, set[str]] = {}
    for teo, number in numbers:
        by_teo.setdefault(teo, set()).add(number)
    found: dict[tuple[str, str], ReportRow] = {}
    for teo, wanted in by_teo.items():
        where = {"teo": teo, "certificate_number": {"$in": sorted(wanted)}}
        for row in rows_of(CertificateReportRows, where, sort=[("report", -1)], limit=EARLIER * len(wanted)):
            found.setdefault((teo, row["certificate_number"]), _report_row(row))
    return list(found.values())


# --- runs -------------------------------------------------------------------------------------------------------------
def next_run_number() -> int:
    """The number of the next run; whoever asks has named the strand of all runs."""
    last = rows_of(ReconciliationRuns, {}, ["_id"], sort=[("_id", -1)], limit=1)
    return last[0]["_id"] + 1 if last else 1


def keep_run(run: Run) -> None:
    """Write a run as it is now."""
    said = asdict(run)
    row: Row = {"_id": said.pop("number"), **{name: value for name, value in said.items() if value is not None}}
    write(ReconciliationRuns, [ReplaceOne({"_id": row["_id"]}, row, upsert=True)])


def _run(row: Row) -> Run:
    said = {name: value for name, value in row.items() if name != "_id"}
    return Run(number=row["_id"], **said)


def find_run(number: int) -> Run:
    """A run by its number; Refusal when there is none."""
    for row in rows_of(ReconciliationRuns, {"_id": number}):
        return _run(row)
    raise NOT_FOUND(what="reconciliation", id=number)


def first_unfinished(stages: Collection[str]) -> Run | None:
    """The oldest run in one of these stages."""
    rows = rows_of(ReconciliationRuns, {"stage": {"$in": sorted(stages)}}, sort=[("_id", 1)], limit=1)
    return _run(rows[0]) if rows else None


def run_of_night(night: str) -> Run | None:
    """The nightly run of a day."""
    return next(map(_run, rows_of(ReconciliationRuns, {"night": night}, limit=1)), None)


def runs_before(where: Mapping[str, Any], limit: int) -> list[Run]:
    """Runs, the newest first."""
    return [_run(row) for row in rows_of(ReconciliationRuns, where, sort=[("_id", -1)], limit=limit)]


# --- discrepancies ----------------------------------------------------------------------------------------------------
def place_of(run: int, serial: int) -> str:
    """The name of a discrepancy."""
    return f"{run:08}:{serial:07}"


def add_discrepancies(found: Iterable[Discrepancy]) -> None:
    """Keep what a run has found."""
    write(Discrepancies, [InsertOne(_discrepancy_row(one)) for one in found])


def _discrepancy_row(one: Discrepancy) -> Row:
    said: Row = asdict(one.finding)
    said["issued_on"] = one.finding.issued_on.isoformat() if one.finding.issued_on else None
    more = {name: getattr(one, name) for name in ("run", "serial", "basis", "approved_by", "approved_at", "ended_by")}
    row = {"_id": one.id, **said, **more, "state": str(one.state), "kind": str(one.finding.kind)}
    return {name: value for name, value in row.items() if value is not None} | {"fingerprint": one.finding.fingerprint}


def discrepancy_of(row: Row) -> Discrepancy:
    """A discrepancy as it stands."""
    issued_on = date.fromisoformat(row["issued_on"]) if row.get("issued_on") else None
    names = ("teo", "scheme", "level", "certificate_number", "learner_id", "result_id", "row", "here", "there")
    return Discrepancy(
        run=row["run"],
        serial=row["serial"],
        basis=row["basis"],
        finding=Finding(kind=Kind(row["kind"]), issued_on=issued_on, **{name: row[name] for name in names}),
        state=State(row["state"]),
        approved_by=row.get("approved_by", ""),
        approved_at=row.get("approved_at"),
        ended_by=row.get("ended_by", 0),
    )


def find_discrepancy(place: str) -> Discrepancy:
    """A discrepancy by its name; Refusal when there is none."""
    for row in rows_of(Discrepancies, {"_id": place}):
        return discrepancy_of(row)
    raise NOT_FOUND(what="discrepancy", id=place)


def change_discrepancies(changed: Sequence[Discrepancy]) -> None:
    """Write what became of discrepancies."""
    write(Discrepancies, [ReplaceOne({"_id": one.id}, _discrepancy_row(one)) for one in changed])


def discrepancies_after(run: int, where: Mapping[str, Any], after: str, limit: int) -> list[Discrepancy]:
    """A run's discrepancies in the order they were found, behind a place."""
    asked = {"_id": {"$gt": f"{run:08}:{after}", "$lt": f"{run:08};"}, **where}
    return [discrepancy_of(row) for row in rows_of(Discrepancies, asked, sort=[("_id", 1)], limit=limit)]


def stream_discrepancies(run: int, where: Mapping[str, Any]) -> Iterator[Discrepancy]:
    """The same, all of them, a batch in memory at a time."""
    asked = {"_id": {"$gt": f"{run:08}:", "$lt": f"{run:08};"}, **where}
    yield from map(discrepancy_of, collection_of(Discrepancies).find(asked, batch_size=1_000).sort("_id", 1))


def count_discrepancies(run: int, where: Mapping[str, Any]) -> int:
    """How many there are."""
    asked = {"_id": {"$gt": f"{run:08}:", "$lt": f"{run:08};"}, **where}
    return collection_of(Discrepancies).count_documents(asked)


def standing_before(run: int, basis: str, states: Collection[str], after: str, limit: int) -> list[Discrepancy]:
    """The discrepancies of earlier runs on the same basis that nothing has ended, behind a place."""
    where = {"basis": basis, "state": {"$in": sorted(states)}, "_id": {"$gt": after, "$lt": f"{run:08}:"}}
    return [discrepancy_of(row) for row in rows_of(Discrepancies, where, sort=[("_id", 1)], limit=limit)]


def found_again(run: int, fingerprints: Collection[str]) -> dict[str, Discrepancy]:
    """Which of these a run has found, by fingerprint."""
    where = {"run": run, "fingerprint": {"$in": sorted(fingerprints)}}
    return {row["fingerprint"]: discrepancy_of(row) for row in rows_of(Discrepancies, where)}


# --- profiles ---------------------------------------------------------------------------------------------------------
def find_profile(teo: str) -> Profile:
    """How a TEO heads its columns; as the template does, unless it was said."""
    for row in rows_of(ReportProfiles, {"_id": teo}):
        headers = {name: tuple(words) for name, words in row["headers"].items()}
        return Profile(teo, headers, tuple(row["left_out"]))
    return Profile(teo)


def keep_profile(profile: Profile) -> None:
    """Write a TEO's profile."""
    headers = {name: list(words) for name, words in profile.headers.items()}
    row = {"headers": headers, "left_out": list(profile.left_out)}
    write(ReportProfiles, [UpdateOne({"_id": profile.teo}, {"$set": row}, upsert=True)])
