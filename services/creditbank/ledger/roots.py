"""Roots as they lie off the database: for each a signed statement, and the heads it was made of.

`2026-11-26.json` is the statement as a token (ES256) with what it says beside it; `2026-11-26.heads.gz` a line for each
account; `keys.json` the public keys. Statements are kept for ever, heads of the latest few roots.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from chassis.signatures import ALGORITHM, KeyShelf, published, signing_keys
from services.creditbank.ledger import models
from services.creditbank.ledger.merkle import Head, Tree, head_of

SHELF = KeyShelf("ledger-root", models.root_key_rows, models.add_root_key)
NAMED = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.(\d+))?\.json")
KIND = "onex-ledger-root-1"
KEYS = "keys.json"
HEADS_KEPT = 7


class RootBroken(Exception):
    """What lies among the roots is not what was put there; says which file and why."""


@dataclass(frozen=True)
class Root:
    """A statement that was read and is signed by a key of this bank's."""

    name: str
    token: str
    size: int
    entries: int
    hash: str
    began_at: datetime


@dataclass(frozen=True)
class Roots:
    """The folder of roots, and what opens the keys they are signed with."""

    folder: Path
    seal_key: bytes = field(repr=False)

    def latest(self) -> Root | None:
        """The root exported last; RootBroken when it can't be believed."""
        names = self.names()
        return self.read(names[-1]) if names else None

    def names(self) -> list[str]:
        """The roots there are, oldest first: the second of a day is `<day>.2`."""
        found = [match for one in self._files() if (match := NAMED.fullmatch(one))]
        return [one[0].removesuffix(".json") for one in sorted(found, key=lambda one: (one[1], int(one[2] or 1)))]

    def _files(self) -> Iterable[str]:
        return (one.name for one in self.folder.iterdir()) if self.folder.is_dir() else ()

    def has(self, day: date) -> bool:
        """Whether a root of this day is there."""
        return any(name.startswith(day.isoformat()) for name in self.names())

    def read(self, name: str) -> Root:
        """A root by its name; RootBroken when it is unreadable, altered or signed by somebody else."""
        file = self.folder / f"{name}.json"
        try:
            kept = json.loads(file.read_text())
            said = jwt.decode(kept["token"], KeySet(list(self._keys())), algorithms=[ALGORITHM]).claims
            if said != kept["says"] or said["kind"] != KIND or said["name"] != name:
                raise RootBroken(f"{file.name}: what it says is not what was signed")
            began_at = datetime.fromisoformat(said["began_at"])
            return Root(name, kept["token"], said["accounts"], said["entries"], said["root"], began_at)
        except (JoseError, ValueError, KeyError, TypeError):
            raise RootBroken(
                f"{file.name}: it was altered, or no key that this database knows has signed it; a database that is "
                "older than the bank's first root knows no key"
            ) from None
        except OSError as error:
            raise RootBroken(f"{file.name}: it can't be read ({error.strerror})") from None

    def heads(self, root: Root) -> Iterator[Head]:
        """The heads of a root, in their order; RootBroken when they do not give it, which the end tells."""
        tree = Tree()
        try:
            for line in self._lines(root):
                tree.add(line)
                yield head_of(line)
        except (OSError, EOFError, ValueError):
            raise RootBroken(f"{root.name}.heads.gz: it is gone, or was altered") from None
        if (tree.size, tree.root().hex()) != (root.size, root.hash):
            raise RootBroken(f"{root.name}.heads.gz: it was altered, its heads do not give the signed root")

    def _lines(self, root: Root) -> Iterator[str]:
        with gzip.open(self.heads_file(root.name), "rt", encoding="utf-8") as lines:
            yield from map(str.rstrip, lines)

    def half_file(self) -> Path:
        """Where heads are written before there is a root of them; the folder is made."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.folder / f"{os.getpid()}.heads.half"

    def gap(self) -> str:
        """Where a root was taken out of the row, or put into it; empty when each is the one that the next one names."""
        names = self.names()
        for name, after in pairwise(names):
            wanted = str(_payload(self._token(after)).get("previous", ""))
            if wanted and wanted != _fingerprint(self._token(name)):
                return f"{after}.json: it names another root than {name} as the one before"
        if names and _payload(self._token(names[0])).get("previous"):
            return f"{names[0]}.json: the root before it is gone"
        return ""

    def _token(self, name: str) -> str:
        try:
            return str(json.loads((self.folder / f"{name}.json").read_text())["token"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def heads_file(self, name: str) -> Path:
        """Where the heads of a root lie."""
        return self.folder / f"{name}.heads.gz"

    def free_name(self, day: date) -> str:
        """A name for one more root of a day."""
        of_day = [name for name in self.names() if name.startswith(day.isoformat())]
        return f"{day.isoformat()}.{int(of_day[-1].partition('.')[2] or 1) + 1}" if of_day else day.isoformat()

    def keep(self, name: str, says: Mapping[str, Any]) -> Root:
        """Sign a statement and keep it, with the public keys; older heads make room."""
        key = self._keys()[-1]
        said = {"kind": KIND, "name": name, **says}
        token = jwt.encode({"alg": ALGORITHM, "kid": key.kid}, said, key)
        self._keep_keys()
        _write(self.folder / f"{name}.json", {"says": said, "token": token})
        for old in self.names()[:-HEADS_KEPT]:
            self.heads_file(old).unlink(missing_ok=True)
        return self.read(name)

    def _keep_keys(self) -> None:
        """The public keys, beside those that were there: what an older database signed stays verifiable."""
        file = self.folder / KEYS
        known = json.loads(file.read_text())["keys"] if file.exists() else []
        ours = published(self._keys())["keys"]
        _write(file, {"keys": [*known, *(one for one in ours if one["kid"] not in {old["kid"] for old in known})]})

    def _keys(self) -> list[ECKey]:
        return list(signing_keys(SHELF, self.seal_key))


def fingerprint(root: Root) -> str:
    """How the next root names this one: so a root taken out of the row is missed."""
    return _fingerprint(root.token)


def _fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _payload(token: str) -> Mapping[str, Any]:
    """What a token says, whoever signed it: the one after it vouches for it."""
    try:
        body = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(file: Path, document: Mapping[str, Any]) -> None:
    half = file.with_name(file.name + ".half")
    half.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    half.replace(file)
