"""What must be true before a stack starts here: room, free ports, engines that answer."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from onex.stack.addresses import ENGINES
from onex.stack.compose import Stack
from onex.stack.engines import must_run_here
from onex.stack.home import Home
from onex.stack.ports import answers, holder_of, is_taken
from onex.stack.trouble import Trouble

LEAST_FREE_BYTES = 1_000_000_000


def must_be_startable(stack: Stack, home: Home, given: Mapping[str, str], known: Mapping[str, str]) -> None:
    """`Trouble`, before anything is touched, when the stack could not run."""
    _must_have_room(home)
    for variable in ENGINES.values():
        _must_answer(variable, given.get(variable, ""))
    if any(name in stack.services for name in ENGINES):
        must_run_here()
    must_be_free(stack, known)


def _must_have_room(home: Home) -> None:
    free = shutil.disk_usage(home.folder).free
    if free < LEAST_FREE_BYTES:
        raise Trouble(
            f"The disk that holds {home.folder} has {free // 1_000_000} MB left, and the stack needs at least "
            f"{LEAST_FREE_BYTES // 1_000_000}: make room, or set ONEX_HOME to a folder on another disk."
        )


def _must_answer(variable: str, address: str) -> None:
    """An engine of one's own must be there before anything else starts."""
    hosts = address.removeprefix("mongodb://").rpartition("@")[2].partition("/")[0]
    for one in filter(None, hosts.split(",")):
        host, _, port = one.rpartition(":")
        if not port.isdigit() or not answers(host, int(port)):
            raise Trouble(f"Nothing answers at {one}, which {variable} names. Start it, or unset {variable}.")


def must_be_free(stack: Stack, known: Mapping[str, str]) -> None:
    """`Trouble` when something else listens where these services would."""
    wanted = {port.number: (name, port.variable) for name, one in stack.services.items() for port in one.ports}
    if "kafka" in stack.services:
        wanted[int(known["KAFKA_CONTROLLER_PORT"])] = ("kafka's controller", "KAFKA_CONTROLLER_PORT")
    for number, (name, variable) in wanted.items():
        if is_taken(number):
            who = holder_of(number)
            raise Trouble(
                f"Port {number}, which {name} needs, is in use{f' by {who}' if who else ''}. "
                f"End that, or choose another port: {variable}=<port> (or --port-offset <n> for all of them)."
            )
