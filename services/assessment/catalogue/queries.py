"""What is known of TEOs, schemes and working days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from chassis.errors import NOT_FOUND
from contracts.workdays import WorkingDays
from services.assessment.catalogue import models
from services.assessment.catalogue.domain import Scheme, Teo


def teos() -> list[Teo]:
    """All organisations, by code."""
    return models.read_teos()


def teo_of(code: str) -> Teo:
    """One organisation; NOT_FOUND."""
    for teo in models.read_teos():
        if teo.code == code:
            return teo
    raise NOT_FOUND(what="TEO", id=code)


def schemes(codes: Iterable[str] | None = None) -> dict[str, Scheme]:
    """Schemes by code: all, or those named."""
    return {scheme.code: scheme for scheme in models.read_schemes(codes)}


def scheme_of(code: str) -> Scheme:
    """One scheme; NOT_FOUND."""
    found = schemes([code]).get(code)
    if found is None:
        raise NOT_FOUND(what="scheme", id=code)
    return found


def working_days() -> WorkingDays:
    """The calendar as far as it is published."""
    return models.read_working_days()


def calendar_changes(since: datetime) -> list[int]:
    """Years whose working days changed after a moment, or were not applied to open publicity yet."""
    return models.years_kept_since(since)
