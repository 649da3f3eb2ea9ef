"""Violations of the house's order, one line each, to see every contract of pyproject break.

As a script, in the folder of a house: prints what import-linter says of it whole, and then with each violation.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner
from importlinter.cli import lint_imports_command

VERDICT = re.compile(r"^(.+) (KEPT|BROKEN)(?: \(.*\))?$", re.MULTILINE)
WHOLE = "whole"
PACKAGES = ("services", "portal", "contracts", "chassis", "onex", "bench", "tests")  # as in pyproject


@dataclass(frozen=True)
class Seed:
    """A line to append to a module, or a module that has no place, and the contract it breaks."""

    contract: str
    module: str
    imported: str = ""
    is_new: bool = False

    @property
    def file(self) -> str:
        return self.module.replace(".", "/") + ".py"

    def __str__(self) -> str:
        return f"{self.module}-{self.imported or 'is-new'}"

    @contextmanager
    def sown(self, house: Path) -> Iterator[None]:
        """The house with this violation in it."""
        file = house / self.file
        assert file.exists() is not self.is_new, f"{self.file}: the seed no longer fits the house"
        before = "" if self.is_new else file.read_text()
        file.write_text(f"{before}\nimport {self.imported}\n" if self.imported else before)
        yield
        if self.is_new:
            file.unlink()
        else:
            file.write_text(before)


def copy_of_house(root: Path, folder: Path) -> Path:
    """The packages' modules and pyproject, to be spoilt."""
    for package in PACKAGES:
        shutil.copytree(root / package, folder / package, ignore=_not_modules)
    shutil.copy(root / "pyproject.toml", folder)
    return folder


def _not_modules(folder: str, names: list[str]) -> set[str]:
    return {
        name for name in names if name == "__pycache__" or not ((Path(folder) / name).is_dir() or name.endswith(".py"))
    }


INDEPENDENT = "Services never import each other"
HOUSE = "The house stands in one order"
CREDITBANK = "Creditbank: its doors, then its rooms"
ASSESSMENT = "Assessment: its doors, then its rooms"
ENROLMENT = "Enrolment: its doors, then its rooms"
TRAINING = "Training: its doors, then its rooms"
NOTIFY = "Notify: its doors, then its rooms"
ROOM = "A room: its furniture runs downwards"
CHASSIS = "The chassis: wings, then ground"
DOMAIN = "Domain rules know only words"
LEDGER = "Only the ledger touches entries"
ENVIRONMENT = "The environment enters by the doors"
KAFKA = "Kafka is spoken only by the bus"
WITNESSES = "Witnesses share no code with what they judge"
CHECKER = "The fault checker shares no code with the flow it judges, either"
EVENTS = "Events come in by handlers and leave by commands"
COLLECTIONS = "Collections are spoken to by models alone"

SEEDS = (
    Seed(INDEPENDENT, "services.notify.jobs", "services.creditbank.ledger.queries"),
    Seed(INDEPENDENT, "services.assessment.plans.domain", "services.training.classes.domain"),
    Seed(HOUSE, "chassis.clock", "contracts.terms"),
    Seed(HOUSE, "contracts.directory", "services.enrolment.learners.keyring"),
    Seed(HOUSE, "portal.pages.staff", "services.creditbank.ledger.queries"),
    Seed(HOUSE, "onex.demo.driver", "portal.identity.demo"),
    Seed(CREDITBANK, "services.creditbank.ledger.commands", "services.creditbank.recognition.domain"),
    Seed(CREDITBANK, "services.creditbank.recognition.commands", "services.creditbank.papers.domain"),
    Seed(CREDITBANK, "services.creditbank.recognition.commands", "services.creditbank.conversion.commands"),
    Seed(CREDITBANK, "services.creditbank.curricula.commands", "services.creditbank.recognition.domain"),
    Seed(CREDITBANK, "services.creditbank.ledger.commands", "services.creditbank.curricula.domain"),
    Seed(CREDITBANK, "services.creditbank.gossip", is_new=True),
    Seed(ASSESSMENT, "services.assessment.catalogue.queries", "services.assessment.results.queries"),
    Seed(ASSESSMENT, "services.assessment.gossip", is_new=True),
    Seed(ENROLMENT, "services.enrolment.programmes.commands", "services.enrolment.calendar.commands"),
    Seed(ENROLMENT, "services.enrolment.gossip", is_new=True),
    Seed(TRAINING, "services.training.classes.commands", "services.training.completions.commands"),
    Seed(TRAINING, "services.training.gossip", is_new=True),
    Seed(NOTIFY, "services.notify.contacts.commands", "services.notify.notices.commands"),
    Seed(NOTIFY, "services.notify.gossip", is_new=True),
    Seed(ROOM, "services.assessment.results.models", "services.assessment.results.commands"),
    Seed(ROOM, "services.enrolment.learners.commands", "services.enrolment.learners.queries"),
    Seed(CHASSIS, "chassis.errors", "chassis.clock"),
    Seed(CHASSIS, "chassis.bus.outbox", "chassis.web.client"),
    Seed(CHASSIS, "chassis.gossip", is_new=True),
    Seed(DOMAIN, "services.creditbank.recognition.domain", "mongoengine"),
    Seed(DOMAIN, "services.notify.notices.domain", "chassis.clock"),
    Seed(DOMAIN, "services.training.classes.domain", "contracts.enrolment"),
    Seed(LEDGER, "services.creditbank.recognition.commands", "services.creditbank.ledger.models"),
    Seed(ENVIRONMENT, "services.notify.notices.sender", "services.notify.settings"),
    Seed(KAFKA, "services.training.jobs", "kafka"),
    Seed(KAFKA, "chassis.web.health", "kafka"),
    Seed(WITNESSES, "onex.samples.judging", "contracts.terms"),
    Seed(WITNESSES, "bench.bare", "chassis.strands"),
    Seed(CHECKER, "tests.faults.checker", "tests.faults.flow"),
    Seed(EVENTS, "services.assessment.results.queries", "contracts.assessment"),
    Seed(COLLECTIONS, "services.enrolment.learners.api", "pymongo"),
    Seed(COLLECTIONS, "portal.pages.staff", "mongoengine"),
)


def verdicts(*more: str) -> dict[str, str]:
    """What import-linter says of each contract, about the packages in this process's path."""
    done = CliRunner().invoke(lint_imports_command, ["--no-logo", *more])
    found: dict[str, str] = dict(VERDICT.findall(done.output))
    assert found, done.output
    assert done.exit_code == int("BROKEN" in found.values()), done.output
    return found


def _main(house: Path) -> None:
    """Judge the house in the working directory: as it is, then with each seed alone."""
    sys.path[0] = str(house)
    found = {WHOLE: verdicts()}
    for seed in SEEDS:
        with seed.sown(house):
            found[str(seed)] = verdicts()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    _main(Path.cwd())
