"""A statement says what the account says, with its owner's name, as JSON and on paper."""

from __future__ import annotations

import io

import pypdf
import pytest
from fontTools.ttLib import TTFont

from chassis.errors import Refusal
from services.creditbank.papers import queries
from services.creditbank.papers.printing import FONT, TITLES, WORDS, printed
from tests.unit.creditbank.papers import desk
from tests.unit.creditbank.stories import (
    Assessment,
    finalised,
    publicised,
    publish_annex,
    registered,
    scheme,
)

DESK = desk()


@pytest.fixture
def assessment(mongo: str) -> Assessment:
    publish_annex()
    teller = Assessment()
    teller.tell(scheme(), registered("mei"), registered("lan"))
    teller.tell(publicised("mei"), finalised("mei"))
    return teller


def test_a_statement_holds_name_balances_holdings_and_entries(assessment: Assessment) -> None:
    found = queries.statement_of("mei", DESK, is_learner=True)
    assert (found["name"], found["balances"]) == ("黄玉梅", {"provisional": 0, "available": 400})
    assert [(one["scheme_name"], one["available_points"]) for one in found["holdings"]] == [("cloud-ops", 400)]
    assert [one["number"] for one in found["entries"]] == [2, 1]
    assert found["head"] == found["entries"][0]["hash"]
    assert sum(one["available_points"] for one in found["entries"]) == found["balances"]["available"]


def test_there_is_none_of_an_account_that_nobody_opened(mongo: str) -> None:
    with pytest.raises(Refusal) as refusal:
        queries.statement_of("nobody", DESK, is_learner=True)
    assert refusal.value.code == "not_found"


def text_of(content: bytes) -> str:
    """What a reader copies out of a PDF."""
    return "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)


def test_a_printed_statement_says_the_same_in_both_languages(assessment: Assessment) -> None:
    content = printed(queries.statement_of("mei", DESK, is_learner=True))
    assert content.startswith(b"%PDF-")
    text = text_of(content)
    for wanted in ("黄玉梅", "400", "cloud-ops", "成绩生效", "Result final", "学分账户对账单", "Statement of Account"):
        assert wanted in text


def test_an_empty_account_is_printed_too(assessment: Assessment) -> None:
    assert "兰兰" in text_of(printed(queries.statement_of("lan", DESK, is_learner=True)))


def test_many_entries_run_over_pages(assessment: Assessment) -> None:
    statement = queries.statement_of("mei", DESK, is_learner=True)
    many = printed(statement | {"entries": statement["entries"] * 60})
    assert many.count(b"/Type /Page\n") > 1


def test_a_character_that_no_font_has_is_marked_and_never_left_out(assessment: Assessment) -> None:
    statement = queries.statement_of("mei", DESK, is_learner=True) | {"name": "王𬎆·A"}
    assert "王〓·A" in text_of(printed(statement))


def test_the_font_has_every_character_of_the_words_and_of_rare_names() -> None:
    known = set(TTFont(FONT)["cmap"].getBestCmap())
    said = "".join((*TITLES.values(), *WORDS.values())) + "喆堃昇燊赟頔"
    assert {one for one in said if ord(one) not in known and not one.isspace()} == set()
