"""Look schemes up."""

from __future__ import annotations

from collections.abc import Mapping

from services.training.schemes import models
from services.training.schemes.domain import Scheme, by_word


def schemes_by_word() -> Mapping[str, Scheme]:
    """Every scheme by everything people call it."""
    return by_word(models.all_schemes())


def scheme_names() -> dict[str, str]:
    """Names by code."""
    return {scheme.code: scheme.name for scheme in models.all_schemes()}


def scheme_by_code(code: str) -> Scheme | None:
    """A scheme; None while nobody published it."""
    return next((scheme for scheme in models.all_schemes() if scheme.code == code), None)
