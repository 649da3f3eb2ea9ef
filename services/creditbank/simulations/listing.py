"""What a simulation of a draft found, as lines of a sheet, and its totals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chassis.database import Row
from chassis.errors import Language
from chassis.sheet.cells import Cell
from chassis.sheet.export import Table
from chassis.sheet.saved import Values
from chassis.sheet.saving import TableKind
from chassis.sheet.write import Leaf
from contracts.terms import Role
from services.creditbank.simulations import queries
from services.creditbank.simulations.domain import Effect

EFFECTS: dict[Language, dict[str, str]] = {
    "zh": {
        Effect.ALLOWED: "新增可办理",
        Effect.TAKEN: "不再可办理",
        Effect.REPRICED: "所需积分变动",
        Effect.APPLICATION: "在办申请按草案不成立",
        Effect.OFFER: "替代建议按草案不成立",
    },
    "en": {
        Effect.ALLOWED: "newly allowed",
        Effect.TAKEN: "no longer allowed",
        Effect.REPRICED: "costs other points",
        Effect.APPLICATION: "open application would fall",
        Effect.OFFER: "open offer would fall",
    },
}
NAMES = ("student_number", "programme", "entry_year", "scheme", "rule", "course", "module")
HEADINGS: dict[Language, Sequence[str]] = {
    "zh": (
        "学习者", "学号", "专业", "年级", "证书", "规则", "课程", "模块", "影响", "现需积分", "草案所需积分",
        "申请编号", "原因",
    ),
    "en": (
        "Learner", "Student number", "Programme", "Entry year", "Scheme", "Rule", "Course", "Module", "What changes",
        "Points now", "Points by the draft", "Application", "Why",
    ),
}  # fmt: skip
TALLY = ("allowed", "allowed_points", "taken", "taken_points", "repriced", "dearer_points", "applications", "offers")
TALLY_HEADINGS: dict[Language, Sequence[str]] = {
    "zh": (
        "新增可办理", "新增积分", "不再可办理", "减少积分", "所需积分变动", "净增积分", "在办申请不成立",
        "替代建议不成立",
    ),
    "en": (
        "Newly allowed", "Points allowed", "No longer allowed", "Points taken", "Repriced", "Points more",
        "Applications falling", "Offers falling",
    ),
}  # fmt: skip
LEAVES: Mapping[str, dict[Language, tuple[str, ...]]] = {
    "programmes": {"zh": ("按专业合计", "专业"), "en": ("By programme", "Programme")},
    "schemes": {"zh": ("按证书合计", "证书"), "en": ("By scheme", "Scheme")},
    "courses": {"zh": ("按课程合计", "专业", "课程"), "en": ("By course", "Programme", "Course")},
}
KEYS = {"programmes": ("programme",), "schemes": ("scheme",), "courses": ("programme", "course")}


def read_changes(values: Values, language: Language) -> Table:
    """Every exemption that a draft would change, with the totals; Refusal when there is no such simulation."""
    count, rows = queries.changes_to_save(values["number"], values["effect"])
    leaves = leaves_of(queries.simulation_of(values["number"]), language)
    return Table(HEADINGS[language], count, lines_of(rows, language), leaves)


CHANGES = TableKind("conversion-simulation", (Role.REGISTRY, Role.OPERATOR, Role.AUDITOR), read_changes)


def lines_of(rows: Iterable[Row], language: Language) -> Iterator[Sequence[Cell]]:
    """A line for each exemption that changes."""
    for row in rows:
        points = row["before_points"], row["after_points"]
        said = EFFECTS[language][row["effect"]]
        why = row[f"because_{language}"]
        yield [row["learner_id"], *(row[name] for name in NAMES), said, *points, row["application"], why]


def leaves_of(simulation: Mapping[str, Any], language: Language) -> list[Leaf]:
    """The totals of a simulation as it is told, each a sheet of its own."""
    leaves = []
    for name, words in LEAVES.items():
        title, *headings = words[language]
        lines = [[*(one[key] for key in KEYS[name]), *(one[figure] for figure in TALLY)] for one in simulation[name]]
        leaves.append(Leaf(title, (*headings, *TALLY_HEADINGS[language]), lines))
    return leaves
