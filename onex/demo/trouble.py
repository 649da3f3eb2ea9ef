"""What stops the demo."""

from __future__ import annotations

from typing import Any

from onex.stack.trouble import Trouble


class Halt(Trouble):
    """The demo cannot go on; the message is the one sentence that says at which stage and why."""


class Answered(Exception):
    """A service refused a request: the problem document it answered."""

    def __init__(self, what: str, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", ""))
        said = "; ".join(f"{one.get('field')}: {one.get('detail')}" for one in problem.get("errors", []))
        super().__init__(f"{what} was answered {status} {self.code}: {problem.get('detail', '')} {said}".rstrip())
