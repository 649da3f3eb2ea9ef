"""Keep what assessment publishes about schemes."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.database import transactional
from services.training.schemes import models
from services.training.schemes.domain import Scheme


@transactional
def keep_schemes(schemes: Sequence[Scheme]) -> None:
    """Keep each scheme as it was published last."""
    models.keep(schemes)
