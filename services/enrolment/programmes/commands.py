"""Publish a programme."""

from __future__ import annotations

from chassis.bus.outbox import append
from chassis.database import transactional
from chassis.strands import name_keys
from contracts.enrolment import ProgrammePublished
from services.enrolment.programmes import models
from services.enrolment.programmes.domain import Programme, years_to_announce


@transactional
def publish_programme(programme: Programme) -> None:
    """Keep a programme as it is now, and announce the entry years that are new or changed."""
    name_keys([f"programme:{programme.code}"])
    row = models.rows_by_code([programme.code]).get(programme.code)
    before = models.programme_in(row) if row else None
    if before == programme:
        return
    revision = row["revision"] + 1 if row else 1
    models.keep(programme, revision)
    for year in years_to_announce(before, programme):
        append(_published(programme, year), f"programme:{programme.code}:r{revision}")


def _published(programme: Programme, entry_year: int) -> ProgrammePublished:
    return ProgrammePublished(
        programme=programme.code,
        name=programme.name,
        entry_year=entry_year,
        credit_points_total=programme.credit_points_total,
    )
