"""Two processes share the tests (`make test`): which tests stay together, and which are given out first."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePosixPath

STACKS = "whole stacks"
OF_STACKS = ("tests/browser", "tests/e2e", "tests/faults/test_short.py")
# These need the shared stack as the main job left it: other tests write past its doors.
FIRST = ("tests/e2e/test_main_job.py", "tests/e2e/test_replay.py")
WITHOUT_STACK = ("tests/e2e/test_http_contract.py", "tests/e2e/test_roles.py")  # six applications in one process


def together_of(file: str) -> str:
    """With what a file's tests stay together: all that start whole stacks, share or break one are one process's, so
    that no two stacks are busy beside each other; every other file is by itself."""
    place = PurePosixPath(file)
    is_of_stacks = file not in WITHOUT_STACK and any(place.is_relative_to(one) for one in OF_STACKS)
    return STACKS if is_of_stacks else file


def precedence(file: str, long: Collection[str]) -> int:
    """Whole stacks first, and of these what needs the shared one as the main job left it; then what is long."""
    if together_of(file) == STACKS:
        return FIRST.index(file) if file in FIRST else len(FIRST)
    return len(FIRST) + (1 if file in long or file in WITHOUT_STACK else 2)
