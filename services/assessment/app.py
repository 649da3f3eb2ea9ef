"""Assessment's HTTP door."""

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
from contracts.terms import Role
from services.assessment.catalogue import api as catalogue
from services.assessment.certificates import api as certificates
from services.assessment.certificates.queries import steps_by_cause as certificates_by_cause
from services.assessment.certificates.sheet import sheets
from services.assessment.handlers import HANDLERS
from services.assessment.plans import api as plans
from services.assessment.plans.queries import steps_by_cause as candidates_by_cause
from services.assessment.results import api as results
from services.assessment.results.queries import steps_by_cause as results_by_cause
from services.assessment.settings import AssessmentSettings, settings

BLUEPRINTS = (catalogue.blp, plans.blp, results.blp, certificates.blp)
LIFE_READERS = (Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
RECOVERING = recovering(readers=(Role.OPERATOR, Role.AUDITOR), deciders=(Role.OPERATOR,))
RESENDING = resending(askers=(Role.SERVICE,))
REPLAYING = replaying(HANDLERS, deciders=(Role.OPERATOR,))
LETTERS = workbench(HANDLERS, readers=(Role.OPERATOR, Role.AUDITOR), deciders=(Role.OPERATOR,))


def assessment(given: AssessmentSettings, **more: Any) -> Flask:
    """The application these settings describe; `more` goes to `create_app`."""
    taken = sheets(given.directory(), given.master())
    return create_app(
        "assessment",
        given,
        [*BLUEPRINTS, sheets_blueprint(taken), LETTERS, RECOVERING, RESENDING, REPLAYING],
        title="OneX assessment",
        lives=[submitted_rows(taken), candidates_by_cause, results_by_cause, certificates_by_cause],
        lives_for=LIFE_READERS,
        **more,
    )


app = assessment(settings())
