"""The portal's pages, for learners and staff, in Chinese and English."""

from __future__ import annotations

from flask import Flask

from portal.pages import (
    applying,
    delegations,
    drafting,
    exports,
    frame,
    learner,
    letters,
    lives,
    outcomes,
    papers,
    planning,
    policies,
    proposals,
    proposing,
    reconciliations,
    report_columns,
    rescues,
    results,
    rules,
    sheets,
    signing,
    simulations,
    staff,
    why,
    worklist,
)


def register(app: Flask) -> None:
    """Hang the pages into the portal's application."""
    frame.dress(app)
    for room in (
        signing,
        learner,
        applying,
        planning,
        why,
        worklist,
        delegations,
        exports,
        drafting,
        rules,
        policies,
        proposals,
        proposing,
        reconciliations,
        report_columns,
        outcomes,
        simulations,
        rescues,
        staff,
        sheets,
        results,
        lives,
        letters,
        papers,
    ):
        app.register_blueprint(room.pages)
