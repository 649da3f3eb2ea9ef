"""What was uploaded goes some days after its import ended or was left alone; who imported what and how much stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bson import BSON

from chassis.database import collection_of, database, rows_of
from chassis.errors import Refusal
from chassis.settings import Settings, read
from chassis.sheet.imports import ask_to_commit, discard, found
from chassis.sheet.jobs import sheet_jobs
from chassis.sheet.lives import submitted_rows
from chassis.sheet.models import ImportFiles, ImportPieces, Imports
from chassis.sheet.retention import empty_one
from chassis.sheet.routes import some_rows, workbook_of
from tests.chassis.sheet.library import (
    Registry,
    committed,
    counts,
    csv,
    lending,
    previewed,
    run_jobs,
    sheets_of,
    upload,
    with_registry,
)

pytestmark = pytest.mark.usefixtures("mongo")
DAYS = 30
KEPT = {"mongo": "m", "database": "d", "portal_url": "p", "client_secret": "c", "seal_key": "s"}


def days_go_by(number: int, days: float) -> None:
    """All that was noted of an import lies so much further back."""
    row = found(number)
    noted = ("uploaded_at", "not_before", "committed_at")
    earlier = {name: row[name] - timedelta(days=days) for name in noted if row[name]}
    collection_of(Imports).update_one({"_id": number}, {"$set": earlier})


def contents() -> list[int]:
    """How many parts of files and of previews there are."""
    return [collection_of(kept).count_documents({}) for kept in (ImportFiles, ImportPieces)]


def empty_all() -> int:
    count = 0
    while empty_one(DAYS):
        count += 1
    return count


def test_a_committed_import_is_a_record_of_figures_after_its_days() -> None:
    sheets = sheets_of()
    row = committed(sheets, csv([*lending(700), ("错", "X1", 101, "")]), uploaded_by="li", owns={"branch": ["b1"]})
    days_go_by(1, DAYS - 0.01)
    assert empty_all() == 0
    days_go_by(1, 0.02)
    assert empty_all() == 1
    assert contents() == [0, 0]
    after = found(1)
    same = ("kind", "state", "counts", "done", "total", "processed", "uploaded_by", "owns", "file_bytes")
    assert {name: after[name] for name in same} == {name: row[name] for name in same}
    assert (after["state"], after["done"]) == ("committed", counts(new=700, refused=1))
    assert empty_all() == 0


def test_of_an_emptied_import_nothing_personal_is_left_not_even_sealed() -> None:
    sheets = with_registry(Registry())
    previewed(sheets, csv(lending(3)))
    previewed(sheets, csv([(3, "黄玉梅")], header=("册数", "黄玉梅")))
    for number in (1, 2):
        days_go_by(number, DAYS + 1)
    assert empty_all() == 2
    for row in rows_of(Imports, {}):
        assert (row["key"], row["about"], row["problem"]) == (None, None, None)
    for name in database().list_collection_names():
        for row in database()[name].find():
            assert "黄玉梅".encode() not in BSON.encode(row), name


def test_a_preview_that_nobody_commits_is_abandoned_and_says_so() -> None:
    sheets = sheets_of()
    previewed(sheets, csv(lending(3)))
    days_go_by(1, DAYS + 1)
    assert empty_all() == 1
    assert (found(1)["state"], found(1)["counts"]) == ("abandoned", counts(new=3))
    with pytest.raises(Refusal, match="import_emptied"):
        ask_to_commit(1)
    discard(1)
    assert rows_of(Imports, {}) == []


def test_a_file_that_could_not_be_read_goes_and_its_state_stays() -> None:
    sheets = sheets_of()
    previewed(sheets, b"%PDF-1.7\x00")
    days_go_by(1, DAYS + 1)
    assert (empty_all(), contents(), found(1)["state"]) == (1, [0, 0], "unreadable")


def test_what_is_still_read_or_committed_stays_however_old_it_is() -> None:
    sheets = sheets_of()
    upload(sheets, csv(lending(3)))
    days_go_by(1, DAYS + 1)
    assert empty_all() == 0
    run_jobs(sheets)
    ask_to_commit(1)
    days_go_by(1, DAYS + 1)
    assert empty_all() == 0
    run_jobs(sheets)
    assert (found(1)["done"], empty_all()) == (counts(new=3), 0)


def test_the_days_begin_when_the_import_ends() -> None:
    sheets = sheets_of()
    previewed(sheets, csv(lending(3)))
    days_go_by(1, DAYS - 1)
    ask_to_commit(1)
    run_jobs(sheets)
    assert empty_all() == 0
    previewed(sheets, csv(lending(3)))
    days_go_by(2, DAYS - 1)
    assert empty_all() == 0


def test_an_emptied_import_is_still_told_of_without_its_rows() -> None:
    sheets = sheets_of()
    committed(sheets, csv(lending(600)))
    (step,) = submitted_rows(sheets)("import:library:1:601")
    days_go_by(1, DAYS + 1)
    when = found(1)["uploaded_at"]
    empty_all()
    row = found(1)
    assert some_rows(sheets, row, None, -1, 10) == []
    with pytest.raises(Refusal, match="import_emptied"):
        workbook_of(sheets, row)
    (after,) = submitted_rows(sheets)("import:library:1:601")
    del step["detail"]["status"]  # type: ignore[attr-defined]
    assert after == step | {"at": when}
    assert submitted_rows(sheets)("import:library:1:602") == submitted_rows(sheets)("import:library:1:1") == []


def test_an_import_of_before_there_were_days_is_emptied_too() -> None:
    committed(sheets_of(), csv(lending(3)))
    collection_of(Imports).update_one({"_id": 1}, {"$unset": {"emptied_at": ""}})
    days_go_by(1, DAYS + 1)
    assert (empty_all(), contents()) == (1, [0, 0])


def test_emptying_is_a_job_that_takes_its_days() -> None:
    committed(sheets_of(), csv(lending(3)))
    days_go_by(1, 8)
    for days, emptied in ((9, False), (7, True)):
        jobs = {name: verb for name, verb, _ in sheet_jobs(sheets_of(), days)}
        assert jobs["imports.empty"]() is emptied


@pytest.mark.parametrize(("given", "days"), [({}, 30), ({"KEEP_IMPORTS_DAYS": "7"}, 7)])
def test_the_days_are_a_setting(given: dict[str, str], days: int) -> None:
    assert settings(**given).keep_imports_days == days


@pytest.mark.parametrize("days", ["0", "-1", "ten"])
def test_days_that_cannot_be_stop_the_start(days: str) -> None:
    with pytest.raises(SystemExit, match="malformed"):
        settings(KEEP_IMPORTS_DAYS=days)


def settings(**given: str) -> Any:
    return read(Settings, {name.upper(): value for name, value in KEPT.items()} | given)
