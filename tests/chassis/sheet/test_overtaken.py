"""A worker that outlived its lease, a piece gone, a transaction that runs again: nothing is lost, nothing spins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chassis.database import client, collection_of, rows_of
from chassis.errors import Refusal
from chassis.sheet.imports import ask_to_commit, discard, found
from chassis.sheet.jobs import sheet_jobs
from chassis.sheet.kind import Examined, Row, refused
from chassis.sheet.models import ImportFiles, ImportPieces, Imports
from chassis.sheet.preview import open_reading, preview_piece
from tests.chassis.sheet.library import (
    CARD_UNKNOWN,
    LENDING,
    TOO_MANY_BOOKS,
    Effects,
    Registry,
    committed,
    counts,
    csv,
    examine,
    lending,
    previewed,
    run_jobs,
    sheets_of,
    upload,
    with_registry,
)

pytestmark = pytest.mark.usefixtures("mongo")
TURNS = 30  # a job that spins takes more


def fails_after(deed: Callable[[], object], failure: Exception) -> Callable[[list[Row]], None]:
    """What a reader meets that stands still while others do a deed, and then fails."""

    def resolve(_: list[Row]) -> None:
        deed()
        raise failure

    return resolve


def read_a_piece(number: int) -> None:
    preview_piece(open_reading(sheets_of(), found(number)))


def read_and_ask(number: int) -> None:
    run_jobs(sheets_of())
    ask_to_commit(number)


@pytest.mark.parametrize("others", [read_a_piece, read_and_ask])
@pytest.mark.parametrize("failure", [CARD_UNKNOWN(name="", card=""), KeyError()])
def test_a_reader_that_was_overtaken_spoils_nothing(others: Callable[[int], None], failure: Exception) -> None:
    number = upload(sheets_of(), csv(lending(600)))
    late = replace(LENDING, resolve=fails_after(lambda: others(number), failure))
    preview = sheet_jobs(sheets_of(late))[0][1]
    preview()
    row = found(number)
    assert row["state"] == ("reading" if others is read_a_piece else "committing")
    assert (row["failures"], row["problem"]) == (0, None)
    run_jobs(sheets_of(), TURNS)
    ask_to_commit(number)
    run_jobs(sheets_of(), TURNS)
    assert found(number)["done"] == counts(new=600)


def test_a_reader_whose_file_turns_out_unreadable_keeps_no_row() -> None:
    answers = iter([None, CARD_UNKNOWN(name="", card="")])

    def resolve(_: list[Row]) -> None:
        if answer := next(answers):
            raise answer

    row = previewed(sheets_of(replace(LENDING, resolve=resolve)), csv(lending(600)))
    assert (row["state"], row["counts"], row["processed"]) == ("unreadable", counts(), 0)
    assert rows_of(ImportPieces, {}) == []


def test_a_piece_that_is_missing_ends_its_import_visibly_and_no_other() -> None:
    sheets = sheets_of()
    number = previewed(sheets, csv(lending(1200)))["_id"]
    collection_of(ImportPieces).delete_one({"_id": f"{number}:1"})
    ask_to_commit(number)
    run_jobs(sheets, TURNS)
    row = found(number)
    assert (row["state"], row["done"], row["processed"]) == ("failed", counts(new=500), 500)
    assert (sheets.problem(row) or pytest.fail("no problem")).code == "import_incomplete"
    with pytest.raises(Refusal, match="import_failed"):
        ask_to_commit(number)
    with pytest.raises(Refusal, match="import_committed"):
        discard(number)
    assert committed(sheets, csv(lending(1200)))["done"] == counts(new=700, unchanged=500)


def test_a_piece_that_vanishes_while_its_rows_are_committed_takes_their_effects_back() -> None:
    def commit(examined: list[Examined]) -> None:
        LENDING.commit(examined)
        elsewhere(lambda: collection_of(ImportPieces).delete_many({}))

    sheets = sheets_of(replace(LENDING, commit=commit))
    number = previewed(sheets, csv(lending(3)))["_id"]
    ask_to_commit(number)
    run_jobs(sheets, TURNS)
    assert (found(number)["state"], found(number)["done"]) == ("failed", counts())
    assert collection_of(Effects).count_documents({}) == 0


def test_a_part_of_a_file_that_is_missing_is_not_read_as_if_it_were_whole() -> None:
    sheets = sheets_of()
    number = upload(sheets, csv([(f"{'长' * 400}{i}", f"C{i}", 1, "") for i in range(8000)]))
    collection_of(ImportFiles).delete_one({"_id": f"{number}:1"})
    run_jobs(sheets, TURNS)
    row = found(number)
    assert (row["state"], row["counts"]) == ("unreadable", counts())
    assert (sheets.problem(row) or pytest.fail("no problem")).code == "import_incomplete"


def test_a_reader_that_meets_others_for_long_begins_with_the_same_rows_again() -> None:
    sheets = sheets_of()
    number = upload(sheets, csv([*lending(1200), *lending(1)]))
    preview = sheet_jobs(sheets)[0][1]
    with client().start_session() as others:
        others.start_transaction()
        collection_of(Imports).update_one({"_id": number}, {"$set": {"touched": 1}}, session=others)
        assert preview()
        others.abort_transaction()
    while preview():
        pass
    row = found(number)
    assert (row["state"], row["counts"], row["total"]) == ("previewed", counts(new=1200, refused=1), 1201)


def test_a_transaction_that_runs_again_forgets_what_its_first_run_claimed() -> None:
    """First the upper row stands; before that is written it may not any more, and the lower one takes its place."""
    card = lending(1)[0][1]
    registry = Registry()
    number = previewed(with_registry(registry), csv([*lending(1, books=3), *lending(1, books=4)]))["_id"]
    registry.cards.add(card)
    runs: list[int] = []

    def examined(rows: list[Row], readers: Any) -> list[Examined]:
        judged = examine(rows, readers)
        if runs:
            judged[0] = Examined(judged[0].row_no, "refused", TOO_MANY_BOOKS(books=3))
        return judged

    def commit(accepted: list[Examined]) -> None:
        LENDING.commit(accepted)
        if not runs:
            elsewhere(lambda: collection_of(Imports).update_one({"_id": number}, {"$set": {"touched": 1}}))
        runs.append(len(accepted))

    sheets = sheets_of(replace(LENDING, resolve=registry.resolve, examine=examined, commit=commit))
    ask_to_commit(number)
    run_jobs(sheets, TURNS)
    assert found(number)["done"] == counts(new=1, refused=1)
    assert [one["_id"] for one in rows_of(Effects, {})] == [f"import:library:{number}:3"]
    assert len(runs) == 2


@pytest.mark.parametrize("between", [0, 600])
def test_what_a_row_claimed_that_is_refused_in_the_end_is_free_for_a_later_one(between: int) -> None:
    """The first row is sound at the preview and refused at commit; with the last one it is the other way round."""
    last = between + 4
    closed = {3, last}

    def examined(rows: list[Row], readers: Any) -> list[Examined]:
        judged = examine(rows, readers)
        return [
            refused(row, TOO_MANY_BOOKS(books=3)) if row.number in closed else judged[n] for n, row in enumerate(rows)
        ]

    sheets = sheets_of(replace(LENDING, examine=examined))
    number = previewed(sheets, csv([*lending(2), *lending(between, 2), *lending(1, books=4)]))["_id"]
    assert found(number)["counts"] == counts(new=between + 1, refused=2)
    closed.symmetric_difference_update({2, last})
    ask_to_commit(number)
    run_jobs(sheets, TURNS)
    assert found(number)["done"] == counts(new=between + 1, refused=2)
    assert collection_of(Effects).count_documents({"_id": f"import:library:{number}:{last}"}) == 1


def elsewhere(deed: Callable[[], object]) -> None:
    """Do something outside of the open transaction, as another process would."""
    thread = threading.Thread(target=deed)
    thread.start()
    thread.join()
