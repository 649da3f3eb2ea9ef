"""The network between a process and an engine, which can be delayed, cut, and made to swallow what is sent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

LOOPBACK = "127.0.0.1"
CHUNK_BYTES = 65_536
ANSWER_SECONDS = 10.0
LINGER_NOT = struct.pack("ii", 1, 0)  # closing then sends RST, as a machine does that has forgotten the connection
Result = TypeVar("Result")


class Mode(StrEnum):
    PASS = "passes"
    DELAY = "is delayed"
    CUT = "is cut"
    HALF_OPEN = "is half-open"  # accepts, swallows, never answers


@dataclass(eq=False)
class Line:
    """A connection through a gate."""

    client: asyncio.StreamWriter
    engine: asyncio.StreamWriter | None = None
    has_swallowed: bool = False

    def reset(self) -> None:
        """End it as a broken network does."""
        for end in filter(None, (self.client, self.engine)):
            _reset(end)


def _reset(end: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # it has ended by itself
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    end.transport.abort()


class Gate:
    """A port of its own before an engine's port."""

    def __init__(self, engine_port: int) -> None:
        self.engine_port = engine_port
        self.port = 0
        self.mode = Mode.PASS
        self.delay_seconds = 0.0
        self.lines: set[Line] = set()

    async def open(self) -> None:
        """Listen on a free port."""
        self.server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def turn(self, mode: Mode, delay_seconds: float = 0.0) -> None:
        """From now on the network is like this."""
        self.mode, self.delay_seconds = mode, delay_seconds
        for line in list(self.lines):
            if mode is Mode.CUT or (line.has_swallowed and mode is not Mode.HALF_OPEN):
                line.reset()

    async def shut(self) -> None:
        """Listen no more."""
        self.server.close()
        for line in list(self.lines):
            line.reset()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(writer)
        self.lines.add(line)
        try:
            await self._carry(line, reader)
        except OSError:
            line.reset()  # either end is gone: so is the other, as without a gate
        finally:
            self.lines.discard(line)
            writer.close()

    async def _carry(self, line: Line, reader: asyncio.StreamReader) -> None:
        if self.mode is Mode.CUT:
            line.reset()
            return
        answers, line.engine = await asyncio.open_connection(LOOPBACK, self.engine_port)
        ways = [self._pump(line, reader, line.engine), self._pump(line, answers, line.client)]
        tasks = [asyncio.ensure_future(way) for way in ways]
        _, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        line.engine.close()
        for defect in (one for one in ended if isinstance(one, Exception) and not isinstance(one, OSError)):
            raise defect

    async def _pump(self, line: Line, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(CHUNK_BYTES):
            if self.mode is Mode.DELAY:
                await asyncio.sleep(self.delay_seconds)
            if self.mode is Mode.HALF_OPEN:
                line.has_swallowed = True
                continue
            sink.write(chunk)
            await sink.drain()


class Network:
    """All gates, served by a thread of their own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.gates: list[Gate] = []
        self.thread = threading.Thread(target=self.loop.run_forever, name="network", daemon=True)
        self.thread.start()

    def gate(self, engine_port: int) -> Gate:
        """A new gate before an engine's port; it passes."""
        made = Gate(engine_port)
        self._do(made.open())
        self.gates.append(made)
        return made

    def turn(self, gate: Gate, mode: Mode, delay_seconds: float = 0.0) -> None:
        """Have a gate pass, delay, cut or swallow from now on."""
        self._do(gate.turn(mode, delay_seconds))

    def close(self) -> None:
        """End every connection and the thread."""
        for gate in self.gates:
            self._do(gate.shut())
        self._do(_all_ended())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(ANSWER_SECONDS)
        self.loop.close()

    def _do(self, deed: Awaitable[Result]) -> Result:
        async def done() -> Result:
            return await deed

        future: Future[Result] = asyncio.run_coroutine_threadsafe(done(), self.loop)
        return future.result(ANSWER_SECONDS)


async def _all_ended() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
