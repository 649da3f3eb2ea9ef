"""Credentials: asked for, accepted by a stranger's verifier, and refused once their ground has gone."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from chassis.bus.event import decode_body
from chassis.database import database, ensure_indexes, run_transaction
from chassis.errors import Refusal
from chassis.web.client import Answered
from contracts.creditbank import CredentialIssued, CredentialRevoked
from contracts.terms import Verdict
from services.creditbank.papers import queries
from services.creditbank.papers.commands import request_credential, review_credentials
from services.creditbank.papers.domain import LIST_BITS, Standing, encoded
from services.creditbank.papers.models import Credentials
from tests.unit.creditbank.papers import PUBLIC_URL, desk, is_revoked, verified
from tests.unit.creditbank.stories import (
    TEO,
    Assessment,
    announced,
    annulled,
    corrected,
    finalised,
    issued,
    merged,
    publicised,
    publish_annex,
    registered,
    revoked,
    scheme,
)

RESULT = f"{TEO}:plan:0001:1"
DESK = desk()


@pytest.fixture
def assessment(mongo: str) -> Assessment:
    """A learner whose pass is final, with its certificate on record."""
    ensure_indexes(Credentials)
    publish_annex()
    teller = Assessment()
    teller.tell(scheme(), registered("mei"))
    teller.tell(publicised("mei"), finalised("mei"), issued("mei"))
    return teller


def credential(learner_id: str = "mei", result_id: str = RESULT) -> dict[str, Any]:
    return queries.shown(request_credential(learner_id, result_id, DESK), DESK)


def seen(token: str) -> dict[str, Any]:
    """What a stranger reads out of a token with the published keys."""
    return verified(token, DESK.signer().published())


def status_of(document: dict[str, Any]) -> bool:
    number = int(document["credentialStatus"]["statusListCredential"].rpartition("/")[2])
    return is_revoked(document, seen(queries.status_list(number, DESK)))


def standing(code: str) -> str:
    return str(queries.verification_of(code, DESK)["standing"])


def refused(learner_id: str = "mei", result_id: str = RESULT) -> str:
    with pytest.raises(Refusal) as refusal:
        request_credential(learner_id, result_id, DESK)
    return refusal.value.code


def told(kind: type[Any]) -> list[Any]:
    return [decode_body(bytes(row["body"]), kind) for row in announced(kind.__name__)]


def test_a_strangers_verifier_accepts_a_credential(assessment: Assessment) -> None:
    mine = credential()
    document = seen(mine["token"])
    assert document["type"] == ["VerifiableCredential", "OpenBadgeCredential"]
    assert document["id"] == mine["verify_url"] == f"{PUBLIC_URL}/verify/{mine['code']}"
    assert document["credentialSubject"]["identifier"][0]["identityHash"] == "黄**"
    assert document["credentialSubject"]["achievement"]["name"] == "cloud-ops 中级"
    assert not status_of(document)
    assert standing(mine["code"]) == Standing.VALID


def test_a_credential_that_was_altered_is_accepted_by_nobody(assessment: Assessment) -> None:
    head, body, signature = credential()["token"].split(".")
    with pytest.raises(InvalidSignature):
        seen(f"{head}.{body[:-4]}AAAA.{signature}")


def test_asking_twice_issues_once(assessment: Assessment) -> None:
    assert credential() == credential()
    (event,) = told(CredentialIssued)
    assert (event.learner_id, event.result_id, event.level) == ("mei", RESULT, 2)
    assert database()["credentials"].count_documents({}) == 1


def test_asking_at_once_issues_once(assessment: Assessment) -> None:
    codes: list[str] = []
    askers = [threading.Thread(target=lambda: codes.append(credential()["code"])) for _ in range(8)]
    for one in askers:
        one.start()
    for one in askers:
        one.join()
    assert len(codes) == 8
    assert len(set(codes)) == 1
    assert len(told(CredentialIssued)) == 1


def test_neither_name_nor_code_is_announced_and_no_name_rests_in_clear(assessment: Assessment) -> None:
    code = credential()["code"]
    (row,) = database()["outbox"].find({"type": "CredentialIssued"})
    assert code.encode() not in bytes(row["body"])
    assert "黄" not in str(list(database()["credentials"].find({})))
    assert "黄" not in str(list(database()["outbox"].find({})))


def test_an_annulment_revokes_in_its_own_transaction(assessment: Assessment) -> None:
    mine = credential()
    assessment.tell(annulled("mei"))
    assert status_of(seen(mine["token"]))
    assert standing(mine["code"]) == Standing.REVOKED
    (event,) = told(CredentialRevoked)
    assert (event.credential, event.what) == (mine["credential"], "ResultAnnulled")
    assert refused() == "outcome_not_final"


def test_what_fails_after_the_revocation_takes_it_back_as_well(assessment: Assessment) -> None:
    mine = credential()
    database()["outcomes"].update_one({"result_id": RESULT}, {"$set": {"state": "annulled"}})

    def broken() -> None:
        review_credentials(["mei"])
        raise LookupError

    with pytest.raises(LookupError):
        run_transaction(broken)
    assert standing(mine["code"]) == Standing.VALID
    assert told(CredentialRevoked) == []


def test_a_revoked_certificate_revokes_its_credential(assessment: Assessment) -> None:
    mine = credential()
    assessment.tell(revoked("mei"))
    assert standing(mine["code"]) == Standing.REVOKED
    assert told(CredentialRevoked)[0].what == "CertificateRevoked"
    assert refused() == "outcome_not_final"


def test_a_correction_that_fails_revokes_and_one_that_passes_again_lets_a_new_one_be_asked_for(
    assessment: Assessment,
) -> None:
    first = credential()
    assessment.tell(corrected("mei", verdict=Verdict.FAILED))
    assert standing(first["code"]) == Standing.REVOKED
    assessment.tell(corrected("mei", revision=4))
    second = credential()
    assert standing(first["code"]) == Standing.REVOKED
    assert standing(second["code"]) == Standing.VALID


def test_a_correction_that_changes_nothing_vouched_for_revokes_nothing(assessment: Assessment) -> None:
    mine = credential()
    assessment.tell(corrected("mei"))
    assert standing(mine["code"]) == Standing.VALID


def test_a_correction_to_another_level_revokes_what_was_said_of_the_first(assessment: Assessment) -> None:
    mine = credential()
    assessment.tell(corrected("mei", level=3))
    assert standing(mine["code"]) == Standing.REVOKED
    assert credential()["level"] == 3


def test_anothers_annulment_revokes_nothing(assessment: Assessment) -> None:
    mine = credential()
    assessment.tell(registered("lan"), publicised("lan", "0009"), finalised("lan", "0009"), annulled("lan", "0009"))
    assert standing(mine["code"]) == Standing.VALID


def test_a_merged_learners_credential_stays_and_falls_with_the_survivors_result(assessment: Assessment) -> None:
    mine = credential()
    assessment.tell(registered("lan"))
    assessment.tell(merged("lan", "mei"))
    assert standing(mine["code"]) == Standing.VALID
    assert [one["code"] for one in queries.credentials_after("lan", "", 9, DESK)] == [mine["code"]]
    assessment.tell(annulled("mei"))
    assert standing(mine["code"]) == Standing.REVOKED


@pytest.mark.parametrize("bodies", [[], [publicised("lan")], [finalised("lan", verdict=Verdict.FAILED)]])
def test_only_a_final_pass_is_vouched_for(assessment: Assessment, bodies: list[Any]) -> None:
    assessment.tell(registered("lan"), *bodies)
    assert refused("lan") == ("outcome_not_final" if bodies else "result_unknown")


def test_anothers_result_is_unknown(assessment: Assessment) -> None:
    assessment.tell(registered("lan"))
    assert refused("lan") == "result_unknown"


def test_a_name_that_is_closed_gets_no_credential(assessment: Assessment) -> None:
    def closed(_learner_id: str) -> str:
        raise Answered(404, {"code": "not_found"})

    with pytest.raises(Refusal) as refusal:
        request_credential("mei", RESULT, type(DESK)(DESK.seal_key, DESK.addresses, closed, DESK.guesses))
    assert refusal.value.code == "name_closed"


def test_a_code_nobody_has_looks_like_any_other(assessment: Assessment) -> None:
    known, unknown = (queries.verification_of(code, DESK) for code in (credential()["code"], "x" * 32))
    assert known.keys() == unknown.keys()
    assert unknown["standing"] == Standing.UNKNOWN
    assert {value for name, value in unknown.items() if name != "standing"} == {None}


def test_the_first_bit_of_a_status_list_is_the_leftmost() -> None:
    document = {"credentialStatus": {"statusListCredential": "L", "statusPurpose": "revocation"}}
    listed = {
        "id": "L",
        "credentialSubject": {"statusPurpose": "revocation", "encodedList": encoded([0, LIST_BITS - 1])},
    }
    found = {}
    for index in (0, 1, LIST_BITS - 2, LIST_BITS - 1):
        document["credentialStatus"]["statusListIndex"] = str(index)
        found[index] = is_revoked(document, listed)
    assert found == {0: True, 1: False, LIST_BITS - 2: False, LIST_BITS - 1: True}
