"""The pages speak two languages, and have a word for everything they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import msgspec
import pytest

from chassis.bus.event import Announcement
from contracts import assessment, creditbank, enrolment, training
from contracts.terms import LearnerKind, Role, StudyStatus, Verdict
from portal.pages import frame, signing, staff
from portal.pages.words import WORDS, level_word, word

PORTAL = Path(frame.__file__).parents[1]
SAID = re.compile(r"""\bsay\(\s*["']([^"'{]+)["']\s*[,)]""")
BEGUN = re.compile(r"""\bsay\(f?["']([a-z]+_)(?:\{|["'] ~)""")
CHINESE = re.compile(r"[一-鿿]")
LANGUAGES_OWN = {"other_language"}  # is written in the language it leads to
SEALED = {"name", "phone", "email", "learner_id"}
CONTRACTS = (assessment, creditbank, enrolment, training)


def sources() -> Iterator[str]:
    for file in [*(PORTAL / "templates").glob("*.html"), *(PORTAL / "pages").glob("*.py")]:
        yield file.read_text()


def announcements() -> list[type[Announcement]]:
    return [
        one
        for contract in CONTRACTS
        for one in vars(contract).values()
        if isinstance(one, type)
        and issubclass(one, Announcement)
        and not one.__name__.startswith(("Of", "Announcement"))
    ]


def places(text: str) -> set[str | None]:
    return {field for _, field, _, _ in Formatter().parse(text) if field is not None}


def test_every_word_that_a_page_says_is_there() -> None:
    said = {name for source in sources() for name in SAID.findall(source)}
    assert len(said) > 100
    assert said - set(WORDS) == set()


def test_every_word_begun_by_a_page_has_members() -> None:
    begun = {name for source in sources() for name in BEGUN.findall(source)}
    assert {"state_", "verdict_", "service_"} <= begun
    assert {name for name in begun if not any(known.startswith(name) for known in WORDS)} == set()


@pytest.mark.parametrize("name", sorted(set(WORDS) - LANGUAGES_OWN))
def test_a_word_says_the_same_in_both_languages(name: str) -> None:
    zh, en = WORDS[name]
    assert CHINESE.search(zh.replace("1+X", "")) or zh == "标识"
    assert en
    assert not CHINESE.search(en)
    assert places(zh) == places(en)


def test_every_role_verdict_state_and_service_has_a_word() -> None:
    wanted = {f"role_{one}" for one in Role if one is not Role.SERVICE} | {f"verdict_{one}" for one in Verdict}
    wanted |= {f"state_{one}" for one in [*StudyStatus, *LearnerKind, "publicised", "final", "annulled"]}
    wanted |= {f"service_{one}" for one in staff.SERVICES} | set(frame.TROUBLES.values()) | set(signing.LOST.values())
    assert wanted - set(WORDS) == set()


def test_every_announcement_and_its_details_have_words() -> None:
    known = announcements()
    assert len(known) > 15
    assert {one.__name__ for one in known} - set(WORDS) == set()
    details = {field.name for one in known for field in msgspec.structs.fields(one)} - SEALED
    assert {f"fact_{name}" for name in details} - set(WORDS) == set()


def test_what_has_no_word_is_shown_as_it_is() -> None:
    assert word("SomethingNew", "zh") == word("SomethingNew", "en") == "SomethingNew"
    assert word("SomethingNew{0}", "zh") == "SomethingNew{0}"


def test_levels_have_words() -> None:
    assert [level_word(level, "zh") for level in (1, 2, 3, None)] == ["初级", "中级", "高级", "—"]
    assert level_word(2, "en") == "intermediate"
    assert level_word(5, "zh", "licence.electrician") == "五级（初级工）"
    assert level_word(1, "zh", "online.python-basics") == "—"
