"""Two processes share the tests (`make test`): which tests stay together, and which are given out first."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePosixPath

SHARED, OWN = "the shared stack", "stacks of their own"
OF_STACKS = ("tests/browser", "tests/e2e")
OF_OWN = (
    "tests/e2e/test_main_job.py",
    "tests/e2e/test_replay.py",
    "tests/e2e/test_s1_a_window_a_higher_level_a_wrong_batch.py",
    "tests/e2e/test_stack.py",
    "tests/e2e/test_killed.py",
    "tests/faults/test_short.py",
)
WITHOUT_STACK = ("tests/e2e/test_http_contract.py", "tests/e2e/test_roles.py")  # six applications in one process


def together_of(file: str) -> str:
    """With what a file's tests stay together: one process has the stack that many share, and one all others, so that
    at most two run beside each other; every other file is by itself."""
    if file in OF_OWN:
        return OWN
    is_of_shared = file not in WITHOUT_STACK and any(PurePosixPath(file).is_relative_to(one) for one in OF_STACKS)
    return SHARED if is_of_shared else file


def precedence(file: str, long: Collection[str]) -> int:
    """The shared stack first, since it takes longest, then what is long, the other stacks, and the many short ones,
    with which both processes end at about the same time."""
    group = together_of(file)
    if group in {SHARED, OWN}:
        return 0 if group == SHARED else 2
    return 1 if file in long or file in WITHOUT_STACK else 3
