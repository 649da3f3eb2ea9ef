"""A mail server for demonstrations: takes every message and keeps it as a file; nothing leaves this machine."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

LARGEST_MESSAGE_BYTES = 1_000_000


class Keeper:
    """Keeps messages in a folder, one file each, for its owner's eyes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        """Answer only when the message is on the disk; say nothing of whom it is for."""
        content = envelope.content or b""
        raw = content.encode() if isinstance(content, str) else content
        half = self.folder / f".{uuid.uuid4().hex}"
        try:
            with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(raw)
            half.rename(self.folder / f"{half.name[1:]}.eml")
        except OSError as error:
            half.unlink(missing_ok=True)
            sys.stderr.write(f"a message could not be kept: {error.strerror}\n")
            return "452 4.3.1 no room, try again later"
        return "250 2.0.0 kept"


async def serve(host: str, port: int, folder: Path) -> None:
    """Take mail until SIGTERM."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keeper = Keeper(folder)
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)

    def speak() -> SMTP:
        return SMTP(keeper, data_size_limit=LARGEST_MESSAGE_BYTES, enable_SMTPUTF8=True, ident="onex", loop=loop)

    server = await loop.create_server(speak, host, port)
    async with server:
        await end.wait()


if __name__ == "__main__":
    asyncio.run(
        serve(
            os.environ.get("BIND", "127.0.0.1"),
            int(os.environ.get("MAIL_PORT", "8125")),
            Path(os.environ["MAIL_FOLDER"]),
        )
    )
