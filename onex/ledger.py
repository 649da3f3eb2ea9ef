"""The credit bank's ledger at the terminal: its console run as a process, and proofs checked without asking anybody."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from onex.stack import compose, secrets
from onex.stack.addresses import COMPOSE, Running
from onex.stack.home import ROOT, Home
from onex.stack.trouble import Trouble

SERVICE = "creditbank"
CONSOLE = "services.creditbank.console"
KIND = "onex-ledger-root-1"
LONGEST_PATH = 64  # of a tree that no bank fills


def run_console(home: Home, arguments: Sequence[str]) -> int:
    """Run a verb of the console with the environment of the stack's credit bank; its exit code."""
    running = Running.of(home)
    stack = compose.read(COMPOSE, running.variables | secrets.kept(home))
    environment = os.environ | stack.services[SERVICE].environment
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)  # its figures are no application's
    command = [sys.executable, "-m", CONSOLE, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def check_proof(proof: Path, keys: Path) -> dict[str, Any]:
    """What a proof shows: an account's head under a root signed by one of the keys; Trouble when it shows nothing."""
    said = _document(proof)
    try:
        root = dict(jwt.decode(said["root"], _keys(keys), algorithms=["ES256"]).claims)
        line = f"{said['learner_id']} {int(said['entries'])} {said['head']}"
        path = [bytes.fromhex(one) for one in said["path"]]
        found = _root_of(line, int(said["place"]), int(root["accounts"]), path)
        if root["kind"] != KIND or found.hex() != root["root"]:
            raise Trouble(f"{proof}: this head does not stand under the root: the proof, or the account, was altered.")
    except (JoseError, KeyError, TypeError, ValueError, AttributeError):
        raise Trouble(f"{proof} is no proof, or its root is not signed by any of these keys.") from None
    return {
        "learner_id": said["learner_id"],
        "entries": said["entries"],
        "head": said["head"],
        "root": root["root"],
        "root_name": root["name"],
        "signed_between": [root["began_at"], root["ended_at"]],
    }


def _root_of(line: str, place: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that a leaf at a place gives with its path, in a tree of this size (RFC 9162, 2.1.3.2)."""
    if not 0 <= place < size or len(path) > LONGEST_PATH:
        raise ValueError("no such place")
    node = hashlib.sha256(b"\x00" + line.encode()).digest()
    last = size - 1
    for other in path:
        if not last:
            raise ValueError("the path is too long")
        is_right = bool(place & 1) or place == last
        node = hashlib.sha256(b"\x01" + (other + node if is_right else node + other)).digest()
        up = _levels(place) if is_right else 1
        place, last = place >> up, last >> up
    if last:
        raise ValueError("the path is too short")
    return node


def _levels(place: int) -> int:
    """How far up a node on the right goes: a last one without a partner rises until it has one."""
    return (place & -place).bit_length()


def _keys(file: Path) -> KeySet:
    try:
        return KeySet.import_key_set(_document(file))
    except (ValueError, KeyError, TypeError, AttributeError, JoseError):
        raise Trouble(f"{file} holds no public keys: take keys.json from the folder of roots.") from None


def _document(file: Path) -> Any:
    try:
        found = json.loads(file.read_text())
    except (OSError, UnicodeDecodeError):
        raise Trouble(f"{file} can't be read as text.") from None
    except ValueError:
        raise Trouble(f"{file} holds no JSON document.") from None
    if not isinstance(found, dict):
        raise Trouble(f"{file} holds no JSON object.")
    return found
