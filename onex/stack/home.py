"""Where a stack lives: its folder, and what is in it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "deploy" / "kafka" / "jgo.lock.toml"
COMPLETE = "complete"


@dataclass(frozen=True)
class Home:
    """The folder of one stack; `.onex` in the repository unless `ONEX_HOME` says otherwise."""

    folder: Path

    @classmethod
    def from_environment(cls) -> Home:
        return cls(Path(os.environ.get("ONEX_HOME") or ROOT / ".onex").resolve())

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def made(self) -> Home:
        """The same home, with its folder there and closed to others."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)
        return self


def engines_folder() -> Path:
    """What was fetched once serves every stack of this repository; `ONEX_ENGINES` names another place."""
    return Path(os.environ.get("ONEX_ENGINES") or ROOT / ".onex" / "engines").resolve()


def kafka_folder() -> Path:
    """Where the jars of exactly this lock belong."""
    return engines_folder() / f"kafka-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
