"""Variables in the compose file: `${X}`, `${X:-default}`, `${X:?message}`, read as Docker Compose reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from onex.stack.trouble import Trouble

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OPERATOR = re.compile(r":?[-?+]")


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """The same YAML value with the variables in its strings filled in."""
    if isinstance(value, str):
        return fill(value, variables)
    if isinstance(value, list):
        return [interpolated(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: interpolated(item, variables) for key, item in value.items()}
    return value


def fill(text: str, variables: Mapping[str, str]) -> str:
    """One string with its variables filled in; `Trouble` for a variable that must be given and is not."""
    filled: list[str] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        filled.append(text[at:dollar])
        piece, at = _expression(text, dollar + 1, variables)
        filled.append(piece)
    return "".join(filled) + text[at:]


def _expression(text: str, at: int, variables: Mapping[str, str]) -> tuple[str, int]:
    """What the expression after a `$` stands for, and where it ends."""
    if text.startswith("$", at):
        return "$", at + 1
    if text.startswith("{", at):
        end = _closing(text, at)
        return _braced(text[at + 1 : end], variables), end + 1
    if name := NAME.match(text, at):
        return variables.get(name[0], ""), name.end()
    raise Trouble(f"docker-compose.yml: '{text}' has a $ that is neither ${{NAME}} nor $$.")


def _closing(text: str, at: int) -> int:
    """Where the brace that opens here is closed again."""
    depth = 0
    for place in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise Trouble(f"docker-compose.yml: '{text}' has a ${{ without its }}.")


def _braced(inside: str, variables: Mapping[str, str]) -> str:
    name = NAME.match(inside)
    operator = OPERATOR.match(inside, name.end()) if name else None
    if not name or (operator is None and name.end() != len(inside)):
        raise Trouble(f"docker-compose.yml: '${{{inside}}}' cannot be read.")
    if operator is None:
        return variables.get(name[0], "")
    return _operated(name[0], operator[0], inside[operator.end() :], variables)


def _operated(name: str, operator: str, rest: str, variables: Mapping[str, str]) -> str:
    value = variables.get(name)
    has = bool(value) if operator.startswith(":") else value is not None
    if operator.endswith("+"):
        return fill(rest, variables) if has else ""
    if has:
        return value or ""
    if operator.endswith("?"):
        raise Trouble(f"The variable {name} is missing: {fill(rest, variables) or 'it has no default'}.")
    return fill(rest, variables)
