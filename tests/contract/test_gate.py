"""The gate of `make check`: whatever would break a reader of the language is caught, by name; growth passes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chassis.bus.event import Announcement
from contracts.enrolment import Sealed
from contracts.language import DEEDS_ZH, announcements
from contracts.terms import Level, Verdict
from onex.stack.home import ROOT
from tests.contract.growth import breaches_of_language
from tests.contract.language import HERE, language_of, recorded_language, recorded_travels

KINDS = announcements()
Kinds = Mapping[str, type[Any]]
FEWER = StrEnum("Verdict", {"PASSED": "passed", "FAILED": "failed"})
MORE = StrEnum("Verdict", {one.name: one.value for one in Verdict} | {"DEFERRED": "deferred"})


def test_the_language_has_only_grown() -> None:
    found = breaches_of_language(recorded_language(HERE), language_of(KINDS))
    assert not found, "these changes break readers:\n" + "\n".join(found)
    assert set(recorded_travels(HERE)) == set(KINDS), "run: python -m tests.contract.record"


def test_every_announcement_says_what_it_says_in_chinese() -> None:
    assert set(DEEDS_ZH) == set(KINDS.values())


def again(
    name: str, /, without: str = "", rename: str = "", source: str = "", keys: Any = None, **changed: Any
) -> Kinds:
    """The language with one announcement made anew: fields left out, renamed, changed, or another way to travel."""
    kind = KINDS[name]
    fields = {one.encode_name: _spelt(one) for one in msgspec.structs.fields(kind)} | changed
    fields.pop(without, None)
    typed = [(rename if rename and at == first_of(kind) else at, *said) for at, said in fields.items()]
    space = {"source": source or kind.source, "keys": keys or kind.keys}
    made = msgspec.defstruct(name, typed, bases=(Announcement,), namespace=space, frozen=True, kw_only=True)
    return {**KINDS, name: made}


def first_of(kind: type[Any]) -> str:
    return "attempt" if "attempt" in kind.__struct_fields__ else kind.__struct_fields__[0]


def _spelt(one: Any) -> tuple[Any, ...]:
    return (one.type,) if one.default is msgspec.NODEFAULT else (one.type, one.default)


def without(name: str) -> Kinds:
    return {one: kind for one, kind in KINDS.items() if one != name}


BREAKS: dict[str, tuple[Callable[[], Kinds], list[str]]] = {
    "a field removed": (
        lambda: again("ResultAnnulled", without="reason"),
        ["ResultAnnulled.reason: was removed or renamed"],
    ),
    "a field renamed": (
        lambda: again("ResultFinalised", rename="try_number"),
        ["ResultFinalised.attempt: was removed or renamed", "ResultFinalised.try_number: is new and has no default"],
    ),
    "a type changed": (
        lambda: again("CreditPosted", available_points=(float,)),
        ["CreditPosted.available_points: was integer, is number"],
    ),
    "a field made required": (
        lambda: again("CandidateRegistered", site=(str,)),
        ["CandidateRegistered.site: was optional and is required"],
    ),
    "a field that may be left out now": (
        lambda: again("FeeSettled", level=(Level, Level.ELEMENTARY)),
        ["FeeSettled.level: was always there and may be left out now"],
    ),
    "a new field without a default": (
        lambda: again("TrainingCompleted", trainer=(str,)),
        ["TrainingCompleted.trainer: is new and has no default"],
    ),
    "another default": (
        lambda: again("SchemePublished", needs_certificate_number=(bool, True)),
        ["SchemePublished.needs_certificate_number: has another default"],
    ),
    "an enumeration narrowed": (
        lambda: again("ResultPublicised", verdict=(FEWER,)),
        ["ResultPublicised.verdict: takes no more"],
    ),
    "another key": (
        lambda: again("EnrolmentApproved", keys=lambda self: (f"application:{self.application_id}",)),
        ["EnrolmentApproved.keys: was learner:{learner_id}, is application:{application_id}"],
    ),
    "one of its keys gone": (
        lambda: again("LearnersMerged", keys=lambda self: (f"learner:{self.survivor_id}",)),
        ["LearnersMerged.keys: was learner:{survivor_id}, learner:{merged_id}, is learner:{survivor_id}"],
    ),
    "an announcement removed": (
        lambda: without("FeeSettled"),
        ["FeeSettled: was announced once and is not known any more"],
    ),
    "another source, and so another topic": (
        lambda: again("CertificateIssued", source="training"),
        ["CertificateIssued.source: was assessment, is training", "onex.assessment.v1, is onex.training.v1"],
    ),
    "a sealed field opened": (
        lambda: again("LearnerRegistered", name=(str,)),
        ["LearnerRegistered.name: was sealed string, is string"],
    ),
    "a sealed field that may be missing opened": (
        lambda: again("LearnerChanged", phone=(str | None, None)),
        ["LearnerChanged.phone: takes no more what it took, sealed string"],
    ),
    "an open field sealed": (
        lambda: again("StudentRecordChanged", class_name=(Sealed,)),
        ["StudentRecordChanged.class_name: was string, is sealed string"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", BREAKS)
def test_the_gate_catches_by_name(change: str) -> None:
    seed, sentences = BREAKS[change]
    found = breaches_of_language(recorded_language(HERE), language_of(seed()))
    assert len(found) == len(sentences), found
    for sentence in sentences:
        assert any(sentence in one for one in found), found


GROWS: dict[str, Callable[[], Kinds]] = {
    "the same fields made anew": lambda: again("ResultFinalised"),
    "a field with a default": lambda: again("ResultAnnulled", decided_by=(str, "")),
    "a sealed field that may be missing": lambda: again("LearnerChanged", address=(Sealed | None, None)),
    "more values": lambda: again("ResultCorrected", verdict=(MORE,)),
    "a new announcement": lambda: {**KINDS, "Told": again("FeeSettled", paid_on=(str,))["FeeSettled"]},
}


@pytest.mark.parametrize("change", GROWS)
def test_the_gate_lets_grow(change: str) -> None:
    assert breaches_of_language(recorded_language(HERE), language_of(GROWS[change]())) == []


# Each as somebody would write it into a file of contracts/.
EDITS = {
    ("enrolment", "    name: Sealed\n", "    name: str\n"),
    ("assessment", "    reason: str\n", ""),
    ("assessment", "    site: str = \"\"\n", "    site: str\n"),
    ("assessment", "    attempt: int\n", "    try_number: int\n"),
    ("assessment", 'return (f"scheme:{self.scheme}",)', 'return (f"teo:{self.teo}",)'),
    ("training", "    class_hours: int\n", "    class_hours: str\n"),
    ("training", 'source: ClassVar[str] = "training"', 'source: ClassVar[str] = "teaching"'),
    ("terms", '    MALPRACTICE = "malpractice"', '    MALPRACTICE = "cheated"'),
    ("creditbank", "class AccountsMerged(", "class AccountsJoined("),
    ("language", "creditbank.AccountsMerged", "creditbank.AccountsJoined"),
}  # fmt: skip
SAID = (
    "LearnerRegistered.name: was sealed string, is string",
    "ResultAnnulled.reason: was removed or renamed",
    "CandidateRegistered.site: was optional and is required",
    "ResultFinalised.attempt: was removed or renamed",
    "SchemePublished.keys: was scheme:{scheme}, is teo:{teo}",
    "TrainingCompleted.class_hours: was integer, is string",
    "CourseResultFinalised.topic: was onex.training.v1, is onex.teaching.v1",
    "ResultPublicised.verdict: takes no more ['malpractice']",
    "AccountsMerged: was announced once and is not known any more",
)


def test_edits_of_the_contracts_fail_the_check_by_name(tmp_path: Path) -> None:
    for folder in ("contracts", "chassis", "tests/contract", "onex"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "tests/__init__.py"):
        shutil.copy(ROOT / file, tmp_path / file)
    for name, before, after in EDITS:
        file = tmp_path / "contracts" / f"{name}.py"
        assert before in file.read_text(), f"{name} has no {before}"
        file.write_text(file.read_text().replace(before, after))
    node = "tests/contract/test_gate.py::test_the_language_has_only_grown"
    command = [sys.executable, "-m", "pytest", "-q", "--confcutdir=tests/contract", node]
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    run = subprocess.run(
        command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert [one for one in SAID if one not in run.stdout] == []


def test_the_gate_is_part_of_make_check() -> None:
    quick = re.search(r"^QUICK := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    check = re.search(r"^check: (.*?) *##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert quick
    assert "tests/contract" in quick[1].split()
    assert check
    assert "quick" in check[1].split()
