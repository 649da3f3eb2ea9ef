"""What is said about a row or a file: a stable code and a sentence in two languages, ready to be kept."""

from __future__ import annotations

import msgspec

from chassis.errors import Language, Refusal


class Said(msgspec.Struct, frozen=True, array_like=True):
    """A code, and what to do about it. Sentences may quote cells, so they rest sealed."""

    code: str
    en: str
    zh: str

    def sentence(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


def said(refusal: Refusal) -> Said:
    """What a refusal says, for keeps."""
    return Said(refusal.code, refusal.sentence("en"), refusal.sentence("zh"))


def about(column: str, refusal: Refusal) -> Said:
    """What a refusal says of one cell, with the column named in front."""
    return Said(refusal.code, f"{column}: {refusal.sentence('en')}", f"{column}：{refusal.sentence('zh')}")
