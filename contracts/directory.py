"""The directory: learners by their documents, and personal fields opened for a stated purpose, through enrolment."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic
from typing import Any, TypeVar

from chassis import seal
from chassis.web.client import Client

PART = 500
KEEP_SECONDS = 60.0
MAX_KEPT_KEYS = 10_000
T = TypeVar("T")

Document = tuple[str, str]  # document type, document number


class Directory:
    """Asks enrolment's audited routes. Never inside a transaction or a handler; raises what its client raises."""

    def __init__(self, enrolment: Client) -> None:
        self._enrolment = enrolment
        self._lock = threading.Lock()
        self._keys: OrderedDict[tuple[str, str], tuple[float, bytes]] = OrderedDict()

    def match(self, documents: Sequence[Document], purpose: str | None = None) -> list[str | None]:
        """The learner of each document (type, number), in order; None where nobody has it."""
        learner_ids: list[str | None] = []
        for part in parts(documents):
            asked = [{"document_type": kind, "document_number": number} for kind, number in part]
            learner_ids += [found["learner_id"] for found in self._enrolment.post("/match", asked, purpose=purpose)]
        return learner_ids

    def open_fields(self, sealed: Mapping[str, Mapping[str, str | None]], purpose: str) -> dict[str, dict[str, str]]:
        """Open learners' sealed fields: {learner id: {field: sealed}} → {learner id: {field: text}}.

        A field that is None, and every field of a learner whose key is destroyed, is left out. `SealBroken` when a
        value belongs to another learner or field.
        """
        keys = self._keys_of(list(sealed), purpose)
        return {
            learner_id: {
                field: seal.open_(keys[learner_id], token, f"learner:{learner_id}:{field}")
                for field, token in fields.items()
                if token and learner_id in keys
            }
            for learner_id, fields in sealed.items()
        }

    def particulars(self, learner_id: str, purpose: str) -> dict[str, Any]:
        """One learner's name, phone, e-mail and masked number, as enrolment opens them."""
        found: dict[str, Any] = self._enrolment.get(f"/learners/{learner_id}/particulars", purpose=purpose)
        return found

    def _keys_of(self, learner_ids: Sequence[str], purpose: str) -> dict[str, bytes]:
        keys = self._kept(learner_ids, purpose)
        missing = [learner_id for learner_id in learner_ids if learner_id not in keys]
        for part in parts(missing):
            answer = self._enrolment.post("/keys", {"learner_ids": list(part), "purpose": purpose})
            fresh = {learner_id: seal.key_of(text) for learner_id, text in answer["keys"].items() if text}
            self._keep(fresh, purpose)
            keys |= fresh
        return keys

    def _kept(self, learner_ids: Sequence[str], purpose: str) -> dict[str, bytes]:
        """Keys asked for the same purpose within the last minute."""
        oldest = monotonic() - KEEP_SECONDS
        with self._lock:
            found = {learner_id: self._keys.get((purpose, learner_id)) for learner_id in learner_ids}
        return {learner_id: kept[1] for learner_id, kept in found.items() if kept and kept[0] > oldest}

    def _keep(self, keys: Mapping[str, bytes], purpose: str) -> None:
        """Keep keys for a minute; a destroyed one is gone from here after that."""
        now = monotonic()
        with self._lock:
            for learner_id, key in keys.items():
                self._keys[purpose, learner_id] = (now, key)
                self._keys.move_to_end((purpose, learner_id))
            while self._keys and (
                len(self._keys) > MAX_KEPT_KEYS or next(iter(self._keys.values()))[0] < now - KEEP_SECONDS
            ):
                self._keys.popitem(last=False)


def parts(items: Sequence[T], size: int = PART) -> Iterator[Sequence[T]]:
    """The items in parts of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
