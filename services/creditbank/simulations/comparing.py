"""Conversion rules and policy documents as they are, and as they would be once a draft is published."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeVar

from chassis import clock
from chassis.errors import NOT_FOUND
from services.creditbank.conversion import queries as conversion
from services.creditbank.conversion.domain import ConversionRule, Policy, RuleState
from services.creditbank.simulations.domain import Draft, Subject

Cohort = tuple[str, int]  # programme, entry year
Version = TypeVar("Version", ConversionRule, Policy)
Policies = Mapping[str, Sequence[Policy]]  # every published version, by code


@dataclass(frozen=True)
class Ruling:
    """The rules that concern a draft, and the documents they rest on."""

    rules: tuple[ConversionRule, ...]
    policies: Policies


@dataclass(frozen=True)
class Comparison:
    """Before and after a draft is published, for filing on the first day from today on which it would hold.

    `asks_windows`: a document's windows are its own matter; what a rule allows is asked for on any day.
    """

    draft: Draft
    on: date
    before: Ruling
    after: Ruling
    said: str
    asks_windows: bool

    @property
    def cohorts(self) -> list[Cohort]:
        """The programmes and entry years concerned, in their order."""
        return sorted({(one.programme, one.entry_year) for one in (*self.before.rules, *self.after.rules)})

    @property
    def basis(self) -> str:
        """What a simulation rests on, in short: the draft's words, and which versions stand beside it."""
        rules = [(one.code, one.version) for one in self.before.rules]
        policies = sorted((one.code, one.version) for of_code in self.before.policies.values() for one in of_code)
        return hashlib.sha256(f"{self.said}\n{rules}\n{policies}".encode()).hexdigest()


def comparison_of(draft: Draft) -> Comparison:
    """What is compared for a draft, as of now; Refusal when there is none of this version."""
    return _of_rule(draft) if draft.subject == Subject.RULE else _of_policy(draft)


def _of_rule(draft: Draft) -> Comparison:
    """The version takes the place of the one that is published."""
    versions = conversion.versions_of_rule(draft.code)
    one = _version(draft, versions)
    standing = tuple(each for each in versions if each.state == RuleState.PUBLISHED and each is not one)
    codes = {each.policy for each in (one, *standing)}
    policies = {code: conversion.versions_of_policy(code) for code in sorted(codes)}
    after = Ruling((replace(one, state=RuleState.PUBLISHED),), policies)
    on = max(clock.today(), one.valid_from)
    return Comparison(draft, on, Ruling(standing, policies), after, repr(one.content()), asks_windows=False)


def _of_policy(draft: Draft) -> Comparison:
    """The version holds on its days in the place of those before it, for every rule that rests on the document."""
    one = _version(draft, conversion.drafts_of_policy(draft.code))
    standing = [each for each in conversion.versions_of_policy(draft.code) if each.version != one.version]
    rules = tuple(conversion.rules_resting_on(draft.code))
    after = Ruling(rules, {draft.code: [*standing, replace(one, state=RuleState.PUBLISHED)]})
    on = max(clock.today(), one.valid_from)
    return Comparison(draft, on, Ruling(rules, {draft.code: standing}), after, repr(one.content()), asks_windows=True)


def _version(draft: Draft, versions: Iterable[Version]) -> Version:
    for one in versions:
        if one.version == draft.version:
            return one
    raise NOT_FOUND(what="draft", id=f"{draft.code}/{draft.version}")
