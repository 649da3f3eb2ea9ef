"""Notify's HTTP door."""

from __future__ import annotations

from chassis.web.app import create_app
from contracts.terms import Role
from services.notify.notices import api as notices
from services.notify.settings import settings

LIFE_READERS = (Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)

app = create_app("notify", settings(), [notices.blp], title="OneX notify", lives=[notices.life], lives_for=LIFE_READERS)
