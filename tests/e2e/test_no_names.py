"""After the main job, no name and no identity number of the samples stands in clear in a topic, a log or a database."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from bson import json_util
from kafka import KafkaConsumer
from pymongo import MongoClient
from python_calamine import CalamineWorkbook

from tests.support.stack import ROOT, Stack

SAMPLES = ROOT / "deploy" / "samples"
NAME_HEADERS = {"姓名", "考生姓名", "学生姓名"}
NUMBER_HEADERS = {"证件号码", "证件号", "身份证号", "身份证号码", "公民身份号码"}
SERVICES = ("enrolment", "training", "assessment", "creditbank", "notify", "portal")
IDLE_MS = 5_000

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1800)]


def tables() -> Iterator[list[list[str]]]:
    """Every sample sheet, as text."""
    for file in sorted(SAMPLES.glob("*.xlsx")):
        sheet = CalamineWorkbook.from_path(file).get_sheet_by_index(0)
        yield [[str(cell) for cell in row] for row in sheet.to_python()]
    for file in sorted(SAMPLES.glob("*.csv")):
        raw = file.read_bytes()
        text = raw.decode("gb18030" if "gb18030" in file.name else "utf-8-sig")
        yield [line.split(",") for line in text.splitlines()]


def column(table: list[list[str]], headers: set[str]) -> list[str]:
    """The cells below the first header among these."""
    for number, row in enumerate(table[:5]):
        cells = [re.sub(r"[\s*＊]", "", cell) for cell in row]
        if found := next((cell for cell in cells if cell in headers), None):
            place = cells.index(found)
            return [line[place].strip() for line in table[number + 1 :] if len(line) > place and line[place].strip()]
    return []


@pytest.fixture(scope="module")
def secrets() -> tuple[set[str], set[str]]:
    """The names and identity numbers in the sample sheets, as written and as kept."""
    names, numbers = set(), set()
    for table in tables():
        names |= {re.sub(r"[\s\u3000]+", "", name) for name in column(table, NAME_HEADERS)}
        numbers |= {number.strip().upper() for number in column(table, NUMBER_HEADERS)}
    names |= {name.replace("•", "·") for name in names}
    return {name for name in names if len(name) > 1}, {number for number in numbers if len(number) > 6}


def leaks(text: str, secrets: tuple[set[str], set[str]]) -> list[str]:
    """The secrets that stand in a text: identity numbers wherever they are, names as whole runs of Chinese."""
    names, numbers = secrets
    found = {run for run in re.findall(r"[\u3400-\u9fff\U00020000-\U0003ffff·]+", text) if run in names}
    found |= {one for one in re.findall(r"[0-9A-Z]{7,20}", text.upper()) if one in numbers}
    return sorted(found)


def plain(value: Any) -> str:
    """A stored value as readable text: bytes decoded where they are text, JSON escapes resolved."""
    if isinstance(value, bytes):
        text = value.decode("utf-8", errors="ignore")
        try:
            return plain(json.loads(text))
        except ValueError:
            return text
    if isinstance(value, Mapping):
        return " ".join(f"{plain(name)} {plain(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(plain(one) for one in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=json_util.default)


def test_the_secrets_are_found_where_they_are(secrets: tuple[set[str], set[str]]) -> None:
    """The search itself works: it finds names and numbers in the sheets, also inside JSON and bytes."""
    names, numbers = secrets
    assert len(names) > 800
    assert len(numbers) > 1290
    name, number = min(names), min(numbers)
    assert leaks(plain({"body": json.dumps({"a": f"{name}，{number.lower()}"}).encode()}), secrets)


def test_no_name_or_number_in_any_topic(stack: Stack, main_job: str, secrets: tuple[set[str], set[str]]) -> None:
    consumer = KafkaConsumer(
        bootstrap_servers=stack.running.variables["KAFKA"], auto_offset_reset="earliest", consumer_timeout_ms=IDLE_MS
    )
    topics = [name for name in consumer.topics() if name.startswith("onex.")]
    consumer.subscribe(topics)
    records = 0
    for record in consumer:
        records += 1
        text = " ".join(plain(part) for part in (record.key, record.value, [value for _, value in record.headers]))
        assert leaks(text, secrets) == [], f"{record.topic}, offset {record.offset}"
    consumer.close()
    assert len(topics) >= 4
    assert records > 8_000, main_job


def stored(client: MongoClient[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every document of every service, with its place."""
    databases = [client[f"onex_{service}"] for service in SERVICES]
    for collection in (one[name] for one in databases for name in one.list_collection_names()):
        yield from ((collection.full_name, document) for document in collection.find())


def test_no_name_or_number_in_any_database(stack: Stack, main_job: str, secrets: tuple[set[str], set[str]]) -> None:
    assert main_job
    documents = 0
    with MongoClient(stack.running.variables["MONGO"]) as client:
        for place, document in stored(client):
            documents += 1
            assert leaks(plain(document), secrets) == [], f"{place}: {document['_id']}"
    assert documents > 20_000


def test_no_name_or_number_in_any_log(stack: Stack, main_job: str, secrets: tuple[set[str], set[str]]) -> None:
    assert main_job
    files = [file for file in Path(stack.home, "logs").rglob("*") if file.is_file()]
    assert len(files) > 10
    for file in files:
        for number, line in enumerate(file.read_text(errors="ignore").splitlines(), start=1):
            text = f"{line} {plain(line.encode())}"
            assert leaks(text, secrets) == [], f"{file.name}, line {number}"
