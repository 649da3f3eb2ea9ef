"""The gate: what in a schema has changed so that a reader breaks.

Two readers are guarded. Today's reader meets what was announced years ago (outboxes keep everything): whatever was
valid must stay valid and mean the same. Yesterday's reader meets what is announced today: a field that was always there
must still be. So a field is added with a default, an enumeration or a union may take more than before (readers are
brought up first, then the publisher), and nothing else may change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Node = Mapping[str, Any]
Recorded = Mapping[str, tuple[Node, Node]]  # by announcement: its schema, and how it travels
STRUCTURE = frozenset({"title", "description", "default", "type", "enum", "anyOf", "$ref", "$defs", "properties",
                       "required", "items", "prefixItems", "additionalProperties", "x-sealed"})  # fmt: skip
NOTHING: Node = {}
SEALED = "x-sealed"  # what is open for those who hold a learner's key alone


def breaches(recorded: Node, current: Node) -> list[str]:
    """What a reader would stumble over, a sentence each; empty when the schema has only grown."""
    return list(_Comparison(recorded, current).of("", recorded, current))


def breaches_of_travel(recorded: Node, current: Node) -> list[str]:
    """What has a reader miss an announcement, or see it out of its order: another source, topic or key."""
    return [
        f"{what}: was {_told(recorded[what])}, is {_told(current[what])}"
        for what in ("source", "topic", "keys")
        if recorded[what] != current[what]
    ]


def breaches_of_language(recorded: Recorded, current: Recorded) -> list[str]:
    """What a reader of the whole language would stumble over: by announcement, its shape and how it travels."""
    found = []
    for name, (shape, travel) in sorted(recorded.items()):
        if name not in current:
            found.append(f"{name}: was announced once and is not known any more")
            continue
        found += [f"{name}.{one}" for one in breaches(shape, current[name][0])]
        found += [f"{name}.{one}" for one in breaches_of_travel(travel, current[name][1])]
    return found


def _told(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


class _Comparison:
    """Two documents whose nodes are compared; each resolves references of its own."""

    def __init__(self, recorded: Node, current: Node) -> None:
        self.recorded = recorded
        self.current = current

    def of(self, where: str, old: Node, new: Node) -> Iterator[str]:
        """Whatever the old node took, the new one must take."""
        olds, news = alternatives(old, self.recorded), alternatives(new, self.current)
        if len(olds) == len(news) == 1:
            yield from self._of_one(where, olds[0], news[0])
            return
        for one in olds:
            if all(any(self._of_one(where, one, other)) for other in news):
                yield f"{where or 'the body'}: takes no more what it took, {_words(one)}"

    def _of_one(self, where: str, old: Node, new: Node) -> Iterator[str]:
        if old.get("type") != new.get("type") or ("enum" in old) != ("enum" in new):
            yield f"{where or 'the body'}: was {_words(old)}, is {_words(new)}"
            return
        if bool(old.get(SEALED)) != bool(new.get(SEALED)):
            yield f"{where}: was {_words(old)}, is {_words(new)}"
        if gone := [value for value in old.get("enum", ()) if value not in new.get("enum", ())]:
            yield f"{where}: takes no more {gone}"
        for keyword in sorted((set(old) | set(new)) - STRUCTURE):
            if keyword == "format" or keyword in new:
                yield from _other_limit(where, keyword, old, new)
        yield from self._of_parts(where, old, new)
        yield from self._of_fields(where, old, new)

    def _of_parts(self, where: str, old: Node, new: Node) -> Iterator[str]:
        """What arrays and free mappings hold."""
        for keyword in ("items", "additionalProperties"):
            if isinstance(old.get(keyword), Mapping) and isinstance(new.get(keyword), Mapping):
                yield from self.of(f"{where}[]", old[keyword], new[keyword])
            elif old.get(keyword, True) != new.get(keyword, True):
                yield f"{where}: holds something else than before"
        before, after = old.get("prefixItems", ()), new.get("prefixItems", ())
        if len(before) != len(after):
            yield f"{where}: has another number of parts"
        for place, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from self.of(f"{where}[{place}]", one, other)

    def _of_fields(self, where: str, old: Node, new: Node) -> Iterator[str]:
        before, after = old.get("properties", NOTHING), new.get("properties", NOTHING)
        for name in before.keys() - after.keys():
            yield f"{_path(where, name)}: was removed or renamed"
        for name in after.keys() - before.keys():
            if name in new.get("required", ()):
                yield f"{_path(where, name)}: is new and has no default"
        for name in before.keys() & after.keys():
            yield from _other_presence(_path(where, name), name, old, new)
            yield from self.of(_path(where, name), before[name], after[name])


def _other_presence(where: str, name: str, old: Node, new: Node) -> Iterator[str]:
    """Whether a field is there at all, and what it means when it is not."""
    was, is_now = name in old.get("required", ()), name in new.get("required", ())
    if is_now and not was:
        yield f"{where}: was optional and is required"
    elif was and not is_now:
        yield f"{where}: was always there and may be left out now"
    elif old["properties"][name].get("default") != new["properties"][name].get("default"):
        yield f"{where}: has another default, so what left it out means something else now"


def _other_limit(where: str, keyword: str, old: Node, new: Node) -> Iterator[str]:
    if old.get(keyword) != new.get(keyword):
        yield f"{where}: {keyword} was {old.get(keyword)}, is {new.get(keyword)}"


def alternatives(node: Node, document: Node) -> list[Node]:
    """The kinds of value a node takes, references resolved."""
    if "$ref" in node:
        return alternatives(document["$defs"][node["$ref"].rsplit("/", 1)[-1]], document)
    if "anyOf" in node:
        return [one for part in node["anyOf"] for one in alternatives(part, document)]
    return [node]


def _path(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _words(node: Node) -> str:
    if "enum" in node:
        return f"one of {node['enum']}"
    words = [str(node[keyword]) for keyword in ("type", "format") if keyword in node] or ["anything"]
    return " ".join(["sealed", *words] if node.get(SEALED) else words)
