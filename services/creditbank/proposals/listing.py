"""What a simulation found, as lines of a sheet."""

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
from contracts.terms import Role, level_words
from services.creditbank.proposals import queries

FIGURES = (
    "before_provisional",
    "before_available",
    "enacted_provisional",
    "enacted_available",
    "rerated_provisional",
    "rerated_available",
    "change",
)
HEADINGS: dict[Language, Sequence[str]] = {
    "zh": (
        "学习者",
        "专业",
        "证书",
        "等级",
        "现有待生效积分",
        "现有可用积分",
        "实施后待生效积分",
        "实施后可用积分",
        "重新认定后待生效积分",
        "重新认定后可用积分",
        "增减",
    ),
    "en": (
        "Learner",
        "Programme",
        "Scheme",
        "Level",
        "Provisional now",
        "Available now",
        "Provisional when carried out",
        "Available when carried out",
        "Provisional when rerated",
        "Available when rerated",
        "Change",
    ),
}
TALLY = ("holdings", "gainers", "gained_points", "losers", "lost_points", "change_points", "published_points")
TALLY_HEADINGS: dict[Language, Sequence[str]] = {
    "zh": ("变动的证书积分", "增加", "增加积分", "减少", "减少积分", "净变动", "仅发布的变动"),
    "en": ("Holdings that change", "Gain", "Gained", "Lose", "Lost", "Change", "By publishing alone"),
}
LEAVES: Mapping[str, tuple[str, dict[Language, tuple[str, str]]]] = {
    "programmes": ("programme", {"zh": ("按专业合计", "专业"), "en": ("By programme", "Programme")}),
    "schemes": ("scheme", {"zh": ("按证书合计", "证书"), "en": ("By scheme", "Scheme")}),
}


def leaves_of(simulation: Mapping[str, Any], language: Language) -> list[Leaf]:
    """The totals of a simulation as it is told, by programme and by scheme, each a sheet of its own."""
    leaves = []
    for name, (key, words) in LEAVES.items():
        title, heading = words[language]
        lines = [[one[key], *(one[figure] for figure in TALLY)] for one in simulation[name]]
        leaves.append(Leaf(title, (heading, *TALLY_HEADINGS[language]), lines))
    return leaves


def read_shifts(values: Values, language: Language) -> Table:
    """Every holding that a proposal would change, with the totals; Refusal when nobody asked for a simulation."""
    count, rows = queries.shifts_to_save(values["number"], values["direction"])
    leaves = leaves_of(queries.simulation_of(values["number"]), language)
    return Table(HEADINGS[language], count, lines_of(rows), leaves)


SHIFTS = TableKind("recognition-simulation", (Role.REGISTRY, Role.OPERATOR, Role.AUDITOR), read_shifts)


def lines_of(rows: Iterable[Row]) -> Iterator[Sequence[Cell]]:
    """A line for each holding."""
    for row in rows:
        yield [
            row["learner_id"],
            row.get("programme", ""),
            row["scheme"],
            level_words(row["scheme"], row["level"])[0],
            *(row[name] for name in FIGURES),
        ]
