"""The credit bank's settings, read once by its doors."""

from __future__ import annotations

from chassis.settings import Settings, read


class CreditbankSettings(Settings, frozen=True, kw_only=True):
    """What every service reads; the credit bank has nothing of its own yet."""


def settings() -> CreditbankSettings:
    """Read them from the environment."""
    return read(CreditbankSettings)
