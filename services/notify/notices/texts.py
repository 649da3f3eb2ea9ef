"""What notices say: templates as data, filled when they are read or sent."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from contracts.terms import KIND_WORDS, LEVEL_NAMES, Level, OutcomeKind, mask_name
from services.notify.contacts.domain import Language
from services.notify.notices.domain import variant_of


@dataclass(frozen=True)
class Text:
    title: str
    mailbox: str
    email: str


def read_texts(file: Path) -> dict[tuple[str, Language], Text]:
    """Texts by variant and language; an error names a template that lacks a language or a part."""
    with file.open("rb") as opened:
        tables = tomllib.load(opened)
    return {(variant, language): Text(**tables[variant][language]) for variant in tables for language in Language}


TEXTS = read_texts(Path(__file__).with_name("texts.toml"))
LATER = {Language.ZH: "另行通知之日", Language.EN: "a day still to be announced"}
SITE = {Language.ZH: "，地点：{}", Language.EN: " at {}"}


@dataclass(frozen=True)
class Told:
    """What a notice tells, before it is put into words."""

    event: str
    scheme_name: str
    level: Level | None
    facts: Mapping[str, Any]
    points: int | None = None


def in_mailbox(told: Told, language: Language) -> tuple[str, str]:
    """Title and text as the mailbox shows them."""
    text = TEXTS[variant_of(told.event, told.facts, told.points), language]
    return text.title, text.mailbox.format_map(_words(told, language))


def by_email(told: Told, language: Language, name: str) -> tuple[str, str]:
    """Subject and text of the e-mail, which greets with the masked name."""
    text = TEXTS[variant_of(told.event, told.facts, told.points), language]
    return text.title, text.email.format_map(_words(told, language) | {"name": mask_name(name)})


def _words(told: Told, language: Language) -> dict[str, str]:
    facts = told.facts
    site = str(facts.get("site") or "")
    return {
        "scheme": told.scheme_name,
        "level": _level(told.level, language),
        **_outcome(facts, language),
        "credits": credits_of(abs(told.points if told.points is not None else _points(facts))),
        "balance": credits_of(facts.get("available_balance", 0)),
        "due_on": _day(facts.get("due_on"), language) or LATER[language],
        "admission_number": str(facts.get("admission_number", "")),
        "session_date": _day(facts.get("session_date"), language),
        "site": SITE[language].format(site) if site else "",
        "certificate_number": str(facts.get("certificate_number", "")),
        "issued_on": _day(facts.get("issued_on"), language),
        "outcomes": str(facts.get("outcomes", "")),
        "target": str(facts.get("module") or facts.get("course", "")),
        "module_name": str(facts.get("module_name", "")),
        "class_hours": str(facts.get("class_hours", "")),
        "course": str(facts.get("course", "")),
        "term": str(facts.get("term", "")),
        "until": _day(facts.get("until"), language) or LATER[language],
        "appeal_until": _day(facts.get("appeal_until"), language),
        "reason": str(facts.get(f"reason_{language}") or facts.get("reason", "")),
    }


def _level(level: Level | None, language: Language) -> str:
    if level is None:
        return ""
    return level.zh if language is Language.ZH else level.en


def _outcome(facts: Mapping[str, Any], language: Language) -> dict[str, str]:
    """What an outcome that is no X certificate is called: its kind, and its level where the kind has several."""
    if "kind" not in facts:
        return {}
    kind, place = OutcomeKind(facts["kind"]), list(Language).index(language)
    grade = LEVEL_NAMES[kind][facts["level"]][place]
    between = "，{}" if language is Language.ZH else ", {}"
    return {"kind": KIND_WORDS[kind][place], "kind_level": between.format(grade) if grade else ""}


def _points(facts: Mapping[str, Any]) -> int:
    return int(facts.get("available_points", facts.get("credit_points", 0)))


def credits_of(credit_points: int) -> str:
    """Points as credits, 100 to one: 250 is `2.5`."""
    whole, rest = divmod(abs(credit_points), 100)
    sign = "-" if credit_points < 0 else ""
    return sign + (f"{whole}.{rest:02d}".rstrip("0") if rest else str(whole))


def _day(text: str | None, language: Language) -> str:
    if not text:
        return ""
    day = date.fromisoformat(text)
    return f"{day.year}年{day.month}月{day.day}日" if language is Language.ZH else day.isoformat()
