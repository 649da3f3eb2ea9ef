"""A library that has lost its engine says so once in a while, and how often it wanted to."""

from __future__ import annotations

import logging

import pytest

from chassis.watch import Seldom

KAFKA_CONNECTION = "kafka.conn"


def said(name: str, line: int, of: Seldom, text: str = "no node answers") -> str | None:
    record = logging.LogRecord(name, logging.ERROR, "conn.py", line, "%s", (text,), None)
    return record.getMessage() if of.filter(record) else None


def test_each_line_of_a_client_speaks_once_in_a_while_and_tells_how_often_it_wanted_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = [100.0]
    monkeypatch.setattr("chassis.watch.time.monotonic", lambda: at[0])
    seldom = Seldom(("kafka",), 30.0)
    assert [said(KAFKA_CONNECTION, 7, seldom) for _ in range(3)] == ["no node answers", None, None]
    assert said(KAFKA_CONNECTION, 8, seldom) == "no node answers"
    at[0] += 30.0
    assert said(KAFKA_CONNECTION, 7, seldom) == "no node answers (and 2 times more since)"
    assert said(KAFKA_CONNECTION, 7, seldom) is None
    at[0] += 30.0
    assert said(KAFKA_CONNECTION, 8, seldom) == "no node answers"


def test_our_own_lines_are_all_written() -> None:
    seldom = Seldom(("kafka",), 30.0)
    assert [said("onex", 7, seldom, "request") for _ in range(3)] == ["request"] * 3
