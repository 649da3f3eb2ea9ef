"""The application that a real gunicorn serves in a test; its database is named by the environment."""

from __future__ import annotations

import os

from chassis.web.app import create_app
from tests.chassis.web.conftest import blueprint, settings
from tests.chassis.web.tokens import TestIssuer

app = create_app(
    "things", settings(os.environ["MONGO"], "test_served"), [blueprint()], title="Things", trust=TestIssuer()
)
