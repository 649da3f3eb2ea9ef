"""Certificates: numbers that passes earned, once each; and learners who turn out to be one person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.errors import Refusal
from chassis.sheet.kind import Row, Upload
from contracts.assessment import CertificateIssued, CertificateRevoked, ResultFinalised
from contracts.enrolment import LearnersMerged
from services.assessment.certificates.commands import revoke
from services.assessment.certificates.queries import certificates_of_learner, stages, steps_by_cause
from services.assessment.certificates.sheet import certificates_sheet
from services.assessment.plans.domain import Plan
from services.assessment.plans.models import entitlements_of_learners, read_candidates, save_plan
from services.assessment.plans.sheet import candidates_sheet
from services.assessment.results.commands import close_due_publicity, close_publicity
from services.assessment.results.models import read_results
from tests.support.arrivals import arrival
from tests.support.forgetting import forget, forgotten
from tests.unit.assessment.stories import (
    CARE_TEO,
    FINANCE_TEO,
    MI1,
    SF2,
    Register,
    announced,
    approved,
    candidate_row,
    deliver,
    look,
    open_college,
    row,
    seat,
    sitting,
    submit,
    trained,
    upload,
    verdicts,
)

pytestmark = pytest.mark.usefixtures("mongo", "clock")
SHEET = certificates_sheet(Register())
AT_ONCE = replace(SF2, publicity_days=0)


def certificate_row(number: int, certificate: str, learner: str = "", admission: str = "", **cells: str) -> Row:
    words = {
        "证书名称": "智能财税",
        "职业技能等级": "中级",
        "证书编号": certificate,
        "发证日期": "2021-09-10",
        "证件类型": "护照",
        "证件号码": learner.upper(),
        "准考证号": admission,
    }
    return row(number, Upload(3, "certificates"), **(words | cells))


def passes(*learners: str) -> None:
    open_college(AT_ONCE)
    seat(AT_ONCE, *learners)
    submit(*[sitting(AT_ONCE, f"A{n}", 78, 85) for n in range(1, len(learners) + 1)])


def test_a_certificate_is_found_its_pass_by_document_or_admission_number() -> None:
    passes("chen", "li", "wang")
    rows = [
        certificate_row(2, "C1", "chen"),
        certificate_row(3, "C2", admission="A2"),
        certificate_row(4, "C3", "wang", "A3", 评价机构="中联"),
    ]
    assert verdicts(upload(SHEET, rows)) == ["new"] * 3
    assert verdicts(upload(SHEET, rows, 2)) == ["unchanged"] * 3
    told = announced(CertificateIssued)
    assert {(one.learner_id, one.certificate_number, one.result_id) for one in told} == {
        ("chen", "C1", f"{SF2.id}:A1:1"),
        ("li", "C2", f"{SF2.id}:A2:1"),
        ("wang", "C3", f"{SF2.id}:A3:1"),
    }
    assert {one["stage"]: one["count"] for one in stages()}["certificates"] == 3
    assert [step["learner_id"] for step in steps_by_cause("import:assessment:1:3")] == ["li"]


def test_a_number_belongs_to_one_certificate_and_a_pass_has_one() -> None:
    passes("chen", "li")
    upload(SHEET, [certificate_row(2, "C1", "chen")])
    rows = [
        certificate_row(2, "C1", "li"),
        certificate_row(3, "C9", "chen"),
        certificate_row(4, "C2", "li"),
        certificate_row(5, "C3", "li"),
    ]
    expected = ["certificate_number_used", "certificate_exists", "new", "certificate_exists"]
    assert verdicts(look(SHEET, rows)) == expected
    assert verdicts(upload(SHEET, rows, 2)) == expected


def test_what_a_row_gets_wrong_is_said_of_that_row() -> None:
    passes("chen", "li")
    open_college(MI1)
    seat(MI1, "huang")
    rows = [
        certificate_row(2, "C1", "huang"),
        certificate_row(3, "C1", "stranger"),
        certificate_row(4, "C1", admission="Z9"),
        certificate_row(5, "C1", "chen", "A2"),
        certificate_row(6, "C1", "chen", 证书名称="直播电商"),
        certificate_row(7, "C1", "chen", 职业技能等级="特级"),
        certificate_row(8, "C1", "chen", 评价机构="济南阳光大姐服务有限责任公司"),
        certificate_row(9, "C1", "chen", 发证日期="2031-01-01"),
        certificate_row(10, "C/1", "chen"),
        certificate_row(11, "C1", "chen", 证书名称="智能财税职业技能等级证书", 职业技能等级="高级"),
    ]
    assert verdicts(look(SHEET, rows)) == [
        "not_passed",
        "learner_unknown",
        "learner_unknown",
        "admission_of_another",
        "scheme_unknown",
        "level_unknown",
        "scheme_mismatch",
        "issued_ahead",
        "certificate_number_malformed",
        "not_passed",
    ]


def test_a_pass_in_publicity_earns_no_certificate_yet() -> None:
    open_college(SF2)
    seat(SF2, "chen")
    submit(sitting(SF2, "A1", 78, 85))
    assert verdicts(look(SHEET, [certificate_row(2, "C1", "chen")])) == ["not_passed"]


def test_an_organisation_reports_its_own_certificates_only() -> None:
    passes("chen")
    rows = [certificate_row(2, "C1", "chen")]
    for teo, verdict in ((CARE_TEO, "outside_your_scope"), (FINANCE_TEO, "new")):
        rows[0].upload = Upload(3, "certificates", owns={"teo": [teo]})
        assert verdicts(look(SHEET, rows)) == [verdict]


def test_a_revoked_certificate_is_announced_once_and_its_number_not_given_out_again() -> None:
    passes("chen")
    upload(SHEET, [certificate_row(2, "C1", "chen")])
    for _ in range(2):
        assert revoke(f"{FINANCE_TEO}:C1", "issued in error").state == "revoked"
    assert [one.reason for one in announced(CertificateRevoked)] == ["issued in error"]
    assert verdicts(upload(SHEET, [certificate_row(2, "C1", "chen")], 2)) == ["certificate_was_revoked"]
    assert verdicts(upload(SHEET, [certificate_row(2, "C2", "chen")], 3)) == ["new"]
    with pytest.raises(Refusal, match="not_found"):
        revoke(f"{FINANCE_TEO}:none", "why")


def merge(survivor: str, merged: str) -> None:
    body = LearnersMerged(survivor_id=survivor, merged_id=merged)
    deliver(arrival(body, 5, key=f"learner:{survivor}"), arrival(body, 5, key=f"learner:{merged}"))


def test_learners_who_are_one_person_have_everything_under_one_id() -> None:
    open_college(SF2)
    deliver(trained("chen-passport", SF2))
    for seq in range(1, 5):
        deliver(approved("chen", SF2, seq), approved("chen-passport", MI1, seq))
    merge("chen", "chen-passport")
    entitled = {(one.scheme, one.approved, one.trained) for one in entitlements_of_learners(["chen"])}
    assert entitled == {("smart-finance", True, True), ("maternal-infant", True, False)}
    assert entitlements_of_learners(["chen-passport"]) == []


def test_results_and_certificates_of_a_merged_learner_go_on_under_the_survivor() -> None:
    open_college(SF2)
    for seq in range(1, 5):
        deliver(approved("old", SF2, seq), approved("chen", MI1, seq))
    deliver(trained("old", SF2))
    assert verdicts(upload(candidates_sheet(Register()), [candidate_row(1, SF2, "A1", "old")])) == ["new"]
    submit(sitting(SF2, "A1", 78, 85))
    merge("chen", "old")
    assert [one.learner_id for one in read_candidates({}) + read_results({})] == ["chen", "chen"]
    close_publicity(SF2.id)
    close_due_publicity()
    assert announced(ResultFinalised)[0].learner_id == "chen"
    assert verdicts(upload(SHEET, [certificate_row(2, "C1", "chen")])) == ["new"]
    assert [one.number for one in certificates_of_learner("chen", None, 10)] == ["C1"]
    deliver(trained("old", MI1, 2))
    assert {one.scheme for one in entitlements_of_learners(["chen"]) if one.trained} == {
        "smart-finance",
        "maternal-infant",
    }


def passed_and_seated_again() -> Plan:
    """Chen has passed, and has a seat in a later session, which is returned."""
    open_college(AT_ONCE)
    later = replace(AT_ONCE, code="SF2-later", session_date=AT_ONCE.session_date + timedelta(days=30))
    save_plan(later)
    seat(AT_ONCE, "chen")
    seat(later, "chen", number=2)
    submit(sitting(AT_ONCE, "A1", 78, 85))
    return later


def test_a_number_told_before_a_set_back_is_of_the_same_pass_again() -> None:
    """Another attempt of the same person stands by now, and a report names none."""
    later = passed_and_seated_again()
    rows = [certificate_row(2, "C1", "chen")]
    assert verdicts(upload(SHEET, rows)) == ["new"]
    forget(["certificates"], ["CertificateIssued"])
    submit(sitting(later, "A1", 90, 90))
    assert verdicts(upload(SHEET, rows, 2)) == ["new"]
    assert [one.result_id for one in announced(CertificateIssued)] == [f"{AT_ONCE.id}:A1:1"]
    assert forgotten() == []


def test_a_number_told_before_a_set_back_waits_for_its_own_pass_and_takes_no_other() -> None:
    """Else the number that belongs to the other pass would find it taken."""
    later = passed_and_seated_again()
    first, second = certificate_row(2, "C1", "chen"), certificate_row(3, "C2", "chen")
    assert verdicts(upload(SHEET, [first])) == ["new"]
    submit(sitting(later, "A1", 90, 90))
    assert verdicts(upload(SHEET, [second], 2)) == ["new"]
    forget(["certificates", "results"], ["CertificateIssued", "ResultFinalised", "ResultPublicised"])
    submit(sitting(later, "A1", 90, 90))
    assert verdicts(upload(SHEET, [first, second], 3)) == ["pass_not_back", "new"]
    submit(sitting(AT_ONCE, "A1", 78, 85))
    assert verdicts(upload(SHEET, [first, second], 4)) == ["new", "unchanged"]
    assert {one.certificate_number: one.result_id for one in announced(CertificateIssued)} == {
        "C1": f"{AT_ONCE.id}:A1:1",
        "C2": f"{later.id}:A1:1",
    }
    assert forgotten() == []


def test_a_number_told_before_a_set_back_can_be_revoked() -> None:
    passes("chen")
    upload(SHEET, [certificate_row(2, "C1", "chen")])
    forget(["certificates", "results"], ["CertificateIssued", "ResultFinalised", "ResultPublicised"])
    for _ in range(2):
        assert revoke(f"{FINANCE_TEO}:C1", "its pass is not known any more").state == "revoked"
    assert [one.certificate_number for one in announced(CertificateRevoked)] == ["C1"]
    assert "CertificateIssued" not in forgotten()
    assert len(announced(CertificateIssued)) == 1
