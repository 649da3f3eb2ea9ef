"""Enrolment's HTTP door."""

from __future__ import annotations

from typing import Any

from flask import Flask

from chassis.recovering import recovering
from chassis.replaying import replaying
from chassis.resending import resending
from chassis.sheet.lives import submitted_rows
from chassis.sheet.routes import sheets_blueprint
from chassis.web.app import create_app
from chassis.workbench import workbench
from contracts.enrolment import LearnerErased
from contracts.terms import Role
from services.enrolment.applications import api as applications
from services.enrolment.applications.queries import steps
from services.enrolment.applications.roster import sheets
from services.enrolment.calendar import api as calendar
from services.enrolment.handlers import HANDLERS
from services.enrolment.learners import api as learners
from services.enrolment.learners.keyring import Keyring, carry
from services.enrolment.programmes import api as programmes
from services.enrolment.settings import EnrolmentSettings, settings

BLUEPRINTS = (learners.blp, programmes.blp, calendar.blp, applications.blp)
LIFE_READERS = (Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
RECOVERING = recovering(
    readers=(Role.OPERATOR, Role.AUDITOR), deciders=(Role.OPERATOR,), holding_up=(LearnerErased.__name__,)
)
RESENDING = resending(askers=(Role.SERVICE,))
REPLAYING = replaying(HANDLERS, deciders=(Role.OPERATOR,))
LETTERS = workbench(HANDLERS, readers=(Role.OPERATOR, Role.AUDITOR), deciders=(Role.OPERATOR,))


def enrolment(given: EnrolmentSettings, **more: Any) -> Flask:
    """The application these settings describe; `more` goes to `create_app`."""
    keyring = Keyring.of(given.seal_key, given.pepper)
    taken = sheets(keyring)
    made = create_app(
        "enrolment",
        given,
        [*BLUEPRINTS, sheets_blueprint(taken), LETTERS, RECOVERING, RESENDING, REPLAYING],
        title="OneX enrolment",
        lives=[steps, submitted_rows(taken)],
        lives_for=LIFE_READERS,
        **more,
    )
    carry(made, keyring)
    return made


app = enrolment(settings())
