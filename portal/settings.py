"""The portal's settings, read once by its door."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec

from chassis.settings import read
from portal.identity.machines.domain import SERVICES


class PortalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the portal keeps its people and machines, under which address it is known, and where the services are."""

    mongo: str
    public_url: str
    seal_key: str
    clients_key: str
    enrolment_url: str
    training_url: str
    assessment_url: str
    creditbank_url: str
    notify_url: str
    database: str = "onex_portal"
    service_port: int = 0
    portal_url: str = ""
    log_level: str = "INFO"
    demo: str = ""

    @property
    def is_demo(self) -> bool:
        return self.demo == "1"

    @property
    def service_urls(self) -> dict[str, str]:
        """The address of each service by its name."""
        return {name: getattr(self, f"{name}_url") for name in SERVICES}


def settings() -> PortalSettings:
    """Read them from the environment; SystemExit for demonstration accounts under a public address."""
    found = read(PortalSettings)
    if found.is_demo and not is_loopback(found.public_url):
        raise SystemExit(
            f"DEMO=1 opens accounts with a known password, but PUBLIC_URL is {found.public_url}. "
            "Use an address of this machine such as http://127.0.0.1:8080, or unset DEMO."
        )
    return found


def is_loopback(url: str) -> bool:
    """Whether an address reaches this machine alone."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
