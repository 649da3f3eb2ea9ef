"""Reading credentials: a learner's own, what anybody may know by a code, and the status lists."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from chassis.clock import CAMPUS, now
from chassis.database import Row
from chassis.errors import NOT_FOUND
from services.creditbank.accounts import queries as accounts
from services.creditbank.ledger import queries as ledger
from services.creditbank.papers import models
from services.creditbank.papers.desk import Desk
from services.creditbank.papers.domain import Standing, lapse_of, status_list_of
from services.creditbank.papers.elmo import Passed, written
from services.creditbank.recognition.queries import outcomes_of

MOST_ENTRIES = 500  # on one statement
NOTHING_KNOWN = {
    "standing": Standing.UNKNOWN,
    **dict.fromkeys(("masked_name", "scheme", "scheme_name", "level", "issued_on", "revoked_on")),
}


def credentials_after(learner_id: str, after: str, limit: int, desk: Desk) -> list[dict[str, Any]]:
    """A learner's credentials by place, revoked ones too."""
    return [shown(row, desk) for row in models.rows_after(learner_id, after, limit)]


def shown(row: Row, desk: Desk) -> dict[str, Any]:
    """A credential as its holder sees it."""
    names = ("result_id", "scheme", "level", "code", "issued_at")
    return {
        "credential": row["_id"],
        **{name: row[name] for name in names},
        "revoked_at": row.get("revoked_at"),
        "revoked_because": row.get("revoked_because"),
        "verify_url": desk.addresses.verify_url(row["code"]),
        "token": desk.open(row["_id"], row["sealed"]),
    }


def carried_by_code(learner_id: str, place: str, desk: Desk) -> str:
    """What the square code of a credential holds: the address to verify it at, and behind # the credential itself."""
    row = models.row_of(place)
    if row is None or row["learner_id"] != learner_id:
        raise NOT_FOUND(what="credential", id=place)
    found = shown(row, desk)
    return f"{found['verify_url']}#{found['token']}"


def verification_of(code: str, desk: Desk) -> dict[str, Any]:
    """What anybody may know of the credential with this code; what there is none of looks alike."""
    row = models.row_by_code(code)
    if row is None:
        return dict(NOTHING_KNOWN)
    document = _document(desk.open(row["_id"], row["sealed"]))
    revoked_at = row.get("revoked_at")
    return {
        "standing": Standing.REVOKED if revoked_at else Standing.VALID,
        "masked_name": document["credentialSubject"]["identifier"][0]["identityHash"],
        "scheme": row["scheme"],
        "scheme_name": models.scheme_of(row["scheme"])[0],
        "level": row["level"],
        "issued_on": row["issued_at"].astimezone(CAMPUS).date(),
        "revoked_on": revoked_at.astimezone(CAMPUS).date() if revoked_at else None,
    }


def _document(token: str) -> dict[str, Any]:
    """What a token of ours says."""
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def statement_of(learner_id: str, desk: Desk, is_learner: bool) -> dict[str, Any]:
    """An account with its owner's name, what it holds and what happened to it, the latest first.

    Refusal when nobody opened the account. Entries beyond the latest are counted, and the account's head stands for
    all of them.
    """
    account = accounts.account_of(learner_id, is_learner)
    entries = accounts.entries_of(learner_id, None, MOST_ENTRIES, is_learner)
    names = scheme_names(_schemes(account["holdings"], entries))
    return {
        "learner_id": learner_id,
        "name": desk.open_name(learner_id),
        "made_at": now(),
        "balances": account["balances"],
        "holdings": [_named(one, names) for one in account["holdings"]],
        "entry_count": account["entries"],
        "entries": [_named(one, names) for one in entries],
        "head": account["head"],
    }


def scheme_names(codes: Collection[str]) -> dict[str, str]:
    """What schemes are called; one that nobody has told of by its code."""
    return models.scheme_names(codes)


def _named(one: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {**one, "scheme_name": names.get(one["scheme"])}


def _schemes(*lists: Sequence[Mapping[str, Any]]) -> set[str]:
    """What holdings and entries are about; a freeze is about no scheme."""
    return {one["scheme"] for of_account in lists for one in of_account if one["scheme"]}


def elmo_of(learner_id: str, desk: Desk) -> bytes:
    """A learner's final recognised passes as an ELMO file; Refusal when nobody opened the account."""
    ledger.account_of(learner_id)
    passes = [
        Passed(one.result_id, scheme, models.scheme_of(scheme)[0], int(one.level), one.session_date, one.credit_points)
        for (_, scheme), of_scheme in sorted(outcomes_of([learner_id]).items())
        for one in sorted(of_scheme.values(), key=lambda one: one.session_date)
        if lapse_of(one.result_id, one.level, of_scheme) is None
    ]
    return written(learner_id, desk.open_name(learner_id), passes, desk.addresses, now())


def status_list(number: int, desk: Desk) -> str:
    """A status list, signed as of now; Refusal when none of this number was opened."""
    if not 1 <= number <= models.latest_list():
        raise NOT_FOUND(what="status list", id=number)
    return desk.signer().sign(status_list_of(number, models.revoked_indexes(number), desk.addresses, now()))
