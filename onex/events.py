"""docs/events: the published language as pages and as an AsyncAPI document; `python -m onex.events` writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from chassis.bus.event import MAX_BODY_BYTES, topic_of
from contracts.language import DEEDS_ZH, announcements, key_forms
from onex import asyncapi
from onex.asyncapi import HEADERS, Heard, Kind, Node, deed, of_source, samples_of, schemas_of
from onex.stack.addresses import SERVICES
from onex.stack.home import ROOT

FOLDER = ROOT / "docs" / "events"
INDEX, DOCUMENT = "README.md", "asyncapi.yaml"
MADE = "Made by `make events` from `contracts/` and the services' handlers; a test compares."
HEAD = f"""\
# What is announced · 事件目录

{MADE}

Services speak through Kafka, one topic each, in an envelope of [CloudEvents 1.0](https://cloudevents.io) (binary
binding: the envelope is in the record's headers, the value is the body as JSON).
[{DOCUMENT}]({DOCUMENT}) says the same to machines (AsyncAPI 3.0).

每个服务各有一个 Kafka 主题，事件采用 CloudEvents 1.0 二进制绑定：
信封在消息头中，消息体为 JSON；机器可读的描述见 [{DOCUMENT}]({DOCUMENT})（AsyncAPI 3.0）。

- **It only grows.** Fields are added with a default; none is renamed, removed or opened. Ignore what is new to you.
  只增不改：读取方须忽略不认识的字段。
- **At least once, in order per key.** Drop what you have seen by (`ce_source`, `ce_partitionkey`, `ce_sequence`).
  至少一次，按键有序；以三者去重。
- **No order among topics.** Whatever another topic says may come first. 主题之间无先后，先到不算错。
- **Sealed** fields hold ciphertext under a key of the learner's own. 加密字段只有持学习者专属密钥者可读。
- A body has at most {MAX_BODY_BYTES:,} bytes. 消息体上限 {MAX_BODY_BYTES // 1024} KB。
- A type you do not know is no mistake of yours: keep it until you do (ADR 11). 未知类型应先保存，升级后再处理。
"""


def files() -> dict[str, str]:
    """Every file of the folder, by name."""
    kinds, heard = announcements(), heard_by_service()
    pages = {f"{source}.md": _page(source, kinds, heard) for source in _sources(kinds)}
    described = asyncapi.text(asyncapi.document(kinds, heard))
    return {INDEX: _index(kinds, heard), **pages, DOCUMENT: described}


def heard_by_service() -> Heard:
    """By service, the announcements of its handler table; found at run time, since this imports no service."""
    return {name: list(import_module(f"services.{name}.handlers").HANDLERS) for name in SERVICES}


def _sources(kinds: Mapping[str, Kind]) -> list[str]:
    told = {kind.source for kind in kinds.values()}
    return [name for name in SERVICES if name in told]


def _index(kinds: Mapping[str, Kind], heard: Heard) -> str:
    lines = ["", "| event | from | says | 含义 | key | consumed by |", "|---|---|---|---|---|---|"]
    for source in _sources(kinds):
        for kind in of_source(kinds, source):
            name, keys = kind.__name__, ", ".join(f"`{form}`" for form in key_forms(kind))
            said = f"| [{name}]({source}.md#{name.lower()}) | {source} | {deed(kind)} | {DEEDS_ZH[kind]} "
            lines.append(f"{said}| {keys} | {_consumers(kind, heard)} |")
    lines += ["", "## The headers · 消息头", "", "| header | holds |", "|---|---|"]
    lines += [f"| `{name}` | {said} |" for name, (said, _) in HEADERS.items()]
    return HEAD + "\n".join(lines) + "\n"


def _page(source: str, kinds: Mapping[str, Kind], heard: Heard) -> str:
    schemas = schemas_of(kinds)
    head = [f"# What {source} announces", "", MADE, "", f"Topic `{topic_of(source)}`; [all events](README.md)."]
    events = [line for kind in of_source(kinds, source) for line in _event(kind, schemas, heard)]
    return "\n".join([*head, *events]) + "\n"


def _event(kind: Kind, schemas: Mapping[str, Node], heard: Heard) -> Iterator[str]:
    """An event's section: its deed, key, consumers, fields and an example."""
    schema = schemas[kind.__name__]
    yield from ("", f"## {kind.__name__}", "", " ".join(schema["description"].split()), "", DEEDS_ZH[kind], "")
    forms = key_forms(kind)
    yield f"- key: {', '.join(f'`{form}`' for form in forms)}" + (" (a copy on each)" if len(forms) > 1 else "")
    yield f"- consumed by: {_consumers(kind, heard)}"
    yield from ("", "| field | type | | sealed |", "|---|---|---|---|")
    for name, node in schema["properties"].items():
        sealed = "sealed 加密" if is_sealed(node) else ""
        yield f"| `{name}` | {type_words(node, schemas)} | {_presence(name, schema)} | {sealed} |"
    yield from ("", "```")
    sample = samples_of(kind)[0]
    yield from (f"{name}: {value}" for name, value in sample["headers"].items())
    yield from ("", json.dumps(sample["body"], ensure_ascii=False, indent=2), "```")


def _consumers(kind: Kind, heard: Heard) -> str:
    return ", ".join(service for service, kinds in heard.items() if kind in kinds) or "nobody yet"


def _presence(name: str, schema: Node) -> str:
    if name in schema.get("required", ()):
        return "always"
    return f"else `{json.dumps(schema['properties'][name].get('default'), ensure_ascii=False)}`"


def is_sealed(node: Mapping[str, Any]) -> bool:
    """Whether a field holds ciphertext."""
    return bool(node.get("x-sealed")) or any(is_sealed(one) for one in node.get("anyOf", ()))


def type_words(node: Mapping[str, Any], schemas: Mapping[str, Node]) -> str:
    """A field's type, for a person."""
    if "$ref" in node:
        return type_words(schemas[node["$ref"].rsplit("/", 1)[-1]], schemas)
    if "anyOf" in node:
        return " or ".join(type_words(one, schemas) for one in node["anyOf"])
    if "enum" in node:
        return f"{node['title']}: " + ", ".join(f"`{json.dumps(value)}`" for value in node["enum"])
    if node.get("type") == "array":
        return f"list of {type_words(node['items'], schemas)}"
    return str(node.get("format") or node.get("type", "anything"))


def _write() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = files()
    for old in FOLDER.iterdir():
        if old.name not in made:
            old.unlink()
    for name, content in made.items():
        FOLDER.joinpath(name).write_text(content)


if __name__ == "__main__":
    _write()
