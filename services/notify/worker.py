"""Notify's worker: keeps contacts, queues notices, sends e-mails."""

from __future__ import annotations

from functools import partial

from chassis.worker import run
from contracts.language import TYPES
from services.notify.handlers import HANDLERS
from services.notify.jobs import jobs
from services.notify.notices.sender import MailServer
from services.notify.settings import settings

PURPOSE = "notice by e-mail"

if __name__ == "__main__":
    given = settings()
    server = MailServer(given.smtp_host, given.smtp_port, given.mail_from)
    opener = partial(given.directory().open_fields, purpose=PURPOSE)
    run("notify", given, HANDLERS, jobs(opener, server), TYPES)
