"""Keep TEOs and schemes as operators set them, and the calendar as enrolment publishes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chassis.bus import outbox
from chassis.database import transactional
from chassis.strands import name_keys
from contracts.assessment import SchemePublished
from contracts.workdays import Year
from services.assessment.catalogue.domain import TEO_UNKNOWN, Scheme, Teo, check_rules, check_words
from services.assessment.catalogue.models import (
    read_schemes,
    read_teos,
    revision_of_scheme,
    save_scheme,
    save_teo,
    save_years,
    set_applied,
)


@transactional
def put_teo(teo: Teo) -> Teo:
    """Keep an organisation as given; its names stand for no other."""
    name_keys(["catalogue:teos"])
    known = read_teos()
    check_words(teo, known)
    if teo not in known:
        save_teo(teo)
    return teo


@transactional
def put_scheme(scheme: Scheme) -> Scheme:
    """Keep a scheme as given and announce it when others would see a difference."""
    name_keys(["catalogue:schemes", "catalogue:teos", f"scheme:{scheme.code}"])
    known = read_schemes()
    before = next((one for one in known if one.code == scheme.code), None)
    check_words(scheme, known)
    check_rules(scheme.pass_rules, before.pass_rules if before else ())
    if scheme.teo not in {teo.code for teo in read_teos()}:
        raise TEO_UNKNOWN(teo=scheme.teo)
    if scheme != before:
        _keep(scheme, before)
    return scheme


def _keep(scheme: Scheme, before: Scheme | None) -> None:
    revision = revision_of_scheme(scheme.code) + 1
    save_scheme(scheme, revision)
    if before is None or _published(scheme) != _published(before):
        outbox.append(_published(scheme), f"scheme:{scheme.code}:r{revision}")


def _published(scheme: Scheme) -> SchemePublished:
    return SchemePublished(
        scheme=scheme.code,
        name=scheme.name,
        aliases=scheme.aliases,
        teo=scheme.teo,
        levels=scheme.levels,
        needs_certificate_number=scheme.needs_certificate_number,
    )


@transactional
def keep_calendar(years: Sequence[tuple[int, Year]]) -> None:
    """Replace the working days of these years; open publicity is dated again by a job."""
    save_years(years)


@transactional
def calendar_applied(years: Sequence[int], before: datetime) -> None:
    """Open publicity was dated by these years, as they stood before a moment."""
    set_applied(years, before)
