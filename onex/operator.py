"""The operator at the terminal of a stack's own machine, speaking to its services; a refusal is one sentence."""

from __future__ import annotations

from typing import Any

from onex.demo.driver import addresses_of
from onex.demo.http import Speaker
from onex.demo.trouble import Answered
from onex.stack.addresses import Running
from onex.stack.trouble import Trouble

CLIENT = "onex"  # built into the portal; its secret is derived from the stack's secrets


class Operator(Speaker):
    """Speaks English; `Trouble` for what a service refuses."""

    def __init__(self, running: Running) -> None:
        super().__init__(addresses_of(running), CLIENT)

    def send(self, service: str, method: str, path: str, **request: Any) -> Any:
        """Send a request until a service answers it."""
        try:
            return super().send(service, method, path, headers={"Accept-Language": "en"}, **request)
        except Answered as refused:
            raise Trouble(str(refused)) from refused
