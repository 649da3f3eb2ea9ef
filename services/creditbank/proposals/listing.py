"""What a simulation found, as lines of a sheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chassis.database import Row
from chassis.errors import Language
from chassis.sheet.cells import Cell
from contracts.terms import level_words

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


def lines_of(rows: Iterable[Row]) -> Iterator[Sequence[Cell]]:
    """A line for each holding."""
    for row in rows:
        yield [
            row["learner_id"],
            row["scheme"],
            level_words(row["scheme"], row["level"])[0],
            *(row[name] for name in FIGURES),
        ]
