"""Write down who did what at the gate."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from enum import StrEnum

from portal.identity.audit.models import AuditRows


class Act(StrEnum):
    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    LOCKED_OUT = "locked_out"
    SIGNED_OUT = "signed_out"
    TOKEN_ISSUED = "token_issued"  # noqa: S105 -- a word, not a secret
    TOKEN_REFUSED = "token_refused"  # noqa: S105 -- a word, not a secret
    USER_PUT = "user_put"
    CLIENT_PUT = "client_put"
    SECRET_MADE = "secret_made"  # noqa: S105 -- a word, not a secret
    SECRET_REVOKED = "secret_revoked"  # noqa: S105 -- a word, not a secret


def record(who: str, act: Act, about: str = "") -> None:
    """Add one row. `who` is a sign-in name or client id as it was given, shortened."""
    AuditRows(
        id=f"{time.time_ns():020d}-{secrets.token_hex(4)}",
        at=datetime.now(UTC),
        who=who[:100],
        act=act.value,
        about=about[:200],
    ).save(force_insert=True)
