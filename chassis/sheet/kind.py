"""What a service says about one kind of sheet; everything else about sheets is done here once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from chassis.errors import Refusal
from chassis.sheet.cells import Reader, text

Status = Literal["new", "changed", "unchanged", "refused"]
Known = TypeVar("Known")


def masked(value: str) -> str:
    """Three characters in front and four behind; of a short value the first alone."""
    if len(value) < 8:
        return value[:1] + "*" * max(len(value) - 1, 0)
    return value[:3] + "*" * (len(value) - 7) + value[-4:]


@dataclass(frozen=True)
class Column:
    """A column as it may be headed and filled.

    `required`: the header must have it. `filled`: besides, no row may leave it empty.
    `read` turns a cell into text in one form or refuses it (chassis.sheet.cells: text, code, integer, day, instant).
    `personal` cells are shown masked on pages; in the workbook that goes back they stand as they came.
    """

    name: str
    aliases: tuple[str, ...] = ()
    required: bool = False
    filled: bool = False
    read: Reader = text
    personal: bool = False
    mask: Callable[[str], str] = masked
    examples: tuple[str, ...] = ()
    note_zh: str = ""
    note_en: str = ""


@dataclass(frozen=True)
class Upload:
    """Who sent a sheet, and with which options of its kind. `owns` is empty for callers of the whole college.

    `committed_by`: who had its rows take effect, once somebody has.
    """

    number: int
    kind: str
    uploaded_by: str = ""
    owns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    committed_by: str = ""


@dataclass(slots=True)
class Row:
    """One row: its number in the file, its cells by canonical column name, and what `resolve` found out."""

    number: int
    cells: dict[str, str]
    resolved: dict[str, Any] = field(default_factory=dict)  # JSON values only
    upload: Upload = Upload(0, "")

    def __getitem__(self, column: str) -> str:
        """The cell's text; empty where the sheet has no such column."""
        return self.cells.get(column, "")


@dataclass(slots=True)
class Examined:
    """The verdict on one row, and in `value` whatever the kind's commit needs for it.

    Two accepted rows of one file with the same `identity` are refused but for the first (empty: no such check).
    `notes` are remarks that refuse nothing: GROUND(fact=...) values. `cause` is set before commit.
    `renews`: it says what is known already, but newer; though `unchanged`, commit gets it.
    """

    row_no: int
    status: Status
    refusal: Refusal | None = None
    value: Any = None
    identity: str = ""
    notes: tuple[Refusal, ...] = ()
    cause: str = ""
    renews: bool = False

    @property
    def takes_effect(self) -> bool:
        """Whether commit gets it."""
        return self.status in {"new", "changed"} or (self.renews and self.status == "unchanged")


def refused(row: Row, refusal: Refusal) -> Examined:
    """The verdict that a rule says no to this row."""
    return Examined(row.number, "refused", refusal)


def nothing_to_resolve(rows: list[Row]) -> None:
    """Most kinds ask nobody else."""


@dataclass(frozen=True)
class SheetKind(Generic[Known]):
    """One kind of sheet of a service.

    resolve: outside any transaction, may ask other services (raises Transient); fills `row.resolved`. At commit the
      rows that the preview refused are resolved again.
    known: reads the service's own database for these rows. At commit it runs inside the transaction.
    examine: pure; one Examined for each row, in order.
    commit: inside a transaction of at most 500 rows; gets those that take effect (`Examined`), each with its `cause`.
    Rows whose cells could not be read never get here. `options` are query parameters of the upload, read like cells.
    columns_for: the columns of one upload, where senders head and fill them in ways of their own; may read the
      service's own database.
    is_strict: a sheet with a column that nobody knows is refused; else such columns are left alone.
    whole_college: its rows are anybody's, so that nobody who is limited may send it; other kinds judge `upload.owns`.
    """

    name: str
    title_zh: str
    title_en: str
    columns: tuple[Column, ...]
    known: Callable[[list[Row]], Known]
    examine: Callable[[list[Row], Known], list[Examined]]
    commit: Callable[[list[Examined]], None]
    roles: tuple[StrEnum, ...]
    resolve: Callable[[list[Row]], None] = nothing_to_resolve
    options: tuple[Column, ...] = ()
    repeats_allowed: bool = False  # True: the kind itself judges rows of one file with the same identity
    columns_for: Callable[[Upload], tuple[Column, ...]] | None = None
    is_strict: bool = False
    whole_college: bool = False

    def fitted_to(self, upload: Upload) -> SheetKind[Known]:
        """The kind as one upload's sender fills it in."""
        return replace(self, columns=self.columns_for(upload)) if self.columns_for else self
