"""The published language as an AsyncAPI 3.0 document: topics, messages, schemas, and who sends and receives what."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import yaml

from chassis.bus.event import MAX_BODY_BYTES, Announcement, topic_of
from contracts.language import DEEDS_ZH, key_forms
from onex.stack.home import ROOT

Kind = type[Announcement]
Heard = Mapping[str, Sequence[Kind]]  # by service, the announcements it handles
Node = dict[str, Any]
BINDING = "0.5.0"  # of AsyncAPI's Kafka bindings
TOPICS = ROOT / "deploy" / "topics.yaml"
SAMPLES = ROOT / "tests" / "contract" / "samples"
HEADERS: dict[str, tuple[str, Node]] = {
    "ce_specversion": ("CloudEvents' version", {"type": "string", "const": "1.0"}),
    "ce_id": ("the event's name: UUIDv5 of cause, type, key and a count", {"type": "string", "format": "uuid"}),
    "ce_source": ("the service that announces", {"type": "string"}),
    "ce_type": ("the announcement's name", {"type": "string"}),
    "ce_time": ("when it was announced, UTC", {"type": "string", "format": "date-time"}),
    "ce_partitionkey": ("the key it belongs to; Kafka's own key is the same", {"type": "string", "minLength": 1}),
    "ce_sequence": ("its number among what this source announced on this key, from 1 without gaps",
                    {"type": "string", "pattern": "^[1-9][0-9]*$"}),
    "ce_cause": ("the event, row or command because of which it was announced", {"type": "string"}),
    "content-type": ("of the body", {"type": "string", "const": "application/json"}),
}  # fmt: skip


def document(kinds: Mapping[str, Kind], heard: Heard) -> Node:
    """The whole document."""
    by_source = {source: of_source(kinds, source) for source in sorted({one.source for one in kinds.values()})}
    return {
        "asyncapi": "3.0.0",
        "info": _info(),
        "defaultContentType": "application/json",
        "servers": {"kafka": {"host": "kafka:9092", "protocol": "kafka", "description": "The stack's broker."}},
        "channels": {source: _channel(source, told) for source, told in by_source.items()},
        "operations": _operations(by_source, heard),
        "components": {
            "messages": {name: _message(kind) for name, kind in kinds.items()},
            "schemas": schemas_of(kinds) | {"CloudEvent": _headers()},
        },
    }


def text(described: Node) -> str:
    """The document as YAML."""
    written: str = yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=120)
    return "# Made by `make events` from contracts/ and the services' handlers; a test compares.\n" + written


def of_source(kinds: Mapping[str, Kind], source: str) -> list[Kind]:
    """What a service announces."""
    return [kind for kind in kinds.values() if kind.source == source]


def schemas_of(kinds: Mapping[str, Kind]) -> dict[str, Node]:
    """JSON Schemas of every body, and of what bodies are made of."""
    _, found = msgspec.json.schema_components(kinds.values(), ref_template="#/components/schemas/{name}")
    return dict(sorted(found.items()))


def samples_of(kind: Kind) -> list[Node]:
    """The recorded samples of an announcement, the first one first."""
    files = SAMPLES.joinpath(kind.source).glob(f"{kind.__name__}.*json")
    return [json.loads(file.read_text()) for file in sorted(files, key=_number_of)]


def deed(kind: Kind) -> str:
    """What an announcement says, in English, in one line."""
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())


def _number_of(file: Path) -> int:
    parts = file.name.split(".")
    return int(parts[1]) if len(parts) == len(("name", "number", "json")) else 1


def _info() -> Node:
    said = (
        "What the five services of OneX announce to each other, and to whoever reads their topics. CloudEvents 1.0 in "
        "Kafka's binary binding. It only grows: fields are added with a default, nothing is renamed or removed; "
        f"readers ignore fields they do not know. A body has at most {MAX_BODY_BYTES} bytes. Fields marked `x-sealed` "
        "hold ciphertext under a key of the learner's own. Delivered at least once; `ce_sequence` orders each key."
    )
    return {"title": "OneX: the published language", "version": "1", "description": said}


def _channel(source: str, told: Sequence[Kind]) -> Node:
    given = yaml.safe_load(TOPICS.read_text())
    settings = given["config"]
    configuration = {
        "cleanup.policy": [settings["cleanup.policy"]],
        "retention.ms": int(settings["retention.ms"]),
        "retention.bytes": int(settings["retention.bytes"]),
        "max.message.bytes": int(settings["max.message.bytes"]),
    }
    kafka = {
        "topic": topic_of(source),
        "partitions": given["partitions"],
        "replicas": given["replication_factor"],
        "topicConfiguration": configuration,
        "bindingVersion": BINDING,
    }
    return {
        "address": topic_of(source),
        "description": f"Everything {source} announces; no other service writes here.",
        "servers": [_ref("servers", "kafka")],
        "messages": {kind.__name__: _ref("components", "messages", kind.__name__) for kind in told},
        "bindings": {"kafka": kafka},
    }


def _operations(by_source: Mapping[str, Sequence[Kind]], heard: Heard) -> Node:
    """What each service announces, and what it hears of each topic."""
    operations = {f"{source}.announces": _operation("send", source, told) for source, told in by_source.items()}
    for service, source in product(heard, by_source):
        if kinds := sorted((kind for kind in heard[service] if kind.source == source), key=lambda one: one.__name__):
            group = {"groupId": {"type": "string", "const": f"onex.{service}"}, "bindingVersion": BINDING}
            hearing = _operation("receive", source, kinds) | {"bindings": {"kafka": group}}
            operations[f"{service}.hears.{source}"] = hearing
    return operations


def _operation(action: str, source: str, kinds: Sequence[Kind]) -> Node:
    messages = [_ref("channels", source, "messages", kind.__name__) for kind in kinds]
    return {"action": action, "channel": _ref("channels", source), "messages": messages}


def _message(kind: Kind) -> Node:
    name = kind.__name__
    forms = key_forms(kind)
    copies = " One copy is announced on each of its keys." if len(forms) > 1 else ""
    key = {"type": "string", "description": f"{' or '.join(forms)}.{copies}"}
    own = {"properties": {"ce_type": {"const": name}, "ce_source": {"const": kind.source}}}
    return {
        "name": name,
        "title": name,
        "summary": deed(kind),
        "description": DEEDS_ZH[kind],
        "contentType": "application/json",
        "headers": {"allOf": [_ref("components", "schemas", "CloudEvent"), own]},
        "payload": _ref("components", "schemas", name),
        "bindings": {"kafka": {"key": key, "bindingVersion": BINDING}},
        "examples": [
            {"name": f"{name}-{number}", "headers": sample["headers"], "payload": sample["body"]}
            for number, sample in enumerate(samples_of(kind), start=1)
        ],
    }


def _headers() -> Node:
    properties = {name: schema | {"description": said} for name, (said, schema) in HEADERS.items()}
    return {"type": "object", "required": list(HEADERS), "properties": properties}


def _ref(*path: str) -> Node:
    return {"$ref": "#/" + "/".join(path)}
