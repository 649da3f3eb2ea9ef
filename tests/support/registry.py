"""The people of a college's registry, each with a token of their own, on a running stack that stands at a day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from onex.accounts import Accounts
from onex.demo.http import Addresses, Speaker
from onex.demo.trouble import Answered
from tests.faults.college import upload
from tests.support.stack import Stack
from tests.support.waiting import until

PATIENCE_SECONDS, LOOK_SECONDS = 120.0, 0.2
Pockets = tuple[int, ...]


class Person(Speaker):
    """Somebody who was registered in the portal, and holds the secret that it made."""

    def __init__(self, addresses: Addresses, name: str, secret: str) -> None:
        super().__init__(addresses, name)
        self._own = secret

    def _secret(self) -> str:
        return self._own

    def refusal(self, service: str, method: str, path: str, **request: Any) -> str:
        """The code with which a request is refused; empty when it is not."""
        try:
            self.send(service, method, path, **request)
        except Answered as refused:
            return refused.code
        return ""


@dataclass
class Registry:
    """Everybody at the college, and which learner has which student number."""

    stack: Stack
    accounts: Accounts
    people: dict[str, Person] = field(default_factory=dict)
    learners: dict[str, str] = field(default_factory=dict)

    @property
    def operator(self) -> Person:
        return self.people["chief"]

    def __getitem__(self, name: str) -> Person:
        return self.people[name]

    def day(self, instant: str) -> None:
        """Let it be this instant on campus."""
        said = self.stack.onex("clock", instant)
        assert said.returncode == 0, said.stdout + said.stderr

    def register(self, name: str, *roles: str, owns: Sequence[str] = ()) -> None:
        """Give somebody their roles, and what they are limited to."""
        secret = self.accounts.add_client(name, roles, owns)
        self.people[name] = Person(self.accounts.operator.addresses, name, secret)

    def take(self, who: str, service: str, kind: str, rows: Sequence[Mapping[str, str]]) -> None:
        """Have somebody's sheet taken, every row of it."""
        upload(self.people[who], service, kind, rows)

    def learner(self, student_number: str) -> str:
        """The learner with a student number."""
        if student_number not in self.learners:
            [found] = self.operator.listed("enrolment", "/learners", student_number=student_number)
            self.learners[student_number] = found["learner_id"]
        return self.learners[student_number]

    def pockets(self, student_number: str) -> Pockets:
        """Provisional, available, held and spent points of a learner's one holding."""
        account = self.operator.get("creditbank", f"/accounts/{self.learner(student_number)}")
        names = ("provisional_points", "available_points", "held_points", "spent_points")
        return next((tuple(one[name] for name in names) for one in account["holdings"]), (0, 0, 0, 0))

    def application(self, application: str) -> dict[str, Any]:
        """An application as staff see it."""
        found: dict[str, Any] = self.operator.get("creditbank", f"/conversion-applications/{application}")
        return found

    def told(self, student_number: str, *events: str) -> list[str]:
        """The events that a learner has notices of in the mailbox, of these kinds, in order."""
        path = f"/mailboxes/{self.learner(student_number)}/notices"
        notices = sorted(self.operator.listed("notify", path), key=lambda one: str(one["queued_at"]))
        return [one["event"] for one in notices if one["event"] in events]


@contextmanager
def at_work(stack: Stack) -> Iterator[Registry]:
    """The registry of a stack, with an operator, for as long as it lasts."""
    registry = Registry(stack, Accounts(stack.running))
    try:
        registry.register("chief", "operator", "auditor")
        yield registry
    finally:
        registry.accounts.operator.addresses.close()


def wait_for(what: str, look: Callable[[], object], due: object) -> None:
    """Wait until something is as it must be; AssertionError when it does not come."""
    found: list[object] = []

    def is_due() -> bool:
        found[:] = [_looked(look)]
        return found == [due]

    until(is_due, lambda: f"{what}: {found[0]}, not {due}", PATIENCE_SECONDS, LOOK_SECONDS)


def _looked(look: Callable[[], object]) -> object:
    """What there is; what is not there yet is named as such."""
    try:
        return look()
    except Answered as refused:
        return refused.code
