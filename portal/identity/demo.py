"""The accounts of a demonstration: one person for each role, with a password everybody knows."""

from __future__ import annotations

from contracts.terms import Role
from portal.identity.people.commands import put_user
from portal.identity.people.domain import User
from portal.identity.people.queries import find_user

PASSWORD = "onex-demo"  # noqa: S105 -- meant to be known; only with DEMO=1 on this machine's own address
USERS = (
    User("registry", (Role.REGISTRY,)),
    User("exam-office", (Role.EXAM_OFFICE,)),
    User("trainer", (Role.TRAINER,)),
    User("teo", (Role.TEO,), {"teo": ()}),  # owns nothing until the demonstration says which organisation it is
    User("operator", (Role.OPERATOR,)),
    User("auditor", (Role.AUDITOR,)),
    User("department", (Role.DEPARTMENT,)),
)


def open_accounts() -> None:
    """Register those who are not there yet; what was changed since stays."""
    for user in USERS:
        if find_user(user.name) is None:
            put_user(user, PASSWORD, by="demo")
