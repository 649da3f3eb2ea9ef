"""Who becomes a candidate: the candidates sheet on a real database."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from chassis.errors import Refusal
from chassis.sheet.kind import Upload
from contracts.assessment import CandidateRegistered, SchemePublished
from contracts.enrolment import EnrolmentWithdrawn
from contracts.terms import Level
from services.assessment.catalogue.commands import put_scheme, put_teo
from services.assessment.catalogue.domain import Teo
from services.assessment.plans.commands import put_plan
from services.assessment.plans.queries import stages
from services.assessment.plans.sheet import candidates_sheet
from tests.support.arrivals import arrival
from tests.unit.assessment.stories import (
    CARE,
    CARE_TEO,
    FINANCE,
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
    trained,
    upload,
    verdicts,
)

pytestmark = pytest.mark.usefixtures("mongo")
SHEET = candidates_sheet(Register())


def test_approved_and_trained_learners_become_candidates_once() -> None:
    open_college(SF2)
    assert seat(SF2, "chen", "li") == ["new", "new"]
    assert seat(SF2, "chen", "li", number=2) == ["unchanged", "unchanged"]
    told = announced(CandidateRegistered)
    assert [(one.learner_id, one.admission_number, one.plan) for one in told] == [
        ("chen", "A1", "SF-2021-B1"),
        ("li", "A2", "SF-2021-B1"),
    ]
    assert stages() == {"entitled": 2, "candidates": 2}


def test_an_exam_office_of_some_organisations_registers_in_their_plans_only() -> None:
    open_college(SF2, MI1)
    rows = []
    for plan, learner in ((SF2, "chen"), (MI1, "huang")):
        deliver(approved(learner, plan), trained(learner, plan))
        rows.append(candidate_row(2, plan, "A1", learner))
    for one in rows:
        one.upload = Upload(1, "candidates", owns={"teo": [CARE_TEO]})
    assert verdicts(upload(SHEET, rows)) == ["outside_your_scope", "new"]


def test_everybody_who_may_not_be_a_candidate_is_told_why() -> None:
    open_college(replace(SF2, quota=2), MI1)
    deliver(approved("zhao", SF2), *(one for who in ("qian", "sun", "li") for one in entitled(who)))
    rows = [
        candidate_row(1, SF2, "A1", "stranger-1"),
        candidate_row(2, SF2, "A2", "nobody"),
        candidate_row(3, SF2, "A3", "zhao"),
        candidate_row(4, replace(SF2, code="SF-9999"), "A4", "qian"),
        candidate_row(5, SF2, "A5", "qian"),
        candidate_row(6, SF2, "A5", "sun"),
        candidate_row(7, SF2, "A6", "qian"),
        candidate_row(8, SF2, "no/slash", "sun"),
        candidate_row(9, SF2, "A7", "sun"),
        candidate_row(10, SF2, "A8", "li"),
        row(11, 考核计划=SF2.code, 准考证号="A9", 证件号码="11010519491231002Y"),
    ]
    expected = [
        "learner_unknown",
        "not_enrolled",
        "training_not_completed",
        "plan_unknown",
        "new",
        "admission_taken",
        "already_candidate",
        "admission_malformed",
        "new",
        "quota_full",
        "identity_check_digit",
    ]
    assert verdicts(look(SHEET, rows)) == expected
    assert verdicts(upload(SHEET, rows)) == expected
    assert len(announced(CandidateRegistered)) == 2


def entitled(learner: str) -> tuple[object, ...]:
    return approved(learner, SF2), trained(learner, SF2)


def test_training_may_be_heard_of_before_the_approval() -> None:
    open_college(SF2)
    deliver(trained("chen", SF2))
    deliver(approved("chen", SF2))
    assert verdicts(upload(SHEET, [candidate_row(1, SF2, "A1", "chen")])) == ["new"]


def test_where_a_scheme_wants_no_training_none_is_asked_for() -> None:
    open_college(MI1)
    deliver(approved("huang", MI1))
    assert verdicts(upload(SHEET, [candidate_row(1, MI1, "A1", "huang")])) == ["new"]


def test_a_withdrawal_takes_the_seat_back_and_an_approval_gives_it_again() -> None:
    open_college(replace(SF2, quota=1))
    seat(SF2, "chen")
    gone = EnrolmentWithdrawn(learner_id="chen", application_id="a", scheme=SF2.scheme, level=SF2.level)
    deliver(arrival(gone, 2))
    assert stages() == {"entitled": 0, "candidates": 0}
    assert verdicts(upload(SHEET, [candidate_row(1, SF2, "A1", "chen")], 2)) == ["not_enrolled"]
    deliver(approved("chen", SF2, 3))
    assert verdicts(upload(SHEET, [candidate_row(1, SF2, "A1", "chen")], 3)) == ["changed"]
    assert len(announced(CandidateRegistered)) == 2


def test_a_plan_code_that_two_organisations_use_needs_the_organisation() -> None:
    other = replace(MI1, code=SF2.code)
    open_college(SF2, other)
    deliver(approved("chen", SF2), trained("chen", SF2), approved("huang", MI1))
    plain = candidate_row(1, SF2, "A1", "chen")
    named = candidate_row(2, SF2, "A1", "chen")
    named.cells["评价组织代码"] = FINANCE_TEO
    by_name = candidate_row(3, other, "A1", "huang")
    by_name.cells["评价组织代码"] = "济南阳光大姐服务有限责任公司"
    assert verdicts(upload(SHEET, [plain, named, by_name])) == ["plan_ambiguous", "new", "new"]


def test_a_plan_with_candidates_keeps_what_they_were_registered_for() -> None:
    open_college(SF2)
    seat(SF2, "chen", "li")
    for changed in ({"level": Level.ADVANCED}, {"session_date": date(2021, 7, 1)}):
        with pytest.raises(Refusal, match="plan_in_use"):
            put_plan(replace(SF2, **changed))
    with pytest.raises(Refusal, match="quota_below_candidates"):
        put_plan(replace(SF2, quota=1))
    assert put_plan(replace(SF2, quota=2, site="越秀校区")).quota == 2


def test_a_plan_belongs_to_a_scheme_of_its_organisation_and_one_of_its_levels() -> None:
    open_college()
    with pytest.raises(Refusal, match="scheme_mismatch"):
        put_plan(replace(SF2, teo=CARE_TEO))
    with pytest.raises(Refusal, match="level_not_offered"):
        put_plan(replace(MI1, level=Level.ADVANCED))


def test_a_scheme_is_announced_when_others_would_see_a_difference() -> None:
    open_college()
    put_scheme(FINANCE)
    put_scheme(replace(FINANCE, publicity_days=3))
    put_scheme(replace(FINANCE, aliases=("财税",)))
    told = [one for one in announced(SchemePublished) if one.scheme == FINANCE.code]
    assert [one.aliases for one in told] == [(), ("财税",)]


def test_a_name_stands_for_one_organisation_or_scheme_only() -> None:
    open_college()
    with pytest.raises(Refusal, match="name_taken"):
        put_teo(Teo("911100000000000351", "中联"))
    with pytest.raises(Refusal, match="name_taken"):
        put_scheme(replace(CARE, code="other", aliases=("智能财税 证书",)))
    with pytest.raises(Refusal, match="teo_unknown"):
        put_scheme(replace(CARE, teo="911100000000000351"))
