"""What a credential says, when it may be issued, and what takes it back: Open Badges 3.0 and Bitstring Status List."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from chassis.errors import Ground
from contracts.terms import Level
from services.creditbank.ledger.domain import CertificateState
from services.creditbank.recognition.domain import Outcome, OutcomeState, certificate_state

LIST_BITS = 131_072  # the least a status list may have, so that nobody stands out in it
CODE_BYTES = 24  # 192 random bits in the code that a credential is verified by
CONTEXTS = ["https://www.w3.org/ns/credentials/v2", "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"]
ISSUER_NAME = "OneX 1+X 学分银行 Credit Bank"

RESULT_UNKNOWN = Ground(
    "result_unknown",
    en="This account has no result {result_id}. Choose one of its final passes.",
    zh="该账户没有成绩 {result_id}，请选择已生效的通过成绩。",
    status=404,
)
NOT_VOUCHED = Ground(
    "outcome_not_vouched",
    en="Credentials vouch for X certificates. Ask whoever issued this outcome for theirs.",
    zh="电子凭证仅为职业技能等级证书签发，其他成果请向原颁发单位索取证明。",
)
OUTCOME_NOT_FINAL = Ground(
    "outcome_not_final",
    en="A credential is issued for a pass that is final and recognised; this result is not. Ask again when it is.",
    zh="凭证只为已生效并已认定的通过成绩签发，该成绩尚不符合，请待其生效并认定后再申请。",
    status=409,
)
NAME_CLOSED = Ground(
    "name_closed",
    en="This person's name can't be opened any more, so no paper is made out.",
    zh="该学习者的姓名已无法打开，不能出具凭证或对账单。",
    status=409,
)


class Standing(StrEnum):
    """What whoever verifies a credential is told of it."""

    VALID = "valid"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Place:
    """The bit of a credential in the status lists."""

    list_number: int
    index: int

    def __str__(self) -> str:
        return f"{self.list_number}:{self.index}"


@dataclass(frozen=True, slots=True)
class Credential:
    """What was vouched for: one final pass, by the code it is verified by. `revoked_because` is an event's type."""

    place: Place
    code: str
    learner_id: str
    result_id: str
    scheme: str
    level: int
    issued_at: datetime
    revoked_at: datetime | None = None
    revoked_because: str = ""


@dataclass(frozen=True, slots=True)
class Lapse:
    """Why a pass can't be vouched for: the event behind it, and its type."""

    cause: str
    what: str


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where papers are published for machines, and where people read."""

    papers_url: str
    public_url: str

    def verify_url(self, code: str) -> str:
        """The page on which anybody verifies a credential."""
        return f"{self.public_url}/verify/{code}"

    def status_url(self, list_number: int) -> str:
        """Where a status list is published."""
        return f"{self.papers_url}/status-lists/{list_number}"


@dataclass(frozen=True, slots=True)
class Named:
    """The words of a credential: its scheme's name, its TEO, and its holder's masked name."""

    scheme_name: str
    teo: str
    masked_name: str


def lapse_of(result_id: str, level: int, of_scheme: Mapping[str, Outcome]) -> Lapse | None:
    """Why a pass at a level can't be vouched for; None when it can. A revoked certificate vouches for nothing."""
    outcome = of_scheme.get(result_id)
    if outcome is None:
        return Lapse("", "ResultAnnulled")
    if not outcome.counts or outcome.state != OutcomeState.FINAL or outcome.level != level:
        return Lapse(outcome.cause, outcome.what)
    revocations = [one for one in of_scheme.values() if one.state == OutcomeState.REVOCATION]
    if certificate_state([outcome, *revocations]) != CertificateState.REVOKED:
        return None
    last = max(revocations, key=lambda one: bool(one.certificate_numbers & outcome.certificate_numbers))
    return Lapse(last.cause, last.what)


def document_of(one: Credential, named: Named, at: Addresses) -> dict[str, Any]:
    """The credential as Open Badges 3.0 writes it, with the claims of its token."""
    verify_url, level = at.verify_url(one.code), Level(one.level)
    achieved = f"{named.scheme_name} {level.zh}"
    status_url = at.status_url(one.place.list_number)
    return {
        "@context": CONTEXTS,
        "id": verify_url,
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "issuer": {"id": at.papers_url, "type": ["Profile"], "name": ISSUER_NAME},
        "validFrom": instant(one.issued_at),
        "name": achieved,
        "credentialSubject": {
            "id": f"{verify_url}#holder",
            "type": ["AchievementSubject"],
            "identifier": [
                {"type": "IdentityObject", "identityType": "name", "hashed": False, "identityHash": named.masked_name}
            ],
            "achievement": _achievement(one, named, at, achieved),
        },
        "credentialStatus": {
            "id": f"{status_url}#{one.place.index}",
            "type": "BitstringStatusListEntry",
            "statusPurpose": "revocation",
            "statusListIndex": str(one.place.index),
            "statusListCredential": status_url,
        },
        "iss": at.papers_url,
        "jti": verify_url,
        "sub": f"{verify_url}#holder",
        "nbf": int(one.issued_at.timestamp()),
    }


def _achievement(one: Credential, named: Named, at: Addresses, achieved: str) -> dict[str, Any]:
    level = Level(one.level)
    return {
        "id": f"{at.papers_url}/recognition-rules/{one.scheme}/{one.level}",
        "type": ["Achievement"],
        "achievementType": "Certificate",
        "name": achieved,
        "description": f"1+X certificate {one.scheme}, {level.en}",
        "criteria": {"narrative": f"Passed the assessment of {named.teo or one.scheme}; final after publicity."},
    }


def status_list_of(list_number: int, revoked: Iterable[int], at: Addresses, now: datetime) -> dict[str, Any]:
    """A status list as a credential of its own, with the claims of its token."""
    url = at.status_url(list_number)
    return {
        "@context": CONTEXTS[:1],
        "id": url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": at.papers_url,
        "validFrom": instant(now),
        "credentialSubject": {
            "id": f"{url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "encodedList": encoded(revoked),
        },
        "iss": at.papers_url,
        "jti": url,
        "sub": f"{url}#list",
        "nbf": int(now.timestamp()),
    }


def encoded(revoked: Iterable[int]) -> str:
    """The bits of the revoked, the first one leftmost: compressed and written as multibase base64url."""
    bits = bytearray(LIST_BITS // 8)
    for index in revoked:
        bits[index // 8] |= 0x80 >> index % 8
    return "u" + base64.urlsafe_b64encode(gzip.compress(bytes(bits), mtime=0)).decode().rstrip("=")


def instant(at: datetime) -> str:
    """An instant as credentials write it, in whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
