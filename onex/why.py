"""Why an account's numbers are what they are, at the terminal: the credit bank's chain, a sentence a line."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.markup import escape

from onex.operator import Operator
from onex.stack.addresses import Running

DEPTH = {"balance": 0, "holding": 1, "application": 1}  # how far a link is moved in; all others by two


def explain(running: Running, console: Console, learner: str, language: str, as_json: bool, **question: Any) -> None:
    """Print the chain behind a balance, an entry or an application; `as_json` with its facts and its proof."""
    asked = {name: value for name, value in question.items() if value}
    found = Operator(running).get("creditbank", f"/accounts/{learner}/why", **asked)
    if as_json:
        console.print(json.dumps(found, ensure_ascii=False), markup=False, soft_wrap=True)
        return
    for link in found["chain"]:
        console.print("  " * DEPTH.get(link["kind"], 2) + escape(link[language]), soft_wrap=True)
    if not found["is_whole"]:
        console.print("There are older entries than these; ask for one with --entry NUMBER.")
