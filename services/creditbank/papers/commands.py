"""Issuing credentials, and taking them back in the transaction in which their ground falls."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from typing import Any

from chassis.bus import outbox
from chassis.clock import now
from chassis.database import Row, transactional
from chassis.strands import name_keys, survivor_of
from contracts.creditbank import CredentialIssued, CredentialRevoked
from contracts.terms import Level, OutcomeKind, kind_of, mask_name
from services.creditbank.papers import models
from services.creditbank.papers.desk import Desk
from services.creditbank.papers.domain import (
    CODE_BYTES,
    LIST_BITS,
    NOT_VOUCHED,
    OUTCOME_NOT_FINAL,
    RESULT_UNKNOWN,
    Credential,
    Lapse,
    Named,
    Place,
    document_of,
    lapse_of,
)
from services.creditbank.papers.signing import Signer
from services.creditbank.recognition.domain import Outcome
from services.creditbank.recognition.queries import outcomes_of

TRIES = 8  # places drawn in a list before a new list is opened: it is then about half full
LEARNER = "learner:"


def request_credential(learner_id: str, result_id: str, desk: Desk) -> Row:
    """The credential for a final recognised pass: the one that is valid, or a new one.

    The name is opened, masked and forgotten outside of any transaction. Refusal when the pass can't be vouched for.
    """
    _vouched(learner_id, result_id)
    if row := _valid_row(learner_id, result_id):
        return row
    return issue_credential(learner_id, result_id, mask_name(desk.open_name(learner_id)), desk, desk.signer())


@transactional
def issue_credential(learner_id: str, result_id: str, masked_name: str, desk: Desk, signer: Signer) -> Row:
    """Issue, sign and announce a credential, unless there is a valid one; Refusal when its ground has gone."""
    name_keys([LEARNER + learner_id])
    outcome = _vouched(learner_id, result_id)
    if row := _valid_row(learner_id, result_id):
        return row
    one = _drawn(outcome)
    token = signer.sign(document_of(one, Named(*models.scheme_of(one.scheme), masked_name), desk.addresses))
    models.add_credential(one, desk.seal(str(one.place), token))
    outbox.append(CredentialIssued(**_told(one)), cause=f"credential:{one.place}")
    return _valid_row(learner_id, result_id) or {}


@transactional
def review_credentials(learner_ids: Collection[str]) -> None:
    """Revoke what can't be vouched for any more of these learners' credentials, and announce it."""
    name_keys(LEARNER + one for one in learner_ids)
    valid = models.find_valid(learner_ids)
    known = outcomes_of({one.learner_id for one in valid}) if valid else {}
    for one in valid:
        if lapse := lapse_of(one.result_id, one.level, known.get((one.learner_id, one.scheme), {})):
            _revoke(one, lapse)


@transactional
def move_credentials(merged_id: str) -> None:
    """Two learners are one: credentials are the survivor's, as far as the outcomes still vouch for them."""
    name_keys([LEARNER + merged_id])
    survivor_id = survivor_of(LEARNER + merged_id).removeprefix(LEARNER)
    models.move(merged_id, survivor_id)
    review_credentials([survivor_id])


def name_schemes(named: Mapping[str, tuple[str, str]]) -> None:
    """Remember what schemes are called on papers, and whose they are: (name, TEO) by code."""
    models.keep_schemes(named)


def _vouched(learner_id: str, result_id: str) -> Outcome:
    """The final recognised pass of a learner; Refusal when there is none."""
    of_schemes = [found for found in outcomes_of([learner_id]).values() if result_id in found]
    if not of_schemes:
        raise RESULT_UNKNOWN(result_id=result_id)
    outcome = of_schemes[0][result_id]
    if kind_of(outcome.scheme) is not OutcomeKind.CERTIFICATE:
        raise NOT_VOUCHED()
    if lapse_of(result_id, outcome.level, of_schemes[0]):
        raise OUTCOME_NOT_FINAL()
    return outcome


def _valid_row(learner_id: str, result_id: str) -> Row | None:
    """The valid credential for a result with its token, if any."""
    valid = [one for one in models.find_valid([learner_id]) if one.result_id == result_id]
    return models.row_of(str(valid[0].place)) if valid else None


def _drawn(outcome: Outcome) -> Credential:
    """A new credential with a code and a place of its own, both drawn: neither tells when or for whom."""
    return Credential(
        place=_free_place(),
        code=secrets.token_urlsafe(CODE_BYTES),
        learner_id=outcome.learner_id,
        result_id=outcome.result_id,
        scheme=outcome.scheme,
        level=int(outcome.level),
        issued_at=now(),
    )


def _free_place() -> Place:
    latest = models.latest_list()
    drawn = [Place(latest, secrets.randbelow(LIST_BITS)) for _ in range(TRIES)]
    taken = models.taken(drawn)
    if len(taken) * 2 > TRIES:
        return Place(latest + 1, secrets.randbelow(LIST_BITS))
    return next(one for one in drawn if str(one) not in taken)


def _revoke(one: Credential, lapse: Lapse) -> None:
    models.revoke(one.place, lapse.what, now())
    outbox.append(CredentialRevoked(**_told(one), what=lapse.what), cause=lapse.cause or f"credential:{one.place}")


def _told(one: Credential) -> dict[str, Any]:
    return {
        "learner_id": one.learner_id,
        "credential": str(one.place),
        "result_id": one.result_id,
        "scheme": one.scheme,
        "level": Level(one.level),
    }
