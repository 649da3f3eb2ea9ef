"""Send due e-mails: claim, send, mark, outside any transaction.

A crash between sending and marking sends one e-mail again, under the same Message-ID. An e-mail at which the mail
server hangs up is from then on tried after the others, on a connection of its own.
"""

from __future__ import annotations

import smtplib
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from prometheus_client import Counter

from chassis import standing
from chassis.database import Row
from chassis.errors import Transient
from chassis.seal import SealBroken
from chassis.watch import log
from chassis.web.client import Answered
from services.notify.contacts.domain import Contact, Language
from services.notify.contacts.queries import contacts_of, languages_of
from services.notify.notices import models
from services.notify.notices.queries import told_of
from services.notify.notices.texts import Told, by_email

EMAILS = Counter("onex_emails_total", "E-mails tried, by what became of them.", ["outcome"])
ROUND = 100  # e-mails
ROUND_SECONDS = 15.0  # after that a round gives the rest back, well before its claim ends
CLAIM_SECONDS = 120
SMTP_SECONDS = 10.0
HANG_UPS_IN_A_ROW = 3  # after so many the trouble is the server's, not a letter's
CLOSING = 421  # the answer before a server hangs up

Fields = Mapping[str, str | None]
Opener = Callable[[Mapping[str, Fields]], Mapping[str, Mapping[str, str]]]


@dataclass(frozen=True)
class MailServer:
    host: str
    port: int
    sender: str

    @property
    def domain(self) -> str:
        return self.sender.rpartition("@")[2] or "localhost"


@dataclass(frozen=True)
class Letter:
    row: Row
    address: str
    message: EmailMessage

    @property
    def hang_ups(self) -> int:
        """How many connections it broke."""
        return int(self.row.get("hang_ups", 0))


class Unreachable(Exception):
    """An e-mail that nobody will ever take; its reason holds no personal value."""


def send_due(opener: Opener, server: MailServer) -> bool:
    """Send the e-mails that are due, at most a hundred; True when there may be more.

    What was announced before the database was set back may have left already: it is held for an operator. `opener`
    opens learners' sealed fields by enrolment's audited route; what it has no key for it leaves out. Transient when it
    or the mail server is away.
    """
    round_id = uuid.uuid4().hex
    taken = models.claim(round_id, ROUND, CLAIM_SECONDS)
    models.hold(standing.again_before())  # asked after they were taken: what a replay queues comes after its own word
    if not (claimed := models.claimed_rows(round_id, taken)):
        return len(taken) == ROUND
    try:
        letters, refused = _write_letters(claimed, opener, server)
    except (Transient, Answered):
        models.put_back(round_id, claimed, "contacts_closed")
        raise
    _refuse(round_id, refused)
    _deliver(round_id, letters, server)
    return len(taken) == ROUND


def _write_letters(rows: Sequence[Row], opener: Opener, server: MailServer) -> tuple[list[Letter], dict[str, str]]:
    """Letters, and reasons for those that can't be written."""
    contacts = contacts_of(row["mailbox"] for row in rows)
    languages = languages_of(row["mailbox"] for row in rows)
    opened = _open([contact for contact in contacts.values() if contact.email], opener)
    letters, refused = [], {}
    for row, told in zip(rows, told_of(rows), strict=True):
        try:
            name, address = _reached(contacts.get(row["mailbox"]), opened)
            message = _compose(row["_id"], told, languages[row["mailbox"]], name, address, server)
            letters.append(Letter(row, address, message))
        except Unreachable as reason:
            refused[row["_id"]] = str(reason)
    return letters, refused


def _open(contacts: Sequence[Contact], opener: Opener) -> Mapping[str, Mapping[str, str]]:
    """Names and addresses in clear, for as long as letters are written. One broken seal closes no other contact."""
    sealed = {contact.learner_id: {"name": contact.name, "email": contact.email} for contact in contacts}
    try:
        return opener(sealed) if sealed else {}
    except SealBroken:
        if len(contacts) == 1:
            return {}
    return {learner_id: fields for contact in contacts for learner_id, fields in _open([contact], opener).items()}


def _reached(contact: Contact | None, opened: Mapping[str, Mapping[str, str]]) -> tuple[str, str]:
    if contact is None or not contact.email:
        raise Unreachable("no_address")
    fields = opened.get(contact.learner_id, {})
    if "email" not in fields:
        raise Unreachable("contact_closed")
    return fields.get("name", ""), fields["email"]


def _compose(
    notice_id: str, told: Told, language: Language, name: str, address: str, server: MailServer
) -> EmailMessage:
    subject, text = by_email(told, language, name)
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject
    message["From"] = server.sender
    try:
        message["To"] = Address(addr_spec=address)
    except (ValueError, IndexError, MessageError):
        raise Unreachable("address_unusable") from None
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{notice_id}@{server.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = language
    message.set_content(text + "\n")
    return message


def _deliver(round_id: str, letters: Sequence[Letter], server: MailServer) -> None:
    """Hand letters to the mail server one by one; those it did not get to are tried again later."""
    left = deque(sorted(letters, key=lambda one: one.hang_ups))
    try:
        with ExitStack() as line:
            _hand_over_all(round_id, line, server, left)
    except OSError as error:
        raise Transient(f"mail server: {type(error).__name__}") from error
    finally:
        models.put_back(round_id, [letter.row for letter in left], "not_reached")
        EMAILS.labels("put_back").inc(len(left))


def _hand_over_all(round_id: str, line: ExitStack, server: MailServer, left: deque[Letter]) -> None:
    """Send from the front until none is left or the round has taken long enough.

    Letters share a connection until it breaks; one that broke its connection before has the next one for itself.
    Transient when the server hangs up on one letter after the other.
    """
    until = time.monotonic() + ROUND_SECONDS
    smtp, in_a_row = None, 0
    while left and time.monotonic() < until:
        if smtp is None or smtp.sock is None or left[0].hang_ups:
            smtp = _call(line, server)
        in_a_row = 0 if _hand_over(round_id, smtp, left[0]) else in_a_row + 1
        left.popleft()
        if in_a_row == HANG_UPS_IN_A_ROW:
            raise Transient("mail server: hangs up on one letter after the other")


def _call(line: ExitStack, server: MailServer) -> smtplib.SMTP:
    """A new connection in place of the one before."""
    line.close()
    smtp = line.enter_context(smtplib.SMTP(server.host, server.port, timeout=SMTP_SECONDS))
    smtp.ehlo_or_helo_if_needed()
    return smtp


def _hand_over(round_id: str, smtp: smtplib.SMTP, letter: Letter) -> bool:
    """Send one letter and mark what became of it; False when the server hung up on it or refused its sender."""
    try:
        smtp.send_message(letter.message, to_addrs=[letter.address])
    except (smtplib.SMTPNotSupportedError, UnicodeError):
        _refuse(round_id, {letter.row["_id"]: "address_unusable"})
    except OSError as error:
        code = _code_of(error)
        if code == CLOSING or not isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError):
            smtp.close()
            _mark_hung_up(round_id, letter.row, f"smtp_{code}" if code else "hung_up")
            return False
        _mark_rejected(round_id, letter.row, code)
    else:
        models.mark_sent(round_id, [letter.row["_id"]])
        EMAILS.labels("sent").inc()
    return True


def _code_of(error: OSError) -> int:
    """What the server answered; 0 when it said nothing any more."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max(int(code) for code, _ in error.recipients.values())
    return int(error.smtp_code) if isinstance(error, smtplib.SMTPResponseException) else 0


def _mark_rejected(round_id: str, row: Row, code: int) -> None:
    """A 5xx answer is for good, any other for now. The server's own words may hold the address and are not kept."""
    if code >= 500:
        _refuse(round_id, {row["_id"]: f"smtp_{code}"})
    else:
        models.put_back(round_id, [row], f"smtp_{code}")
        EMAILS.labels("put_back").inc()


def _mark_hung_up(round_id: str, row: Row, reason: str) -> None:
    """It is tried again later, after the others, whether it was the letter's fault or the server's."""
    models.put_back(round_id, [row], reason, hang_ups=1)
    EMAILS.labels("hung_up").inc()
    log.warning(
        "the mail server hung up on an e-mail",
        notice=row["_id"],
        cause=row["cause"],
        reason=reason,
        attempts=row["attempts"],
    )


def _refuse(round_id: str, reasons: Mapping[str, str]) -> None:
    models.mark_refused(round_id, reasons)
    EMAILS.labels("refused").inc(len(reasons))
    for notice_id, reason in reasons.items():
        log.warning("an e-mail was refused for good", notice=notice_id, reason=reason)
