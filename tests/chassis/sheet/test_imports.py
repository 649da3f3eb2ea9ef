"""From upload to effect: previewed, committed, again, twice at once, and with another service away."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from bson import BSON

from chassis.database import collection_of, database, rows_of
from chassis.errors import Busy, Refusal
from chassis.sheet.commit import Committing, commit_some, fitting, open_committing
from chassis.sheet.imports import (
    ask_to_commit,
    discard,
    found,
    judgements_of,
    pieces_of,
)
from chassis.sheet.jobs import sheet_jobs
from chassis.sheet.kind import Examined, Row, SheetKind
from chassis.sheet.lives import submitted_rows
from chassis.sheet.models import ImportFiles, ImportPieces, Imports
from tests.chassis.sheet import library
from tests.chassis.sheet.library import (
    LENDING,
    Effects,
    Readers,
    Registry,
    committed,
    counts,
    csv,
    due_now,
    lending,
    previewed,
    run_jobs,
    sheets_of,
    upload,
    with_registry,
    xlsx,
)

pytestmark = pytest.mark.usefixtures("mongo")


def said(sheets: Any, number: int) -> dict[int, str | None]:
    """The code of each row, None for an accepted one."""
    safe = sheets.safe(found(number))
    return {
        row.number: (judgement.said.code if judgement.said else None)
        for stored, piece in pieces_of(safe)
        for row, judgement in zip(piece.rows, judgements_of(safe, stored, piece), strict=True)
    }


def effects() -> int:
    return collection_of(Effects).count_documents({})


def test_an_upload_is_previewed_and_has_no_effect_yet() -> None:
    row = previewed(
        sheets_of(), xlsx([*lending(1200), ("错", "X1", 101, ""), ("", "X2", 1, ""), ("日", "X3", 1, "明天")])
    )
    assert (row["state"], row["counts"], row["total"], row["processed"]) == (
        "previewed",
        counts(new=1200, refused=3),
        1203,
        1203,
    )
    assert said(sheets_of(), 1) == dict.fromkeys(range(2, 1202)) | {
        1202: "test_too_many_books", 1203: "cell_missing", 1204: "not_a_date",
    }  # fmt: skip
    assert effects() == 0


def test_a_number_that_the_topic_knows_of_is_not_given_again() -> None:
    """After a set-back the counter stands where it stood, and the topic has what later imports had announced."""
    upload(sheets_of(), csv(lending(1)))
    for number in (2, 3):
        database()["outbox"].insert_one(
            {"_id": str(number), "seq": number, "cause": f"import:{sheets_of().service}:{number}:2"}
        )
    database()["outbox"].insert_one({"_id": "other", "seq": 4, "cause": "import:elsewhere:4:2"})
    assert upload(sheets_of(), csv(lending(1))) == 4


def test_what_is_committed_takes_effect_once_and_each_row_by_its_own_cause() -> None:
    row = committed(sheets_of(), xlsx([*lending(700), ("错", "X1", 101, "")]))
    assert (row["state"], row["done"], row["processed"]) == ("committed", counts(new=700, refused=1), 701)
    assert row["committed_at"] is not None
    assert {one["_id"] for one in rows_of(Effects, {})} == {f"import:library:1:{n}" for n in range(2, 702)}


def test_imports_are_numbered_one_two_three() -> None:
    assert [upload(sheets_of(), csv(lending(1))) for _ in range(3)] == [1, 2, 3]


def test_the_same_file_again_changes_nothing_and_a_corrected_one_only_what_is_new() -> None:
    sheets = sheets_of()
    committed(sheets, csv(lending(600)))
    again = committed(sheets, csv(lending(600)))
    assert (again["counts"], again["done"]) == (counts(unchanged=600), counts(unchanged=600))
    corrected = committed(sheets, csv([*lending(599), *lending(1, 599, books=4), *lending(2, 600)]))
    assert corrected["done"] == counts(unchanged=599, changed=1, new=2)
    assert effects() == 603
    assert all(one["writes"] == 1 for one in rows_of(Readers, {"_id": {"$ne": lending(1, 599)[0][1]}}))


def test_a_row_that_is_newer_news_of_the_same_is_kept_and_counts_as_unchanged() -> None:
    def newer(rows: list[Row], readers: Any) -> list[Examined]:
        return [replace(one, renews=one.row_no > 2) for one in library.examine(rows, readers)]

    committed(sheets_of(), csv(lending(3)))
    row = committed(sheets_of(replace(LENDING, examine=newer)), csv([*lending(3), ("错", "X1", 101, "")]))
    assert (row["counts"], row["done"]) == (counts(unchanged=3, refused=1), counts(unchanged=3, refused=1))
    assert [one["writes"] for one in rows_of(Readers, {}, sort=[("_id", 1)])] == [1, 2, 2]


def test_a_row_that_says_the_same_as_an_earlier_one_is_refused_across_pieces() -> None:
    sheets = sheets_of()
    lines = [*lending(700), *lending(2, 5)]
    row = committed(sheets, csv(lines))
    assert row["done"] == counts(new=700, refused=2)
    assert said(sheets, 1)[702] == "repeated_in_file"
    safe = sheets.safe(row)
    *_, (_, last) = pieces_of(safe)
    assert "第 7 行" in (last.rows[-2].judgement.said or pytest.fail("nothing was said")).zh


def test_a_kind_may_judge_repeats_itself() -> None:
    sheets = sheets_of(replace(LENDING, repeats_allowed=True))
    assert previewed(sheets, csv([*lending(2), *lending(1)]))["counts"] == counts(new=3)


def test_a_refused_row_claims_nothing_so_a_correction_beneath_it_stands() -> None:
    row = committed(sheets_of(), csv([*lending(1, books=500), *lending(1)]))
    assert row["done"] == counts(new=1, refused=1)


def test_rows_that_changed_since_the_preview_get_their_new_verdict() -> None:
    sheets = sheets_of()
    first = previewed(sheets, csv(lending(600)))["_id"]
    committed(sheets, csv(lending(100)))
    ask_to_commit(first)
    run_jobs(sheets)
    row = found(first)
    assert (row["counts"], row["done"]) == (counts(new=600), counts(new=500, unchanged=100))
    assert effects() == 600


def test_what_another_service_learned_since_the_preview_counts_at_commit() -> None:
    registry = Registry()
    sheets = with_registry(registry)
    assert previewed(sheets, csv(lending(3)))["counts"] == counts(refused=3)
    registry.cards = {line[1] for line in lending(2)}
    ask_to_commit(1)
    run_jobs(sheets)
    assert found(1)["done"] == counts(new=2, refused=1)


def test_of_two_rows_that_say_the_same_one_counts_even_if_the_other_was_refused_at_preview() -> None:
    registry = Registry({lending(1)[0][1]})
    both = [*lending(1, books=3), *lending(1, books=4)]
    sheets = with_registry(registry)
    number = upload(sheets, csv([*lending(600, 1), *both]))
    registry.cards |= {line[1] for line in lending(600, 1)}
    run_jobs(sheets)
    ask_to_commit(number)
    run_jobs(sheets)
    assert found(number)["done"] == counts(new=601, refused=1)


def test_while_another_service_is_away_an_import_waits_says_so_and_goes_on() -> None:
    registry = Registry((line[1] for line in lending(3)), away=2)
    sheets = with_registry(registry)
    number = upload(sheets, csv(lending(3)))
    run_jobs(sheets)
    row = found(number)
    assert row["state"] == "reading"
    assert (sheets.problem(row) or pytest.fail("no problem")).code == "import_waits"
    for _ in range(2):
        due_now(number)
        run_jobs(sheets)
    row = found(number)
    assert (row["state"], row["problem"], row["counts"]) == ("previewed", None, counts(new=3))


def test_an_import_in_trouble_is_not_in_the_way_of_others() -> None:
    registry = Registry((line[1] for line in lending(3)), away=1)
    sheets = with_registry(registry)
    upload(sheets, csv(lending(3)))
    assert previewed(sheets, csv(lending(3)))["state"] == "previewed"
    assert found(1)["state"] == "reading"


@pytest.mark.parametrize("content", [b"%PDF-1.7\x00", csv([(3, "")], header=("册数", "日期")), csv(lending(100_031))])
def test_what_cannot_be_read_says_why_and_keeps_no_row(content: bytes) -> None:
    sheets = sheets_of()
    row = previewed(sheets, content)
    assert row["state"] == "unreadable"
    problem = sheets.problem(row)
    assert problem is not None
    assert problem.code in {"not_a_sheet", "columns_missing", "too_many_rows"}
    assert rows_of(ImportPieces, {}) == []
    with pytest.raises(Refusal, match="import_unreadable"):
        ask_to_commit(row["_id"])


def test_our_own_mistake_is_told_tried_again_and_given_up_when_it_stays() -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("黄玉梅")

    sheets = sheets_of(replace(LENDING, examine=broken))
    number = upload(sheets, csv(lending(3)))
    for _ in range(6):
        assert found(number)["state"] == "reading"
        due_now(number)
        run_jobs(sheets)
    row = found(number)
    assert row["state"] == "unreadable"
    assert (sheets.problem(row) or pytest.fail("no problem")).code == "import_fault"


def test_a_mistake_at_commit_marks_no_row_and_commits_when_mended() -> None:
    def broken(_: Any) -> None:
        raise KeyError("黄玉梅")

    number = previewed(sheets_of(), csv(lending(3)))["_id"]
    ask_to_commit(number)
    run_jobs(sheets_of(replace(LENDING, commit=broken)))
    row = found(number)
    assert (row["state"], row["done"], row["failures"]) == ("committing", counts(), 1)
    due_now(number)
    run_jobs(sheets_of())
    assert found(number)["done"] == counts(new=3)


def test_asking_twice_to_commit_is_the_same_as_asking_once() -> None:
    sheets = sheets_of()
    number = previewed(sheets, csv(lending(3)))["_id"]
    assert ask_to_commit(number)["state"] == ask_to_commit(number)["state"] == "committing"
    run_jobs(sheets)
    assert ask_to_commit(number)["state"] == "committed"
    run_jobs(sheets)
    assert effects() == 3


def test_an_import_that_is_still_read_cannot_be_committed() -> None:
    number = upload(sheets_of(), csv(lending(3)))
    with pytest.raises(Refusal, match="import_still_read"):
        ask_to_commit(number)


def test_a_discarded_import_leaves_nothing_and_its_number_is_not_used_again() -> None:
    sheets = sheets_of()
    number = previewed(sheets, csv(lending(3)))["_id"]
    discard(number)
    assert [rows_of(document, {}) for document in (Imports, ImportPieces, ImportFiles)] == [[], [], []]
    assert upload(sheets, csv(lending(3))) == number + 1
    with pytest.raises(Refusal, match="not_found"):
        found(number)


def test_a_committed_import_is_not_discarded() -> None:
    number = committed(sheets_of(), csv(lending(3)))["_id"]
    with pytest.raises(Refusal, match="import_committed"):
        discard(number)


def test_an_import_discarded_while_it_is_read_ends_quietly() -> None:
    sheets = sheets_of()
    number = upload(sheets, csv(lending(3)))
    discarding = with_discard(number)
    run_jobs(sheets_of(discarding))
    assert rows_of(ImportPieces, {}) == []


def with_discard(number: int) -> SheetKind[Any]:
    return replace(LENDING, resolve=lambda _: discard(number))


def test_no_name_and_no_number_rests_in_clear() -> None:
    sheets = with_registry(Registry())
    previewed(sheets, xlsx([*lending(3), ("黄玉梅", "110101197503070021", 3, "明天 黄玉梅")]))
    previewed(sheets, csv([(3, "黄玉梅")], header=("册数", "黄玉梅")))
    secrets = ("读者", "44010619", "黄玉梅", "110101197503070021")
    for name in database().list_collection_names():
        for row in database()[name].find():
            assert not [secret for secret in secrets if secret.encode() in BSON.encode(row)], name


def test_two_uploads_of_one_file_at_once_both_end_well() -> None:
    sheets = sheets_of()
    numbers = [previewed(sheets, csv(lending(1500)))["_id"] for _ in range(2)]
    start = threading.Barrier(2)

    def work(number: int) -> None:
        committing = open_committing(sheets, ask_to_commit(number))
        start.wait()
        while commits(committing):
            pass

    workers = [threading.Thread(target=work, args=(number,)) for number in numbers]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done = [found(number)["done"] for number in numbers]
    assert sum(one["new"] for one in done) == sum(one["unchanged"] for one in done) == 1500
    assert [found(number)["state"] for number in numbers] == ["committed", "committed"]
    assert effects() == 1500


def commits(committing: Committing) -> bool:
    """Another transaction; met by others, it is tried again."""
    try:
        return commit_some(committing)
    except Busy:
        return True


def test_two_workers_on_one_import_do_each_row_once() -> None:
    sheets = sheets_of()
    number = upload(sheets, csv(lending(3000)))
    for state in ("previewed", "committed"):
        start = threading.Barrier(3)

        def work(barrier: threading.Barrier = start) -> None:
            barrier.wait()
            run_jobs(sheets)

        workers = [threading.Thread(target=work) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        run_jobs(sheets)
        row = found(number)
        assert row["state"] == state
        if state == "previewed":
            ask_to_commit(number)
    assert (row["counts"], row["done"], row["pieces"]) == (counts(new=3000), counts(new=3000), 6)
    assert effects() == 3000


def test_a_committer_that_meets_others_takes_fewer_rows_and_grows_back() -> None:
    assert fitting(500, 6.0) == 250
    assert fitting(1, 60.0) == 1
    assert fitting(250, 0.1) == 500
    assert fitting(500, 0.1) == 500


def test_a_step_of_a_job_is_bounded() -> None:
    sheets = sheets_of()
    upload(sheets, csv(lending(20_000)))
    reading = sheet_jobs(sheets)[0][1]
    began = time.monotonic()
    assert reading()
    assert time.monotonic() - began < 10


def test_the_life_of_a_row_begins_with_the_import() -> None:
    sheets = sheets_of()
    committed(sheets, xlsx([*lending(600), ("错", "X1", 101, "")]))
    life = submitted_rows(sheets)
    (step,) = life("import:library:1:602")
    assert (step["what"], step["id"], step["service"]) == ("row submitted", "1:602", "library")
    assert step["detail"] == {"kind": "lending", "import": 1, "row": 602, "uploaded_by": "li", "status": "refused"}
    for cause in (
        "import:library:1:1",
        "import:library:1:603",
        "import:library:2:3",
        "import:other:1:3",
        "result:x",
        "",
    ):
        assert life(cause) == []


def test_the_owner_and_the_options_reach_the_rules() -> None:
    seen: list[Any] = []

    def examine(rows: list[Any], readers: Any) -> Any:
        seen.append(rows[0].upload)
        return library.examine(rows, readers)

    upload_options = {"owns": {"branch": ["b1"]}, "options": {"as_of": "2020-11-21T00:00:00+08:00"}}
    committed(sheets_of(replace(LENDING, examine=examine)), csv(lending(1)), **upload_options)
    assert len(seen) == 2
    assert all(one.owns == {"branch": ["b1"]} and one.options == upload_options["options"] for one in seen)
    assert {(one.number, one.kind, one.uploaded_by) for one in seen} == {(1, "lending", "li")}
