"""Notify's HTTP door."""

from __future__ import annotations

from chassis.recovering import recovering
from chassis.replaying import replaying
from chassis.resending import resending
from chassis.web.app import create_app
from chassis.workbench import workbench
from contracts.terms import Role
from services.notify.handlers import HANDLERS
from services.notify.notices import api as notices
from services.notify.settings import settings

LIFE_READERS = (Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
RECOVERING = recovering(readers=(Role.OPERATOR, Role.AUDITOR), deciders=(Role.OPERATOR,))
RESENDING = resending(askers=(Role.SERVICE,))
REPLAYING = replaying(HANDLERS, deciders=(Role.OPERATOR,))
LETTERS = workbench(HANDLERS, readers=(Role.OPERATOR, Role.AUDITOR), deciders=(Role.OPERATOR,))

BLUEPRINTS = [notices.blp, LETTERS, RECOVERING, RESENDING, REPLAYING]

app = create_app("notify", settings(), BLUEPRINTS, title="OneX notify", lives=[notices.life], lives_for=LIFE_READERS)
