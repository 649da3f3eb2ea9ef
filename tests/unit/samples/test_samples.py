"""The generator writes the same bytes each time, what colleges send is in them, and the expectation adds up."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from onex.samples.annex import read_annex
from onex.samples.story import Story, tell
from onex.samples.writing import sample_files

ROOT = Path(__file__).parents[3]
COMMITTED = ROOT / "deploy" / "samples"
Table = list[list[Any]]


@pytest.fixture(scope="module")
def story() -> Story:
    return tell(read_annex(ROOT / "deploy" / "catalogue"))


@pytest.fixture(scope="module")
def files(story: Story) -> dict[str, bytes]:
    return sample_files(story)


@pytest.fixture(scope="module")
def expected(files: dict[str, bytes]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files["expectation.json"])
    return found


@pytest.fixture(scope="module")
def tables(files: dict[str, bytes]) -> dict[str, Table]:
    return {name: table_of(name, content) for name, content in files.items() if not name.endswith(".json")}


def table_of(name: str, content: bytes) -> Table:
    """A file's rows as a spreadsheet counts them, the first one at 1."""
    if name.endswith(".xlsx"):
        rows = load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True)  # type: ignore[union-attr]
        return [[], *([*row] for row in rows)]
    text = content.decode("gb18030" if "gb18030" in name else "utf-8-sig")
    return [[], *csv.reader(io.StringIO(text, newline=""))]


def inside(content: bytes) -> dict[str, bytes]:
    """A workbook's parts: what is compared with a file packed by another zlib."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_told_twice_it_is_the_same_to_the_byte(files: dict[str, bytes]) -> None:
    assert sample_files(tell(read_annex(ROOT / "deploy" / "catalogue"))) == files


def test_what_is_committed_is_what_the_generator_writes(files: dict[str, bytes]) -> None:
    assert {file.name for file in COMMITTED.iterdir()} == set(files)
    for name, content in files.items():
        committed = (COMMITTED / name).read_bytes()
        assert inside(committed) == inside(content) if name.endswith(".xlsx") else committed == content, name


def test_the_people_asked_for(expected: dict[str, Any]) -> None:
    assert expected["students"] == 1200
    assert expected["community_learners"] == 100
    assert expected["learners"] == 1300


def test_nine_programmes_eight_schemes_sixteen_levels(story: Story) -> None:
    assert len({person.record.programme for person in story.learners.people if person.record}) == 9
    assert len({sat.candidate.plan.scheme for sat in story.exams.firsts}) == 8
    assert len({(sat.candidate.plan.scheme, sat.candidate.plan.level) for sat in story.exams.firsts}) == 16


def test_the_expectation_adds_up(expected: dict[str, Any]) -> None:
    assert sum(expected["results"].values()) == expected["final"] == len(expected["rows"])
    assert expected["results"]["passed"] == expected["passes"] >= expected["certificates"]
    assert Counter(row["verdict"] for row in expected["rows"]) == expected["results"]
    assert sum(row["available_points"] for row in expected["points"]) == expected["points_total"]
    assert expected["applications"] > expected["approved"] > expected["completed"] > expected["candidates"]


def test_each_level_counts_once_at_its_rules_points(story: Story, expected: dict[str, Any]) -> None:
    for row in expected["points"]:
        points = story.annex.credit_points[row["scheme"], row["level"]]
        assert row["available_points"] == row["holdings"] * points
    passes = Counter(
        (sat.candidate.application.person.document_number, sat.candidate.plan.scheme)
        for sat in (*story.exams.firsts, *story.exams.seconds)
        if sat.verdict == "passed"
    )
    assert sum(row["holdings"] for row in expected["points"]) == len(passes)
    assert max(passes.values()) == 3, "somebody climbs all three levels"


def test_one_notice_for_each_event_that_has_one(expected: dict[str, Any]) -> None:
    told = {(row["event"], row["channel"]): row["count"] for row in expected["notices"]}
    mailbox = {event: count for (event, channel), count in told.items() if channel == "mailbox"}
    assert mailbox == {
        "EnrolmentApproved": expected["approved"],
        "CandidateRegistered": expected["candidates"],
        "ResultPublicised": expected["final"],
        "ResultFinalised": expected["final"] - expected["passes"],
        "CreditPosted": mailbox["CreditPosted"],
        "CertificateIssued": expected["certificates"],
    }
    assert mailbox["CreditPosted"] == expected["passes"] - 1, "one passed a lower level after a higher one"
    assert all(0 < told[event, "email"] < count for event, count in mailbox.items())


def test_every_sheet_has_the_rows_it_says(expected: dict[str, Any], tables: dict[str, Table]) -> None:
    assert {sheet["file"] for sheet in expected["sheets"]} == set(tables)
    for sheet in expected["sheets"]:
        table = tables[sheet["file"]]
        header = next(number for number in (1, 2) if "姓名" in table[number] or "准考证号" in table[number])
        assert len(table) - 1 - header == sheet["rows"] == sheet["accepted"] + len(sheet["refused"])


def test_each_result_is_named_by_the_row_it_stands_in(expected: dict[str, Any], tables: dict[str, Table]) -> None:
    for row in expected["rows"]:
        cells = [str(cell).strip() for cell in tables[row["sheet"]][row["row"]]]
        assert row["admission_number"] in cells
        assert row["plan"] in cells


@pytest.mark.parametrize(
    "code",
    [
        "identity_check_digit",
        "programme_unknown",
        "repeated_in_file",
        "learner_unknown",
        "admission_unknown",
        "score_range",
        "resit_not_allowed",
        "certificate_number_used",
    ],
)
def test_the_bad_rows_asked_for_are_there(code: str, expected: dict[str, Any]) -> None:
    assert code in {row["code"] for sheet in expected["sheets"] for row in sheet["refused"]}


@pytest.mark.parametrize(
    "text",
    [
        "3",
        "3级",
        "高级",
        "高",
        "３级",
        "失智老人照护",
        "缺考",
        "居民身份证",
        "港澳台居民居住证",
        "古丽娜尔·阿不都拉",
        "刘𬱖妍",
    ],
)
def test_spellings_that_colleges_use_are_there(text: str, tables: dict[str, Table]) -> None:
    assert any(text == cell for table in tables.values() for row in table for cell in row)


def test_peculiar_identity_numbers_are_there(story: Story) -> None:
    numbers = [person.document_number for person in story.learners.people]
    assert any(number.startswith("440106" + "1975") for number in numbers)
    assert any(number.startswith("830000") for number in numbers)


def test_real_dates_text_dates_and_titles_are_there(files: dict[str, bytes], tables: dict[str, Table]) -> None:
    dates = [cell for row in tables["roster-accounting.xlsx"] for cell in row[10:11]]
    assert {type(cell).__name__ for cell in dates} == {"str", "datetime"}
    book = load_workbook(io.BytesIO(files["roster-mechatronics.xlsx"]))
    assert [str(one) for one in book.active.merged_cells.ranges] == ["A1:N1"]  # type: ignore[union-attr]


def test_a_resit_sends_the_failed_part_alone(expected: dict[str, Any]) -> None:
    resits = [row for row in expected["rows"] if row["attempt"] == 2]
    assert resits
    assert all((row["theory"] is None) != (row["practical"] is None) for row in resits)
    assert {row["verdict"] for row in resits} == {"passed", "failed"}


def test_candidates_only_of_those_approved_and_trained(story: Story) -> None:
    completed = {item.key for item in story.learners.completed}
    approved = {item.key for item in story.learners.approved}
    registered = {candidate.application.key for candidate in story.exams.candidates}
    assert registered < completed < approved


def test_lower_levels_are_examined_before_higher_ones(story: Story) -> None:
    last: dict[tuple[str, int], str] = {}
    for plan in story.exams.plans:
        last[plan.scheme, plan.level] = max(last.get((plan.scheme, plan.level), ""), plan.session_date.isoformat())
    for plan in story.exams.plans:
        assert last.get((plan.scheme, plan.level - 1), "") < plan.session_date.isoformat()
