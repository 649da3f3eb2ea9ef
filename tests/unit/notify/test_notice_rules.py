"""What is worth a notice, when it may leave, and what it says: the rules alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from contracts.terms import LEVEL_NAMES, Level, Verdict
from services.notify.contacts.domain import Contact, Language, contact_of
from services.notify.notices.domain import (
    Channel,
    Known,
    News,
    NoticeState,
    is_worth_telling,
    notice_id,
    notices_of,
    pause_seconds,
    variant_of,
)
from services.notify.notices.texts import TEXTS, Told, by_email, credits_of, in_mailbox

NOW = datetime(2021, 9, 25, 8, 0, tzinfo=UTC)
ANN = Contact("ann", "ann", name="sealed name", email="sealed email")
FACTS: dict[str, dict[str, Any]] = {
    "EnrolmentApproved": {"application_id": "ann:smart-finance:1"},
    "CandidateRegistered": {"plan": "P1", "admission_number": "A-17", "session_date": "2021-06-19", "site": "番禺校区"},
    "ResultPublicised": {"result_id": "T:P1:A-17:1", "verdict": "passed", "due_on": "2021-09-24"},
    "ResultFinalised": {"result_id": "T:P1:A-17:1", "verdict": "failed"},
    "OutcomesDigested": {"outcomes": 3, "available_points": 450, "available_balance": 850},
    "OutcomeCredited": {"available_points": 200, "available_balance": 400, "kind": "licence", "level": 4},
    "CreditPosted": {"available_points": 200, "available_balance": 450},
    "CertificateIssued": {"certificate_number": "ZLZJ20210001", "issued_on": "2021-10-12"},
    "CredentialIssued": {"credential": "1:90417"},
    "CredentialRevoked": {"credential": "1:90417"},
    "AccountFrozen": {"reason": "two people claim it"},
    "AccountUnfrozen": {"reason": "it is theirs"},
    "ConversionDecided": {"course": "KJ2105", "module": "", "credit_points": 400, "decision": "granted"},
    "AppealFiled": {"course": "KJ2105", "module": "", "credit_points": 400, "due_on": "2021-10-12"},
    "ConversionOffered": {"course": "KJ2105", "module": "M1", "credit_points": 200, "until": "2021-09-28"},
    "DeadlineNear": {
        "course": "KJ2105",
        "module": "",
        "credit_points": 400,
        "step": "registry",
        "due_on": "2021-10-12",
    },
    "TrainingModuleExcused": {"module_name": "纳税申报", "class_hours": 16, "course": "KJ2105", "term": "2020-2021-1"},
    "TrainingExcuseWithdrawn": {
        "module_name": "纳税申报",
        "class_hours": 16,
        "reason_en": "the place is gone",
        "reason_zh": "已无名额",
    },
    "ExemptionWithdrawn": {"course": "KJ2105", "module": "", "reason_en": "taken back", "reason_zh": "已被收回"},
}


def news(event: str, **facts: Any) -> News:
    return News("cause-1", event, "ann", "ann", "smart-finance", Level.ELEMENTARY, NOW, FACTS[event] | facts)


def known(contact: Contact | None = ANN, points: dict[str, int] | None = None, scheme: str = "smart-finance") -> Known:
    return Known({"ann": contact} if contact else {}, {scheme: "智能财税"}, points or {})


def told(event: str, points: int | None = None, **facts: Any) -> Told:
    return Told(event, "智能财税", Level.ELEMENTARY, FACTS[event] | facts, points)


def test_each_piece_of_news_is_told_in_the_mailbox_and_by_email() -> None:
    for event in FACTS:
        in_box, by_mail = notices_of(news(event), known(), NOW)
        assert (in_box.channel, in_box.state) == (Channel.MAILBOX, NoticeState.DELIVERED)
        assert (by_mail.channel, by_mail.state) == (Channel.EMAIL, NoticeState.QUEUED)


def test_who_has_no_address_gets_no_email() -> None:
    assert len(notices_of(news("EnrolmentApproved"), known(Contact("ann", "ann", name="sealed")), NOW)) == 1


def test_an_email_waits_for_a_contact_and_then_for_the_schemes_name() -> None:
    assert notices_of(news("EnrolmentApproved"), known(None), NOW)[1].fact == "contact:ann"
    nameless = notices_of(news("EnrolmentApproved"), known(scheme="other"), NOW)[1]
    assert (nameless.state, nameless.fact) == (NoticeState.WAITING, "scheme:smart-finance")


def test_the_email_of_a_pass_waits_a_minute_for_its_points_and_not_when_they_are_here() -> None:
    assert notices_of(news("ResultPublicised"), known(), NOW)[1].due_at == NOW + timedelta(seconds=60)
    early = notices_of(news("ResultPublicised"), known(points={"cause-1": 200}), NOW)
    assert [one.points for one in early] == [200, 200]
    assert early[1].due_at == NOW
    assert notices_of(news("ResultPublicised", verdict="failed"), known(), NOW)[1].due_at == NOW


@pytest.mark.parametrize(
    ("event", "facts", "worth"),
    [
        ("ResultFinalised", {"verdict": "passed"}, False),
        ("ResultFinalised", {"verdict": "failed"}, True),
        ("ResultFinalised", {"verdict": "absent"}, True),
        ("CreditPosted", {"available_points": 0}, False),
        ("CreditPosted", {"available_points": -200}, True),
        ("CreditPosted", {"available_points": 200}, True),
        ("ResultPublicised", {"verdict": "absent"}, True),
    ],
)
def test_a_final_pass_is_told_by_its_credit_alone(event: str, facts: dict[str, Any], worth: bool) -> None:
    assert is_worth_telling(news(event, **facts)) is worth


def test_a_notice_has_one_id_for_cause_recipient_and_channel() -> None:
    names = {notice_id(*key) for key in product(("c1", "c2"), ("ann", "bo"), Channel)}
    assert len(names) == 8
    assert notice_id("c1", "ann", Channel.EMAIL) == notice_id("c1", "ann", Channel.EMAIL)


def test_an_erased_learner_is_told_nothing_that_can_be_read() -> None:
    (notice,) = notices_of(news("CertificateIssued"), known(Contact("ann", "ann", erased=True)), NOW)
    assert notice.news.facts == {}
    assert variant_of("CertificateIssued", {}, None) == "erased"


def test_a_persons_own_contact_counts_before_a_merged_one_unless_only_that_has_an_address() -> None:
    own, merged = Contact("ann", "ann", email="own"), Contact("old", "ann", email="old")
    assert contact_of([merged, own]) == own
    assert contact_of([Contact("ann", "ann", name="n"), merged]) == merged
    assert contact_of([]) is None


def test_pauses_grow_and_are_bounded() -> None:
    assert [pause_seconds(attempts) for attempts in (0, 1, 2, 5, 6, 7, 1000)] == [5, 10, 20, 160, 300, 300, 300]


@pytest.mark.parametrize(("points", "shown"), [(200, "2"), (250, "2.5"), (5, "0.05"), (0, "0"), (-350, "-3.5")])
def test_points_are_shown_as_credits(points: int, shown: str) -> None:
    assert credits_of(points) == shown


def test_every_text_can_be_said_in_both_languages() -> None:
    cases = [
        *(told(event) for event in FACTS),
        *(told("ResultPublicised", points=points) for points in (400, 0)),
        *(told("ResultPublicised", verdict=verdict, due_on="") for verdict in Verdict),
        *(told("ResultFinalised", verdict=verdict) for verdict in Verdict if verdict is not Verdict.PASSED),
        told("CreditPosted", available_points=-200),
        *(told("OutcomeCredited", kind=kind, level=max(levels)) for kind, levels in LEVEL_NAMES.items()),
        told("OutcomeCredited", kind="licence", level=5, available_points=-200),
        *(told("ConversionDecided", decision=one, reason_en="why", reason_zh="原因") for one in ("refused", "fallen")),
        told("ConversionDecided", decision="refused", reason_en="why", reason_zh="原因", appeal_until="2021-10-12"),
        *(
            told("ConversionDecided", decision=one, reason_en="why", reason_zh="原因", appeal="decided")
            for one in ("granted", "refused", "fallen")
        ),
        told("ExemptionWithdrawn", code="exemption_voided"),
        Told("CertificateIssued", "智能财税", Level.ELEMENTARY, {}),
    ]
    said = {variant_of(one.event, one.facts, one.points) for one in cases}
    assert said == {variant for variant, _ in TEXTS}
    for one, language in product(cases, Language):
        title, text = in_mailbox(one, language)
        subject, letter = by_email(one, language, "黄玉梅")
        assert title == subject
        assert all(words and "{" not in words and "None" not in words for words in (title, text, letter))


def test_an_email_names_nobody_in_full_and_holds_no_number_of_a_document_of_theirs() -> None:
    for event, language in product(FACTS, Language):
        _, letter = by_email(told(event), language, "黄玉梅")
        assert "黄玉梅" not in letter
        assert "黄**" in letter
        assert "A-17" not in letter
        assert "ZLZJ20210001" not in letter


def test_no_text_has_a_place_for_a_score() -> None:
    words = {
        word for text in TEXTS.values() for part in (text.mailbox, text.email) for word in re.findall(r"{(\w+)}", part)
    }
    assert words == {
        "name", "scheme", "level", "credits", "balance", "due_on", "admission_number", "session_date", "site",
        "certificate_number", "issued_on", "target", "until", "reason", "kind", "kind_level", "outcomes",
        "module_name", "class_hours", "course", "term",
        "appeal_until",
    }  # fmt: skip


def test_a_pass_shows_its_provisional_points_once_they_are_known() -> None:
    assert "正在记入" in in_mailbox(told("ResultPublicised"), Language.ZH)[1]
    assert "暂记 4 学分" in in_mailbox(told("ResultPublicised", points=400), Language.ZH)[1]
    assert "4 credits are provisional" in in_mailbox(told("ResultPublicised", points=400), Language.EN)[1]
    assert "adds no credits" in in_mailbox(told("ResultPublicised", points=0), Language.EN)[1]


def test_a_publicity_without_a_due_date_says_so() -> None:
    assert "另行通知" in in_mailbox(told("ResultPublicised", due_on=""), Language.ZH)[1]
