"""The mail sink keeps whole messages and says nothing of whom they are for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import Envelope

from onex.mail_sink import Keeper


def in_a_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run it in a loop of its own, in a thread: the browser's tests may have one running in this."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def handed(keeper: Keeper, content: bytes) -> str:
    envelope = Envelope()
    envelope.content = content
    envelope.rcpt_tos.append("learner@example.cn")
    return in_a_loop(keeper.handle_DATA(None, None, envelope))


def test_a_message_is_a_file_for_its_owners_eyes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert handed(Keeper(tmp_path), b"Subject: x\r\n\r\nbody\r\n").startswith("250")
    [file] = tmp_path.iterdir()
    assert file.suffix == ".eml"
    assert file.read_bytes() == b"Subject: x\r\n\r\nbody\r\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "learner" not in "".join(capfd.readouterr())


def test_a_message_that_cannot_be_kept_is_not_taken(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert handed(Keeper(tmp_path / "gone"), b"x").startswith("452")
    assert "could not be kept" in capfd.readouterr().err
