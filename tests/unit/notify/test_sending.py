"""E-mails leave: claimed, sent to a real mail server, marked; and what happens when it says no or is away."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any, NoReturn

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from chassis import standing
from chassis.database import database
from chassis.errors import Transient
from chassis.seal import open_
from contracts.enrolment import LearnerChanged
from contracts.terms import LearnerKind
from services.notify.contacts.commands import prefer_language
from services.notify.contacts.domain import Language
from services.notify.notices import sender
from services.notify.notices.api import life
from services.notify.notices.commands import drop_held, release_held
from services.notify.notices.models import claim
from services.notify.notices.sender import MailServer, send_due
from tests.support.arrivals import arrival
from tests.support.engines import free_port
from tests.unit.notify import told

pytestmark = pytest.mark.usefixtures("mongo")


class Post:
    """A mail server's desk: keeps letters, and refuses addresses or hangs up on them as it is told."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.answers: dict[str, str] = {}
        self.hangs_up_on: dict[str, str] = {}
        self.calls: dict[object, list[str]] = {}  # by connection, whom its letters were for

    def recipients(self) -> list[str]:
        return sorted(str(letter["To"]) for letter in self.letters)

    async def handle_MAIL(  # noqa: N802 -- the library calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, mail_options: list[str]
    ) -> str:
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.mail_from = address
        return answer

    async def handle_RCPT(  # noqa: N802 -- the library calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        self.calls.setdefault(session.peer, []).append(address)
        if (when := self.hangs_up_on.get(address)) in GOODBYES:
            await hang_up(server, GOODBYES[when])
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802 -- the library calls it so
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        when = self.hangs_up_on.get(envelope.rcpt_tos[0])
        if when == "after the content":
            await hang_up(server)
        if when == "by silence":
            await asyncio.Event().wait()
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.letters.append(message)
        return "250 OK"


GOODBYES = {"after MAIL FROM": "", "with 421": "421 4.3.2 closing", "with 550": "550 5.1.1 no such user"}
HANG_UPS = {
    "after MAIL FROM": "hung_up",
    "within DATA": "hung_up",
    "after the content": "hung_up",
    "with 421": "smtp_421",
}


async def hang_up(server: SMTP, goodbye: str = "") -> NoReturn:
    """End the connection, with a last word or without one."""
    if goodbye:
        await server.push(goodbye)
    server.transport.close()
    raise ConnectionResetError


class Moody(SMTP):
    """A server that may hang up while it is being told a letter."""

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 -- the library calls it so
        if self.event_handler.hangs_up_on.get(self.envelope.rcpt_tos[0]) == "within DATA":
            await hang_up(self, "354 go on")
        await super().smtp_DATA(arg)


class PostOffice(Controller):
    def factory(self) -> SMTP:
        return Moody(self.handler, **self.SMTP_kwargs)


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def server(post: Post) -> Iterator[MailServer]:
    controller = PostOffice(post, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield MailServer("127.0.0.1", controller.port, "onex@college.example.cn")
    controller.stop()


def opener(sealed: Mapping[str, Mapping[str, str | None]]) -> dict[str, dict[str, str]]:
    """Open fields with the learners' keys, as the directory does."""
    return {
        learner: {
            name: open_(told.KEYS[learner], token, f"learner:{learner}:{name}")
            for name, token in fields.items()
            if token and learner in told.KEYS
        }
        for learner, fields in sealed.items()
    }


def time_passes() -> None:
    """Let every pause be over."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    database()["notices"].update_many({"state": "queued"}, {"$set": {"due_at": past}})


def state(learner: str = "ann") -> dict[str, Any]:
    (row,) = told.notices(channel="email", recipient=learner)
    return row


LEARNERS = ("ann", "bo", "cy", "old")


@pytest.fixture
def four_approved(mongo: str) -> None:
    """Four learners, each with an e-mail to be sent."""
    told.deliver(told.scheme(), *map(told.registered, LEARNERS), *map(told.approved, LEARNERS))


@pytest.fixture
def two_approved(mongo: str) -> None:
    """Ann and bo, each with an e-mail to be sent."""
    told.deliver(
        told.scheme(), told.registered("ann"), told.registered("bo"), told.approved("ann"), told.approved("bo")
    )


@pytest.mark.usefixtures("two_approved")
def test_a_due_email_is_sent_once(server: MailServer, post: Post) -> None:
    send_due(opener, server)
    send_due(opener, server)
    assert sorted(letter["To"] for letter in post.letters) == ["ann@example.cn", "bo@example.cn"]
    assert {row["state"] for row in told.notices(channel="email")} == {"sent"}
    assert state()["sent_at"] >= state()["queued_at"]


@pytest.mark.usefixtures("two_approved")
def test_a_letter_greets_a_masked_name_in_the_learners_language(server: MailServer, post: Post) -> None:
    prefer_language("bo", Language.EN)
    send_due(opener, server)
    letters = {str(letter["To"]): letter for letter in post.letters}
    chinese, english = letters["ann@example.cn"], letters["bo@example.cn"]
    assert str(chinese["Subject"]) == "报名已通过审核"
    assert chinese.get_content().startswith("黄**：你好！")
    assert "智能财税" in chinese.get_content()
    assert english.get_content().startswith("Dear 黄**,")
    assert (chinese["From"], chinese["Auto-Submitted"]) == ("onex@college.example.cn", "auto-generated")
    assert "黄玉梅" not in chinese.as_string() + chinese.get_content()


@pytest.mark.usefixtures("two_approved")
def test_a_round_that_died_is_sent_again_under_the_same_name(server: MailServer, post: Post) -> None:
    claim("a round that dies", 100, 60)
    send_due(opener, server)
    assert post.letters == []
    time_passes()
    send_due(opener, server)
    assert {str(letter["Message-ID"]) for letter in post.letters} == {
        f"<{row['_id']}@college.example.cn>" for row in told.notices(channel="email")
    }


@pytest.mark.usefixtures("two_approved")
def test_a_recipient_refused_for_good_is_marked_with_the_code_and_nothing_personal(
    server: MailServer, post: Post
) -> None:
    post.answers["ann@example.cn"] = "550 5.1.1 <ann@example.cn> no such user"
    send_due(opener, server)
    assert (state("ann")["state"], state("ann")["reason"]) == ("refused", "smtp_550")
    assert state("bo")["state"] == "sent"
    assert "ann@" not in str(told.notices())


@pytest.mark.usefixtures("two_approved")
def test_a_recipient_refused_for_now_is_tried_again_later_and_later(server: MailServer, post: Post) -> None:
    post.answers["ann@example.cn"] = "451 greylisted, come back"
    send_due(opener, server)
    assert (state()["state"], state()["attempts"]) == ("queued", 1)
    first = state()["due_at"] - datetime.now(UTC)
    time_passes()
    send_due(opener, server)
    assert first < timedelta(seconds=6) < state()["due_at"] - datetime.now(UTC)
    post.answers.clear()
    time_passes()
    send_due(opener, server)
    assert state()["state"] == "sent"


@pytest.mark.usefixtures("two_approved")
def test_a_mail_server_that_is_away_loses_nothing(post: Post) -> None:
    away = MailServer("127.0.0.1", free_port(), "onex@college.example.cn")
    for _ in range(3):
        time_passes()
        with pytest.raises(Transient):
            send_due(opener, away)
    assert {row["state"] for row in told.notices(channel="email")} == {"queued"}
    assert all("claim" not in row for row in told.notices())


@pytest.mark.usefixtures("four_approved")
@pytest.mark.parametrize("when", HANG_UPS)
@pytest.mark.parametrize("bad", LEARNERS)
def test_a_letter_at_which_the_server_hangs_up_holds_up_no_other(
    bad: str, when: str, server: MailServer, post: Post
) -> None:
    post.hangs_up_on[f"{bad}@example.cn"] = when
    send_due(opener, server)
    assert post.recipients() == [f"{learner}@example.cn" for learner in LEARNERS if learner != bad]
    assert {row["recipient"] for row in told.notices(state="sent")} == set(LEARNERS) - {bad}
    assert (state(bad)["state"], state(bad)["attempts"], state(bad)["reason"]) == ("queued", 1, HANG_UPS[when])
    assert "claim" not in state(bad)


@pytest.mark.usefixtures("four_approved")
def test_a_letter_at_which_the_server_falls_silent_holds_up_no_other(
    server: MailServer, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "SMTP_SECONDS", 1.0)
    post.hangs_up_on["bo@example.cn"] = "by silence"
    send_due(opener, server)
    assert post.recipients() == ["ann@example.cn", "cy@example.cn", "old@example.cn"]
    assert (state("bo")["state"], state("bo")["reason"]) == ("queued", "hung_up")


@pytest.mark.usefixtures("four_approved")
@pytest.mark.parametrize("bad", LEARNERS)
def test_a_server_that_hangs_up_once_it_has_refused_a_letter_is_called_again_for_the_others(
    bad: str, server: MailServer, post: Post
) -> None:
    post.hangs_up_on[f"{bad}@example.cn"] = "with 550"
    send_due(opener, server)
    assert len(post.letters) == 3
    assert (state(bad)["state"], state(bad)["reason"]) == ("refused", "smtp_550")


@pytest.mark.usefixtures("four_approved")
@pytest.mark.parametrize("bad", LEARNERS)
def test_a_letter_that_broke_its_connection_is_tried_after_the_others_on_one_of_its_own(
    bad: str, server: MailServer, post: Post
) -> None:
    post.hangs_up_on[f"{bad}@example.cn"] = "within DATA"
    send_due(opener, server)
    post.calls.clear()
    told.deliver(*map(told.candidate, set(LEARNERS) - {bad}))
    time_passes()
    send_due(opener, server)
    others, last = post.calls.values()
    assert sorted(others) == sorted(f"{learner}@example.cn" for learner in LEARNERS if learner != bad)
    assert last == [f"{bad}@example.cn"]
    assert len(post.letters) == 6


@pytest.mark.usefixtures("two_approved")
def test_a_letter_that_breaks_its_connections_rests_longer_each_time_and_is_shown_with_its_reason(
    server: MailServer, post: Post
) -> None:
    post.hangs_up_on["ann@example.cn"] = "within DATA"
    pauses = []
    for attempts in range(1, 5):
        time_passes()
        send_due(opener, server)
        pauses.append((state("ann")["due_at"] - datetime.now(UTC)).total_seconds())
        (step,) = (step for step in life(state("ann")["cause"]) if step["what"] == "e-mail queued")
        shown = {name: step["detail"][name] for name in ("state", "attempts", "reason")}
        assert shown == {"state": "queued", "attempts": attempts, "reason": "hung_up"}
    assert [round(pause) for pause in pauses] == [5, 10, 20, 40]
    post.hangs_up_on.clear()
    time_passes()
    send_due(opener, server)
    assert state("ann")["state"] == "sent"
    assert post.recipients() == ["ann@example.cn", "bo@example.cn"]


@pytest.mark.usefixtures("four_approved")
def test_a_server_that_hangs_up_on_everyone_is_left_alone_and_gets_all_later(server: MailServer, post: Post) -> None:
    post.hangs_up_on = dict.fromkeys((f"{learner}@example.cn" for learner in LEARNERS), "after MAIL FROM")
    with pytest.raises(Transient):
        send_due(opener, server)
    assert len(post.calls) == sender.HANG_UPS_IN_A_ROW
    assert sorted(row["reason"] for row in told.notices(channel="email")) == [*["hung_up"] * 3, "not_reached"]
    assert all("claim" not in row for row in told.notices())
    post.hangs_up_on.clear()
    time_passes()
    send_due(opener, server)
    assert post.recipients() == [f"{learner}@example.cn" for learner in LEARNERS]


@pytest.mark.usefixtures("four_approved")
def test_a_server_that_refuses_the_college_as_sender_costs_no_learner_a_letter(server: MailServer, post: Post) -> None:
    post.answers[server.sender] = "550 5.7.1 not from here"
    with pytest.raises(Transient):
        send_due(opener, server)
    assert sorted(row["reason"] for row in told.notices(state="queued")) == ["not_reached", *["smtp_550"] * 3]
    post.answers.clear()
    time_passes()
    send_due(opener, server)
    assert post.recipients() == [f"{learner}@example.cn" for learner in LEARNERS]


@pytest.mark.usefixtures("four_approved")
@pytest.mark.parametrize("good", LEARNERS)
def test_letters_that_break_their_connections_hold_up_none_that_did_so_once(
    good: str, server: MailServer, post: Post
) -> None:
    post.hangs_up_on = dict.fromkeys((f"{learner}@example.cn" for learner in LEARNERS), "after MAIL FROM")
    for _ in range(2):
        time_passes()
        with pytest.raises(Transient):
            send_due(opener, server)
    del post.hangs_up_on[f"{good}@example.cn"]
    for _ in range(2):
        time_passes()
        with suppress(Transient):
            send_due(opener, server)
    assert post.recipients() == [f"{good}@example.cn"]


@pytest.mark.usefixtures("two_approved")
def test_nothing_leaves_and_nothing_is_lost_while_enrolment_is_away(server: MailServer, post: Post) -> None:
    def away(sealed: Mapping[str, Mapping[str, str | None]]) -> dict[str, dict[str, str]]:
        raise Transient("enrolment does not answer")

    with pytest.raises(Transient):
        send_due(away, server)
    assert post.letters == []
    time_passes()
    send_due(opener, server)
    assert len(post.letters) == 2


def test_a_contact_that_cannot_be_opened_closes_no_other(server: MailServer, post: Post) -> None:
    strange = told.sealed("bo", name="陈晓岚", email="ann@example.cn")
    contact = arrival(told.LearnerRegistered(learner_id="ann", kind=LearnerKind.STUDENT, **strange), 1)
    told.deliver(told.scheme(), contact, told.registered("bo"), told.approved("ann"), told.approved("bo"))
    send_due(opener, server)
    assert (state("ann")["state"], state("ann")["reason"]) == ("refused", "contact_closed")
    assert state("bo")["state"] == "sent"


def test_a_destroyed_key_closes_the_contact_for_good(server: MailServer, post: Post) -> None:
    told.deliver(told.scheme(), told.registered("ann"), told.approved("ann"))
    send_due(lambda sealed: {learner: {} for learner in sealed}, server)
    assert (state()["state"], state()["reason"]) == ("refused", "contact_closed")


@pytest.mark.parametrize("address", ["nowhere", "ann@example.cn\r\nBcc: all@example.cn", "a@b.cn, c@d.cn", "@", "ann@"])
def test_an_address_that_is_none_harms_nobody(address: str, server: MailServer, post: Post) -> None:
    told.deliver(told.scheme(), told.registered("ann", email=address), told.registered("bo"))
    told.deliver(told.approved("ann"), told.approved("bo"))
    send_due(opener, server)
    assert state("ann")["state"] == "refused"
    assert [str(letter["To"]) for letter in post.letters] == ["bo@example.cn"]


def test_an_address_given_up_meanwhile_gets_nothing(server: MailServer, post: Post) -> None:
    told.deliver(told.scheme(), told.registered("ann"), told.approved("ann"))
    fields = told.sealed("ann", name="黄玉梅")
    told.deliver(arrival(LearnerChanged(learner_id="ann", kind=LearnerKind.STUDENT, **fields), 3))
    send_due(opener, server)
    assert (state()["state"], state()["reason"]) == ("refused", "no_address")
    assert post.letters == []


def test_a_pass_whose_points_never_come_is_told_without_them(server: MailServer, post: Post) -> None:
    told.deliver(told.scheme(), told.registered("ann"), told.publicised("ann", seq=1))
    send_due(opener, server)
    assert post.letters == []
    time_passes()
    send_due(opener, server)
    assert "正在记入账户" in post.letters[0].get_content()


def test_a_round_is_bounded_and_says_that_there_is_more(
    server: MailServer, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "ROUND", 2)
    told.deliver(told.scheme(), told.registered("ann"))
    told.deliver(told.approved("ann"), told.candidate("ann"), told.certified("ann", seq=2))
    assert send_due(opener, server) is True
    assert len(post.letters) == 2
    assert send_due(opener, server) is False
    assert len(post.letters) == 3


@pytest.mark.usefixtures("two_approved")
def test_what_may_have_left_before_a_set_back_is_held_for_an_operator(server: MailServer, post: Post) -> None:
    standing.hold_back(datetime.now(UTC))
    told.deliver(told.candidate("ann"))  # both were announced in 2021
    send_due(opener, server)
    assert post.letters == []
    assert {row["state"] for row in told.notices(channel="email")} == {"held"}
    assert {row["state"] for row in told.notices(channel="mailbox")} == {"delivered"}
    first, second, third = [row["_id"] for row in told.notices(state="held")]
    assert release_held([first], "op") == 1
    assert drop_held([first, second], "op") == 1
    send_due(opener, server)
    send_due(opener, server)
    stood = {row["_id"]: (row["state"], row.get("reason")) for row in told.notices(channel="email")}
    assert stood == {
        first: ("sent", None),
        second: ("refused", "told_before_the_set_back"),
        third: ("held", None),
    }
    assert len(post.letters) == 1


@pytest.mark.usefixtures("two_approved")
def test_a_replay_that_another_process_has_just_begun_lets_no_email_leave_again(server: MailServer, post: Post) -> None:
    assert standing.again_before() == standing.NEVER  # as this worker saw it, less than a second ago
    database()["standing"].insert_one({"_id": "service", "state": "sound", "again_before": datetime.now(UTC)})
    send_due(opener, server)
    assert post.letters == []
    assert {row["state"] for row in told.notices(channel="email")} == {"held"}


@pytest.mark.usefixtures("two_approved")
def test_what_is_read_again_while_a_round_begins_does_not_leave_with_it(
    server: MailServer, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    standing.hold_back(datetime.now(UTC))
    hold = sender.models.hold

    def hold_before_more_comes(before: datetime) -> None:
        hold(before)
        told.deliver(told.candidate("ann"))

    monkeypatch.setattr(sender.models, "hold", hold_before_more_comes)
    send_due(opener, server)
    assert post.letters == []
    assert told.notices(channel="email", state="queued"), "it came after those before it were held"
