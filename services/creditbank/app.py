"""The credit bank's HTTP door."""

from __future__ import annotations

from chassis.recovering import recovering
from chassis.replaying import replaying
from chassis.resending import resending
from chassis.sheet.lives import submitted_rows
from chassis.sheet.routes import sheets_blueprint
from chassis.sheet.saving import tables_blueprint
from chassis.web.app import create_app
from chassis.workbench import workbench
from contracts.terms import Role
from services.creditbank.accounts import api as accounts
from services.creditbank.conversion import api as conversion
from services.creditbank.conversion.forgotten import ANNOUNCED
from services.creditbank.conversion.queries import next_due
from services.creditbank.handlers import HANDLERS
from services.creditbank.ledger import api as ledger
from services.creditbank.ledger.queries import life_of
from services.creditbank.outcomes import api as outcomes
from services.creditbank.papers import api as papers
from services.creditbank.papers.desk import carry
from services.creditbank.planning import api as planning
from services.creditbank.proposals import api as proposals
from services.creditbank.recognition import api as recognition
from services.creditbank.reconciliation import api as reconciliation
from services.creditbank.reconciliation.queries import steps_by_cause
from services.creditbank.settings import settings
from services.creditbank.sheets import sheets
from services.creditbank.simulations import api as simulations
from services.creditbank.tables import TABLES
from services.creditbank.why import api as why

RECOVERING = recovering(readers=(Role.OPERATOR, Role.AUDITOR), deciders=(Role.OPERATOR,), holding_up=tuple(ANNOUNCED))
RESENDING = resending(askers=(Role.SERVICE,))
REPLAYING = replaying(HANDLERS, deciders=(Role.OPERATOR,))
LETTERS = workbench(HANDLERS, (Role.OPERATOR, Role.AUDITOR), deciders=(Role.OPERATOR,), due_of=next_due)
BLUEPRINTS = [
    ledger.blp,
    accounts.blp,
    recognition.blp,
    proposals.blp,
    conversion.blp,
    simulations.blp,
    papers.blp,
    outcomes.blp,
    why.blp,
    planning.blp,
    reconciliation.blp,
    LETTERS,
    RECOVERING,
    RESENDING,
    REPLAYING,
]
LIFE_READERS = (Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)

given = settings()
taken = sheets(given.directory(), given.master(), given.old_outcome_days)

app = create_app(
    "creditbank",
    given,
    [*BLUEPRINTS, tables_blueprint(TABLES), sheets_blueprint(taken)],
    title="OneX credit bank",
    lives=[submitted_rows(taken), outcomes.life, life_of, steps_by_cause],
    lives_for=LIFE_READERS,
)
carry(app, given.desk())
outcomes.carry(app, given.old_outcome_days)
