"""The credit bank's HTTP door."""

from __future__ import annotations

from chassis.recovering import recovering
from chassis.replaying import replaying
from chassis.resending import resending
from chassis.web.app import create_app
from chassis.workbench import workbench
from contracts.terms import Role
from services.creditbank.conversion import api as conversion
from services.creditbank.conversion.queries import next_due
from services.creditbank.handlers import HANDLERS
from services.creditbank.ledger import api as ledger
from services.creditbank.ledger.queries import life_of
from services.creditbank.papers import api as papers
from services.creditbank.papers.desk import carry
from services.creditbank.proposals import api as proposals
from services.creditbank.recognition import api as recognition
from services.creditbank.settings import settings
from services.creditbank.why import api as why

RECOVERING = recovering(readers=(Role.OPERATOR, Role.AUDITOR), deciders=(Role.OPERATOR,))
RESENDING = resending(askers=(Role.SERVICE,))
REPLAYING = replaying(HANDLERS, deciders=(Role.OPERATOR,))
LETTERS = workbench(HANDLERS, (Role.OPERATOR, Role.AUDITOR), deciders=(Role.OPERATOR,), due_of=next_due)
BLUEPRINTS = [
    ledger.blp,
    recognition.blp,
    proposals.blp,
    conversion.blp,
    papers.blp,
    why.blp,
    LETTERS,
    RECOVERING,
    RESENDING,
    REPLAYING,
]
LIFE_READERS = (Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)

app = create_app(
    "creditbank", settings(), BLUEPRINTS, title="OneX credit bank", lives=[life_of], lives_for=LIFE_READERS
)
carry(app, settings().desk())
