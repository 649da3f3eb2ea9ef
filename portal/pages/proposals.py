"""Proposals to recognise otherwise: who would gain and who would lose, drawn and told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, request, url_for

from chassis.sheet.write import XLSX
from contracts.terms import Role
from portal.pages.asking import FILE_SECONDS, address, ask, scheme_names
from portal.pages.conversions import BANK, Found
from portal.pages.frame import Page, signed_in
from portal.pages.rules import DECIDERS, READERS

pages = Blueprint("proposals", __name__)
SHOWN = 20
MOST_BARS = 24  # of one drawing; the table has all
ROW, HALF = 44, 220  # of a drawing, in its own units: a row's height, the longest bar


@pages.route("/proposals")
@signed_in(*READERS)
def shelf() -> Page:
    """All proposals, the newest first."""
    page = ask(BANK).get("/recognition-proposals", cursor=request.args.get("cursor"), limit=SHOWN)
    return render_template("proposals.html", page=page, schemes=scheme_names())


@pages.route("/proposals/<int:number>")
@signed_in(*READERS)
def proposal(number: int) -> Page:
    """A proposal and what its latest simulation found."""
    found = ask(BANK).get(address("recognition-proposals", str(number)))
    simulation = found["simulation"]
    return render_template(
        "proposal.html",
        one=found,
        simulation=simulation,
        drawing=drawing_of(simulation["groups"]) if simulation else None,
        may_ask=bool(set(DECIDERS) & set(g.person.roles)) and found["state"] in {"draft", "simulated", "approved"},
        schemes=scheme_names(),
    )


@pages.route("/proposals/<int:number>/simulations", methods=["POST"])
@signed_in(Role.REGISTRY, Role.OPERATOR)
def simulate(number: int) -> Page:
    """Have it simulated for every account, in the background."""
    ask(BANK).post(address("recognition-proposals", str(number), "simulations"))
    return redirect(url_for("proposals.proposal", number=number))


@pages.route("/proposals/<int:number>/simulation.xlsx")
@signed_in(*READERS)
def sheet(number: int) -> Page:
    """Every holding that would change, as a sheet."""
    path = address("recognition-proposals", str(number), "simulation.xlsx")
    answer = Response(ask(BANK, FILE_SECONDS).download(path), content_type=XLSX)
    answer.headers["Content-Disposition"] = f'attachment; filename="simulation-{number}.xlsx"'
    return answer


def drawing_of(groups: Sequence[Found]) -> dict[str, Any]:
    """Bars of what is gained to the right and what is lost to the left of a line, the largest first."""
    shown = sorted(groups, key=lambda one: -(one["gained_points"] + one["lost_points"]))[:MOST_BARS]
    most = max((max(one["gained_points"], one["lost_points"]) for one in shown), default=0) or 1
    bars = [
        {
            "scheme": one["scheme"],
            "level": one["level"],
            "top": at * ROW,
            "gained": one["gained_points"],
            "lost": one["lost_points"],
            "right": round(one["gained_points"] * HALF / most, 1),
            "left": round(one["lost_points"] * HALF / most, 1),
        }
        for at, one in enumerate(shown)
    ]
    return {"bars": bars, "height": len(bars) * ROW, "half": HALF, "is_cut": len(groups) > len(shown)}
