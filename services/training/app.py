"""Training's HTTP door."""

from __future__ import annotations

from chassis.recovering import recovering
from chassis.replaying import replaying
from chassis.resending import resending
from chassis.sheet.lives import submitted_rows
from chassis.sheet.routes import sheets_blueprint
from chassis.web.app import create_app
from chassis.workbench import workbench
from contracts.terms import Role
from services.training.classes import api as classes
from services.training.completions import api as completions
from services.training.completions.sheet import sheets
from services.training.courses import api as courses
from services.training.handlers import HANDLERS
from services.training.modules import api as modules
from services.training.settings import settings

LIFE_READERS = (Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
RECOVERING = recovering(readers=(Role.OPERATOR, Role.AUDITOR), deciders=(Role.OPERATOR,))
RESENDING = resending(askers=(Role.SERVICE,))
REPLAYING = replaying(HANDLERS, deciders=(Role.OPERATOR,))
LETTERS = workbench(HANDLERS, readers=(Role.OPERATOR, Role.AUDITOR), deciders=(Role.OPERATOR,))

given = settings()
taken = sheets(given.directory(), given.master())

app = create_app(
    "training",
    given,
    [
        classes.blp,
        completions.blp,
        courses.blp,
        modules.blp,
        sheets_blueprint(taken),
        LETTERS,
        RECOVERING,
        RESENDING,
        REPLAYING,
    ],
    title="OneX training",
    lives=[submitted_rows(taken), classes.life, completions.life, courses.life, modules.life],
    lives_for=LIFE_READERS,
)
