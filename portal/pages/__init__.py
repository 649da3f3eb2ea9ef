"""The portal's pages, for learners and staff, in Chinese and English."""

from __future__ import annotations

from flask import Flask

from portal.pages import (
    applying,
    exports,
    frame,
    learner,
    letters,
    lives,
    papers,
    planning,
    proposals,
    rescues,
    results,
    rules,
    sheets,
    signing,
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
        exports,
        rules,
        proposals,
        rescues,
        staff,
        sheets,
        results,
        lives,
        letters,
        papers,
    ):
        app.register_blueprint(room.pages)
