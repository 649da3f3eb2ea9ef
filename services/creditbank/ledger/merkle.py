"""One hash over the heads of all accounts, and the short path from one head to it: RFC 6962's tree (section 2.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

LEAF, NODE = b"\x00", b"\x01"  # so that no inner node passes for a head


class Head(NamedTuple):
    """The end of an account's chain: how many entries it has, and the hash of the last."""

    learner_id: str
    entries: int
    hash: bytes

    def line(self) -> str:
        """The head as it stands in a file of heads, and as it is hashed."""
        return f"{self.learner_id} {self.entries} {self.hash.hex()}"


def head_of(line: str) -> Head:
    """Read a line; ValueError when it is none."""
    learner_id, entries, digest = line.split(" ")
    return Head(learner_id, int(entries), bytes.fromhex(digest))


def leaf_of(line: str) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(LEAF + line.encode()).digest()


def node_of(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(NODE + left + right).digest()


class Tree:
    """Grows leaf by leaf; keeps no more than one hash for each power of two."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, line: str) -> None:
        """One leaf more, on the right."""
        node = leaf_of(line)
        full = self.size
        while full & 1:
            node = node_of(self._peaks.pop(), node)
            full >>= 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The hash over all leaves so far."""
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        node = self._peaks[-1]
        for left in reversed(self._peaks[:-1]):
            node = node_of(left, node)
        return node


def walked(lines: Iterator[str], size: int, place: int) -> tuple[bytes, list[bytes]]:
    """The root of the next `size` leaves, and the path to it from the one at `place`, if it is among them.

    Reads each line once; ValueError when there are too few.
    """
    if size == 1:
        line = next(lines, None)
        if line is None:
            raise ValueError("there are fewer heads than the root says")
        return leaf_of(line), []
    half = 1 << (size - 1).bit_length() - 1
    left, path = walked(lines, half, place)
    right, other = walked(lines, size - half, place - half)
    if 0 <= place < half:
        path = [*path, right]
    elif place >= half:
        path = [*other, left]
    return node_of(left, right), path
