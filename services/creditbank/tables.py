"""The credit bank's tables that are saved as files, for its doors."""

from __future__ import annotations

from services.creditbank.proposals.listing import SHIFTS
from services.creditbank.reconciliation.listing import FOUND
from services.creditbank.simulations.listing import CHANGES

TABLES = (SHIFTS, CHANGES, FOUND)
