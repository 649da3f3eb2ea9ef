"""The portal's HTTP door."""

from __future__ import annotations

from portal.assembly import assemble
from portal.settings import settings

app = assemble(settings())
