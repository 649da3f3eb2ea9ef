"""Who may come in, at the terminal: machines with their secrets, people with their passwords; through the portal."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from onex.operator import Operator
from onex.stack.addresses import Running
from onex.stack.trouble import Trouble

PORTAL = "portal"


class Accounts:
    """The portal's machines and people, as the operator of the stack's own machine."""

    def __init__(self, running: Running) -> None:
        self.operator = Operator(running)

    def add_client(self, client_id: str, roles: Sequence[str], owns: Sequence[str]) -> str:
        """Register a machine, or change it, and make it a secret, which is shown this once."""
        path = f"/clients/{quote(client_id, safe='')}"
        self.operator.put(PORTAL, path, {"roles": list(roles), "owns": owned(owns)})
        return str(self.operator.post(PORTAL, f"{path}/secrets")["secret"])

    def add_user(self, name: str, password: str, roles: Sequence[str], owns: Sequence[str]) -> None:
        """Register a person, or change one."""
        body = {"password": password, "roles": list(roles), "owns": owned(owns)}
        self.operator.put(PORTAL, f"/users/{quote(name, safe='')}", body)


def owned(pairs: Sequence[str]) -> dict[str, list[str]]:
    """`kind=id`, several times, as lists by kind; `Trouble` for anything else."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        kind, _, one = pair.partition("=")
        if not kind or not one:
            raise Trouble(f"'{pair}' is not of the form kind=id, such as teo=911100000000000276.")
        found.setdefault(kind, []).append(one)
    return found
