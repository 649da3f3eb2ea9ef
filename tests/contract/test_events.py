"""docs/events is what the contracts and the handlers say, and its AsyncAPI document holds together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from chassis.bus.event import topic_of
from contracts.language import announcements, key_forms
from onex.asyncapi import samples_of, text
from onex.events import DOCUMENT, FOLDER, files, heard_by_service

KINDS = announcements()
OPERATIONS = {"send", "receive"}
PARTS = {"asyncapi", "info", "defaultContentType", "servers", "channels", "operations", "components"}
Node = dict[str, Any]


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return files()


@pytest.fixture(scope="module")
def document(made: dict[str, str]) -> Node:
    read: Node = yaml.safe_load(made[DOCUMENT])
    return read


def test_the_committed_files_are_what_would_be_made(made: dict[str, str]) -> None:
    committed = {file.name: file.read_text() for file in FOLDER.iterdir()}
    assert set(committed) == set(made), "run: make events"
    assert [name for name, content in made.items() if committed[name] != content] == [], "run: make events"


@pytest.mark.parametrize("name", KINDS)
def test_a_page_tells_of_an_announcement(made: dict[str, str], name: str) -> None:
    kind = KINDS[name]
    page = made[f"{kind.source}.md"].split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
    assert all(f"| `{field}` |" in page for field in kind.__struct_fields__)
    assert all(form in page for form in key_forms(kind))
    consumers = [service for service, kinds in heard_by_service().items() if kind in kinds]
    assert f"- consumed by: {', '.join(consumers) or 'nobody yet'}\n" in page
    assert f"ce_type: {name}\n" in page


def test_sealed_fields_are_marked_and_no_others(made: dict[str, str]) -> None:
    marked = {line.split("`")[1] for page in made.values() for line in page.splitlines() if "| sealed 加密 |" in line}
    assert marked == {"name", "phone", "email"}


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for one in node.values():
            yield from references(one)
    elif isinstance(node, list):
        for one in node:
            yield from references(one)


def resolved(document: Node, reference: str) -> Any:
    node: Any = document
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def test_every_reference_of_the_document_leads_somewhere(document: Node) -> None:
    found = set(references(document))
    assert len(found) > len(KINDS)
    for reference in found:
        assert reference.startswith("#/")
        assert isinstance(resolved(document, reference), dict)


def test_the_document_has_the_parts_of_asyncapi_3(document: Node) -> None:
    assert document["asyncapi"] == "3.0.0"
    assert set(document) == PARTS
    assert {"title", "version"} <= set(document["info"])
    assert set(document["components"]) == {"messages", "schemas"}
    for channel in document["channels"].values():
        assert set(channel) == {"address", "description", "servers", "messages", "bindings"}
        assert channel["bindings"]["kafka"]["topic"] == channel["address"]


def test_every_announcement_is_sent_on_its_publisher_s_topic_alone(document: Node) -> None:
    channels = {name: set(one["messages"]) for name, one in document["channels"].items()}
    sources = {kind.source for kind in KINDS.values()}
    assert channels == {one: {name for name, kind in KINDS.items() if kind.source == one} for one in sources}
    assert {one["address"] for one in document["channels"].values()} == {topic_of(one) for one in sources}


def test_operations_are_those_of_the_handlers(document: Node) -> None:
    heard: dict[str, set[str]] = {}
    for name, operation in document["operations"].items():
        service = name.split(".")[0]
        assert operation["action"] in OPERATIONS
        channel = operation["channel"]["$ref"]
        messages = [one["$ref"] for one in operation["messages"]]
        assert all(one.startswith(f"{channel}/messages/") for one in messages)
        if operation["action"] == "receive":
            assert operation["bindings"]["kafka"]["groupId"]["const"] == f"onex.{service}"
            heard.setdefault(service, set()).update(one.rsplit("/", 1)[1] for one in messages)
    assert heard == {service: {kind.__name__ for kind in kinds} for service, kinds in heard_by_service().items()}


@pytest.mark.parametrize("name", KINDS)
def test_every_example_fits_its_own_schemas(document: Node, name: str) -> None:
    """As a reader in another language would check it: JSON Schema, formats included."""
    message = document["components"]["messages"][name]
    assert len(message["examples"]) == len(samples_of(KINDS[name])) > 0
    for example in message["examples"]:
        for part in ("headers", "payload"):
            schema = message[part] | {"components": document["components"]}
            jsonschema.Draft202012Validator(
                schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
            ).validate(example[part])


def test_another_s_type_does_not_fit(document: Node) -> None:
    message = document["components"]["messages"]["ResultFinalised"]
    headers = dict(message["examples"][0]["headers"]) | {"ce_type": "ResultAnnulled"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(headers, message["headers"] | {"components": document["components"]})


def test_the_document_says_the_same_each_time(document: Node) -> None:
    assert yaml.safe_load(text(document)) == document
    assert files()[DOCUMENT] == files()[DOCUMENT]
