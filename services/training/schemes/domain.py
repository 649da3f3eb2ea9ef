"""What a sheet means by the name of a scheme."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.terms import SCHEME_UNKNOWN, Level, plain

SUFFIX = re.compile(r"(?<=.)(?:职业技能等级)?证书$")


@dataclass(frozen=True)
class Scheme:
    code: str
    name: str
    aliases: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()


def word_of(text: str) -> str:
    """A scheme's name as it is compared: narrow, without spaces and without 职业技能等级证书 behind it."""
    return SUFFIX.sub("", "".join(plain(text).split()))


def by_word(schemes: list[Scheme]) -> Mapping[str, Scheme]:
    """Schemes by everything people call them: name, aliases, code."""
    words: dict[str, Scheme] = {}
    for scheme in schemes:
        for word in (scheme.code, *scheme.aliases, scheme.name):
            words[word_of(word)] = scheme
    return words


def scheme_of(text: str, schemes: Mapping[str, Scheme]) -> Scheme:
    """The scheme a sheet means; refusal: scheme_unknown."""
    scheme = schemes.get(word_of(text))
    if scheme is None:
        raise SCHEME_UNKNOWN(text=text)
    return scheme
