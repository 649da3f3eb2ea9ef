"""Backup and restore of a whole stack: what is in a backup, what makes it fit to be put back, and the two deeds.

In it: every database of the compose file, the portal's too, all at one instant, and the demonstration's clock. Left out
on purpose: the secrets (whoever has a backup shall not read it), Kafka (the outboxes have it all), e-mails that left.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import tomllib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chassis.bus.reading import records_in
from chassis.errors import Transient
from onex.stack import addresses, clock, compose, dump, secrets
from onex.stack.addresses import Running
from onex.stack.dump import Part, Tell
from onex.stack.home import ROOT, Home
from onex.stack.supervisor import Supervisor, only_one
from onex.stack.trouble import Trouble
from onex.stack.up import FAULTS_OF_DISK, engines_alone, up
from onex.topics import wanted

MANIFEST = "manifest.json"
FORMAT = 1
ID = "stack.id"
RESTORING = "restoring"
KEPT_APART = ("SEAL_KEY_", "PEPPER", "CLIENTS_KEY")
LONGEST_MANIFEST = 4_000_000
BY = "onex restore"


def backup(home: Home, folder: Path, tell: Tell) -> dict[str, Any]:
    """Write a backup of the stack of a home into a new folder; what its manifest says."""
    running = Running.of(home)
    half = folder.with_name(folder.name + ".half")
    for one in (folder, half):
        if one.exists():
            raise Trouble(f"{one} is there already; a backup is never written over another. Name a new folder.")
    with only_one(home, "backup.lock", "backing up or restoring"), _room(half):
        half.mkdir(mode=0o700, parents=True)
        manifest = _write(running, half, tell)
        half.rename(folder)
    return manifest


def _write(running: Running, folder: Path, tell: Tell) -> dict[str, Any]:
    mongo, named = running.variables["MONGO"], databases_of(running)
    stack_id = id_of(running.home)
    _must_be_of(stack_id, dump.stamps_of(mongo, named))
    dump.stamp(mongo, named, stack_id)
    parts, instant = dump.take(mongo, named, folder, tell)
    keys = secrets.kept(running.home)
    manifest = {
        "format": FORMAT,
        "onex": version(),
        "stack": stack_id,
        "taken_at": datetime.now(UTC).isoformat(),
        "cluster_time": instant,
        "databases": named,
        "files": [asdict(part) for part in parts],
        "clock": stands.isoformat() if (stands := clock.standing(running.home)) else "",
        "keys": {name: fingerprint(value) for name, value in keys.items() if name.startswith(KEPT_APART)},
    }
    sealed = manifest | {"seal": seal(manifest, keys["CLIENTS_KEY"])}
    (folder / MANIFEST).write_text(json.dumps(sealed, indent=1, ensure_ascii=False) + "\n")
    return manifest


def restore(home: Home, folder: Path, into_empty: bool, tell: Tell) -> dict[str, Any]:
    """Put a backup back and start the stack on it; nothing is touched before all of it is known to be whole and fit."""
    running = Running.of(home)
    manifest = checked(folder, secrets.kept(home))
    tell(f"The backup of {manifest['taken_at'][:19]} is whole")
    ours = id_of(home)
    if manifest["stack"] != ours and not into_empty:
        raise Trouble(
            f"This is a backup of another stack ({manifest['stack']}, here is {ours}). Into a stack that was never "
            "used it can be put all the same: say --into-empty."
        )
    with only_one(home, "backup.lock", "backing up or restoring"):
        _put(running, manifest, folder, into_empty, tell)
    up(home, given_of(running), 0, tell)
    return manifest


def _put(running: Running, manifest: Mapping[str, Any], folder: Path, into_empty: bool, tell: Tell) -> None:
    """Load the databases while nobody else speaks to them."""
    home, mongo = running.home, running.variables["MONGO"]
    here = _databases_for(manifest["databases"], databases_of(running))
    cut_off = (home / RESTORING).exists()
    if Supervisor(home).is_running() and not cut_off:
        _must_be_fit(running, here, into_empty)  # before anything is stopped
    engines_alone(home, given_of(running), tell)
    if not cut_off:
        _must_be_fit(running, here, into_empty)
    (home / RESTORING).write_text(f"{folder.resolve()}\n")
    parts = [Part(**one) for one in manifest["files"]]
    dump.put(mongo, parts, here, folder, tell)
    dump.stamp(mongo, list(here.values()), id_of(home))
    dump.ask_for_recovery(mongo, [name for key, name in here.items() if not key.endswith("_portal")], BY)
    _set_clock(home, manifest["clock"])
    (home / RESTORING).unlink()


def _must_be_fit(running: Running, here: Mapping[str, str], into_empty: bool) -> None:
    """`Trouble` when the databases belong to another stack, or are to be empty and are not."""
    mongo = running.variables["MONGO"]
    _must_be_of(id_of(running.home), dump.stamps_of(mongo, list(here.values())))
    if into_empty and (dump.announced(mongo, list(here.values())) or _records(running.variables["KAFKA"])):
        raise Trouble(
            f"The stack in {running.home.folder} has been used: it has announced things, and another stack's past does "
            "not go with them. Start an unused one (another ONEX_HOME) with the secrets.env of the backup's stack."
        )


def _records(kafka: str) -> int:
    try:
        return records_in(kafka, sorted(wanted()))
    except Transient as error:
        raise Trouble(f"Nobody can tell whether the topics are empty: {error}.") from error


def _must_be_of(stack_id: str, stamps: Mapping[str, str]) -> None:
    for name, found in stamps.items():
        if found != stack_id:
            raise Trouble(f"The database {name} belongs to another stack ({found}, here is {stack_id}).")


def checked(folder: Path, keys: Mapping[str, str]) -> dict[str, Any]:
    """The manifest of a backup, every file of which is there and as it was written; `Trouble` else."""
    manifest = _read_manifest(folder)
    for name, told in manifest["keys"].items():
        if fingerprint(keys.get(name, "")) != told:
            raise Trouble(
                f"The backup was taken with another {name}, so what is sealed in it would stay closed. Start the stack "
                "with the secrets.env that was kept apart."
            )
    told = manifest.pop("seal")
    if not hmac.compare_digest(str(told), seal(manifest, keys["CLIENTS_KEY"])):
        raise Trouble(f"{folder / MANIFEST} was altered.")
    for part in manifest["files"]:
        file = folder / part["file"]
        if not file.is_file():
            raise Trouble(f"{file} is missing: this is not the whole backup.")
        if dump.sum_of(file) != part["sha256"]:
            raise Trouble(f"{file} was altered or cut off: its checksum is another.")
    return manifest


def _read_manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    if not file.is_file():
        raise Trouble(f"{folder} is no backup, or one that was cut off: it has no {MANIFEST}.")
    try:
        manifest = json.loads(file.read_bytes()[:LONGEST_MANIFEST])
        told = (int(manifest["format"]), numbers(manifest["onex"]))
        complete = all(name in manifest for name in ("stack", "databases", "files", "clock", "keys", "seal"))
    except (ValueError, KeyError, TypeError) as error:
        raise Trouble(f"{file} was altered: it is no manifest.") from error
    if not complete:
        raise Trouble(f"{file} was altered: it is no manifest.")
    if told > (FORMAT, numbers(version())):
        raise Trouble(f"This backup was taken by OneX {manifest['onex']}, and this is {version()}: update it first.")
    found: dict[str, Any] = manifest
    return found


def _databases_for(theirs: Sequence[str], ours: Sequence[str]) -> dict[str, str]:
    """By the backup's names, the databases of this stack: the same services under this stack's prefix."""
    here = {name.rpartition("_")[2]: name for name in ours}
    if unknown := [name for name in theirs if name.rpartition("_")[2] not in here]:
        raise Trouble(f"The backup has the database {unknown[0]}, and this stack has none for it.")
    return {name: here[name.rpartition("_")[2]] for name in theirs}


def databases_of(running: Running) -> list[str]:
    """Every database that a process of the compose file names."""
    stack = compose.read(addresses.COMPOSE, running.variables | secrets.kept(running.home))
    return sorted({one.environment["DATABASE"] for one in stack.services.values() if "DATABASE" in one.environment})


def given_of(running: Running) -> dict[str, str]:
    """What was given when the stack was last started: with it `up` starts the same one."""
    engines = set(addresses.ENGINES.values())
    return {name: value for name, value in running.variables.items() if name not in engines} | running.own_engines


def id_of(home: Home) -> str:
    """The id of the stack of a home, made when it has none yet."""
    file = home / ID
    if not file.exists():
        half = file.with_suffix(".half")
        half.write_text(f"{uuid.uuid4()}\n")
        half.replace(file)
    return file.read_text().strip()


def version() -> str:
    """The version of this OneX."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def numbers(told: str) -> tuple[int, ...]:
    """A version as numbers, to compare."""
    return tuple(int(part) for part in told.split("."))


def fingerprint(key: str) -> str:
    """What tells a key from another and nothing else about it."""
    return hmac.new(key.encode(), b"onex backup", hashlib.sha256).hexdigest()[:16]


def seal(manifest: Mapping[str, Any], key: str) -> str:
    """What only this stack's key makes of this manifest."""
    content = json.dumps(manifest, sort_keys=True, ensure_ascii=False).encode()
    return hmac.new(key.encode(), content, hashlib.sha256).hexdigest()


def _set_clock(home: Home, told: str) -> None:
    """The demonstration's clock only goes forward."""
    have = clock.standing(home)
    if told and (have is None or datetime.fromisoformat(told) > have):
        clock.write(home, datetime.fromisoformat(told))


@contextmanager
def _room(half: Path) -> Iterator[None]:
    """What was begun and not completed is removed; a full disk is said to be full."""
    try:
        yield
    except BaseException as error:
        shutil.rmtree(half, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in FAULTS_OF_DISK:
            raise Trouble(f"The disk that holds {half.parent} is full: make room and say it again.") from error
        raise
