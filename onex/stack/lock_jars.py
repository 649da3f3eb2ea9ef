"""Lock Kafka's jars again: `python -m onex.stack.lock_jars`, after a change of deploy/kafka/jgo.toml."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from jgo.env import EnvironmentBuilder, EnvironmentSpec
from jgo.maven import MavenContext

from onex.stack.home import LOCK

TIMEOUT_SECONDS = 60


def main() -> None:
    """Resolve jgo.toml in an empty cache and write what came of it beside it."""
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder) / "maven", local_repos=[], timeout=TIMEOUT_SECONDS)
        builder = EnvironmentBuilder(context=context, cache_dir=Path(folder) / "jgo")
        lock = builder.resolve_lockfile(EnvironmentSpec.load(LOCK.with_name("jgo.toml")))
        lock.save(LOCK)
    sys.stdout.write(f"{len(lock.dependencies)} jars in {LOCK.name}\n")


if __name__ == "__main__":
    main()
