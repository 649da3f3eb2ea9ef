"""A learner's final passes as an ELMO file."""

from __future__ import annotations

from datetime import UTC, date, datetime
from xml.etree import ElementTree as ET

import pytest

from contracts.terms import Verdict
from services.creditbank.papers import queries
from services.creditbank.papers.domain import Addresses
from services.creditbank.papers.elmo import NAMESPACE, Passed, credits_of, parts_of
from tests.unit.creditbank.papers import PAPERS_URL, PUBLIC_URL, desk
from tests.unit.creditbank.stories import Assessment, annulled, finalised, publicised, publish_annex, registered, scheme

AT = Addresses(PAPERS_URL, PUBLIC_URL)
NOW = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
PASSES = [Passed("T:P:1:1", "dementia-care", "老年照护", 2, date(2020, 11, 21), 450)]
NAMES = {"": NAMESPACE}


@pytest.fixture
def assessment(mongo: str) -> Assessment:
    publish_annex()
    teller = Assessment()
    teller.tell(scheme(), registered("mei"), registered("lan"))
    teller.tell(publicised("mei", level=1), finalised("mei", level=1), publicised("mei", "0002", level=3))
    return teller


def passes(content: bytes) -> list[str | None]:
    found = ET.fromstring(content)
    return [one.text for one in found.iterfind(".//learningOpportunitySpecification/identifier", NAMES)]


def test_only_final_passes_are_told_abroad(assessment: Assessment) -> None:
    assert passes(queries.elmo_of("mei", desk())) == ["cloud-ops:1"]
    assessment.tell(finalised("mei", "0002", level=3))
    assert passes(queries.elmo_of("mei", desk())) == ["cloud-ops:1", "cloud-ops:3"]
    assessment.tell(annulled("mei", level=1), publicised("mei", "0003", verdict=Verdict.FAILED))
    assert passes(queries.elmo_of("mei", desk())) == ["cloud-ops:3"]


def test_credits_are_exact_and_no_ects(assessment: Assessment) -> None:
    found = ET.fromstring(queries.elmo_of("mei", desk()))
    assert [one.findtext("value", "", NAMES) for one in found.iterfind(".//credit", NAMES)] == ["2.00"]
    assert [one.findtext("scheme", "", NAMES) for one in found.iterfind(".//credit", NAMES)] == ["1+X"]
    assert [credits_of(points) for points in (0, 5, 250, 100_000)] == ["0.00", "0.05", "2.50", "1000.00"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("黄玉梅", ("玉梅", "黄")),
        ("欧阳娜娜", ("娜娜", "欧阳")),
        ("东方", ("方", "东")),
        ("阿依古丽·买买提", ("阿依古丽·买买提", "")),
        ("Maria Silva", ("Maria Silva", "")),
        ("李", ("李", "")),
    ],
)
def test_a_name_is_parted_only_where_it_can_be(name: str, parts: tuple[str, str]) -> None:
    assert parts_of(name) == parts
