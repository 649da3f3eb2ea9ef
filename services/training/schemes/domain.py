"""What a sheet means by the name of a scheme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.terms import Level, plain


@dataclass(frozen=True)
class Scheme:
    code: str
    name: str
    aliases: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()


def by_word(schemes: list[Scheme]) -> Mapping[str, Scheme]:
    """Schemes by everything people call them: name, aliases, code."""
    words: dict[str, Scheme] = {}
    for scheme in schemes:
        for word in (scheme.code, *scheme.aliases, scheme.name):
            words[plain(word)] = scheme
    return words
