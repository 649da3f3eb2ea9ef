"""Put certificates on record, and take them back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from chassis.bus import outbox
from chassis.database import transactional
from chassis.errors import NOT_FOUND
from chassis.strands import name_keys
from contracts.assessment import CertificateIssued, CertificateRevoked
from services.assessment.certificates import models
from services.assessment.certificates.domain import Certificate, State, revoked


@transactional
def issue(issued: Sequence[Certificate]) -> None:
    """Keep certificates which the rules accepted in this transaction, and announce each."""
    name_keys(f"learner:{one.learner_id}" for one in issued)
    models.add_certificates(issued)
    for one in issued:
        outbox.append(
            CertificateIssued(
                learner_id=one.learner_id,
                teo=one.teo,
                scheme=one.scheme,
                level=one.level,
                result_id=one.result_id,
                certificate_number=one.number,
                issued_on=one.issued_on,
            ),
            one.submitted_by,
        )


@transactional
def revoke(certificate_id: str, reason: str) -> Certificate:
    """Take a certificate back; revoked already, it stays so.

    One that was announced before a set-back and is not known any more is put on record again for it: others have it.
    """
    for one in models.certificates_by_id([certificate_id]) or _put_back(certificate_id):
        name_keys([f"learner:{one.learner_id}"])
        if one.state is not State.REVOKED:
            models.set_revoked(revoked(one), reason)
            _announce_revoked(one, reason)
        return revoked(one)
    raise NOT_FOUND(what="certificate", id=certificate_id)


def forgotten_certificates() -> Iterator[Certificate]:
    """The certificates that the topic alone knew after a set-back, as they were announced."""
    for body in outbox.forgotten_of(CertificateIssued):
        yield Certificate(
            teo=body.teo,
            number=body.certificate_number,
            learner_id=body.learner_id,
            scheme=body.scheme,
            level=body.level,
            result_id=body.result_id,
            issued_on=body.issued_on,
        )


def _put_back(certificate_id: str) -> list[Certificate]:
    found = [one for one in forgotten_certificates() if one.id == certificate_id]
    again = [replace(one, submitted_by=f"certificate:{one.id}:put-back") for one in found]
    issue(again)
    return again


def _announce_revoked(one: Certificate, reason: str) -> None:
    body = CertificateRevoked(
        learner_id=one.learner_id,
        teo=one.teo,
        scheme=one.scheme,
        level=one.level,
        certificate_number=one.number,
        reason=reason,
    )
    outbox.append(body, f"certificate:{one.id}:revoked")


@transactional
def move_learners(moves: Sequence[tuple[str, str]]) -> None:
    """Give the certificates of merged learners to their survivors: (merged, survivor)."""
    models.move_certificates(moves)
