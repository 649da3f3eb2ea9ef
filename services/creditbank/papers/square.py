"""The square code of a credential: an address to verify it at, and the credential itself for whoever is offline."""

from __future__ import annotations

import io

import segno

QUIET_MODULES = 4  # what a reader needs around the code
SCALE = 3


def square_of(text: str) -> bytes:
    """A text as a QR code, SVG. The lowest error level, since a whole credential must stay readable on paper."""
    out = io.BytesIO()
    segno.make_qr(text, error="l", boost_error=False).save(
        out, kind="svg", border=QUIET_MODULES, scale=SCALE, light="#fff", xmldecl=True
    )
    return out.getvalue()
