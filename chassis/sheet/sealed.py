"""What of an import rests sealed: its file, its rows with their verdicts, what was said about it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from bson import Binary

from chassis.seal import open_bytes, seal_bytes
from chassis.sheet.kind import Row, Status, Upload
from chassis.sheet.sayings import Said

Kept = TypeVar("Kept")
FILE_PART_BYTES = 4 * 1024 * 1024
LETTERS: dict[Status, str] = {"new": "n", "changed": "c", "unchanged": "u", "refused": "r"}
STATUSES: dict[str, Status] = {letter: status for status, letter in LETTERS.items()}


class About(msgspec.Struct, frozen=True):
    """What the uploader told besides the file."""

    file_name: str
    options: dict[str, str]


class Judgement(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What was found about a row. `settled`: not to be judged again, whatever the database says later."""

    status: Status
    said: Said | None = None
    notes: tuple[Said, ...] = ()
    identity: bytes = b""
    settled: bool = False


class KeptRow(msgspec.Struct, frozen=True, array_like=True):
    """A row as previewed; its cells stand in the order of the piece's columns."""

    number: int
    cells: tuple[str, ...]
    resolved: dict[str, Any]
    judgement: Judgement


class KeptPiece(msgspec.Struct, frozen=True):
    """Consecutive rows of one import."""

    columns: tuple[str, ...]
    rows: tuple[KeptRow, ...]

    def row(self, kept: KeptRow, upload: Upload) -> Row:
        """The row as the kind sees it."""
        return Row(kept.number, dict(zip(self.columns, kept.cells, strict=True)), dict(kept.resolved), upload)


Judgements = tuple[Judgement, ...]


@dataclass(frozen=True)
class Safe:
    """The import's own key, and the import that all sealed under it is bound to."""

    number: int
    key: bytes

    def seal(self, place: str, value: Any) -> Binary:
        """Pack, squeeze and seal a value for a place."""
        packed = zlib.compress(msgspec.msgpack.encode(value), 1)
        return Binary(seal_bytes(self.key, packed, self._aad(place)))

    def open(self, place: str, token: bytes, kept_type: type[Kept]) -> Kept:
        """The value sealed for a place; SealBroken when it belongs elsewhere."""
        packed = zlib.decompress(open_bytes(self.key, token, self._aad(place)))
        return msgspec.msgpack.decode(packed, type=kept_type)

    def seal_file(self, content: bytes) -> Iterator[Mapping[str, Any]]:
        """The documents that keep a file."""
        view = memoryview(content)
        for part, start in enumerate(range(0, len(view), FILE_PART_BYTES)):
            sealed = seal_bytes(self.key, bytes(view[start : start + FILE_PART_BYTES]), self._aad(f"file:{part}"))
            yield {"_id": f"{self.number}:{part}", "sealed": Binary(sealed)}

    def open_part(self, part: int, token: bytes) -> bytes:
        """One part of the file."""
        return open_bytes(self.key, token, self._aad(f"file:{part}"))

    def _aad(self, place: str) -> str:
        return f"import:{self.number}:{place}"
