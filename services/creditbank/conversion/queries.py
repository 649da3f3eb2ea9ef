"""Reading policy documents and conversion rules with their history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from chassis.errors import NOT_FOUND
from services.creditbank.conversion import models
from services.creditbank.conversion.domain import ConversionRule, Policy


def shown(one: Policy | ConversionRule) -> dict[str, Any]:
    """A version as it is shown."""
    return asdict(one)


def policy_of(code: str) -> list[dict[str, Any]]:
    """A policy document's versions, the latest first; Refusal when there is none."""
    found = models.policies_of(code)
    if not found:
        raise NOT_FOUND(what="policy document", id=code)
    return [shown(one) for one in reversed(found)]


def policies_after(after: str, limit: int) -> list[dict[str, Any]]:
    """Versions of policy documents, by code and version."""
    return [shown(one) for one in models.policies_after(after, limit)]


def rule_of(code: str) -> list[dict[str, Any]]:
    """A rule's versions, the latest first; Refusal when there is none."""
    found = models.rules_of(code)
    if not found:
        raise NOT_FOUND(what="conversion rule", id=code)
    return [shown(one) for one in reversed(found)]


def rules_after(where: Mapping[str, Any], after: str, limit: int) -> list[dict[str, Any]]:
    """Versions of rules, by code and version."""
    return [shown(one) for one in models.rules_after(where, after, limit)]
