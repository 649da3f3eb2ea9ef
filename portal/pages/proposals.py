"""Proposals to recognise otherwise: who would gain and who would lose, drawn and told."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, request, url_for

from chassis.sheet.write import XLSX
from chassis.web.client import Answered
from portal.pages.asking import FILE_SECONDS, address, ask, scheme_names, source_names
from portal.pages.conversions import BANK, Found
from portal.pages.drawings import drawn
from portal.pages.forms import attempt
from portal.pages.frame import Page, signed_in
from portal.pages.rules import DECIDERS, READERS

pages = Blueprint("proposals", __name__)
SHOWN = 20
POINTS = ("gained_points", "lost_points")
APPROVALS = 2
STATES = ("draft", "simulating", "simulated", "approved", "under_way", "carried_out", "withdrawn")
ROAD = ("draft", "simulated", "approved", "carried_out")  # what a proposal passes when nothing goes wrong
ON_THE_WAY = {"simulating": "draft", "under_way": "approved"}  # to which of these it has come meanwhile
BUSY = ("simulating", "under_way")
# What a proposal in a state leaves to be done, by people.
DEEDS: dict[str, tuple[str, ...]] = {
    "draft": ("simulation", "edit", "withdrawal"),
    "simulating": ("edit", "withdrawal"),
    "simulated": ("approval", "simulation", "edit", "withdrawal"),
    "approved": ("enactment", "simulation", "edit", "withdrawal"),
}
TOLD = ("made", "edited", "simulation", "approval", "enactment", "withdrawal")


@pages.route("/proposals")
@signed_in(*READERS)
def shelf() -> Page:
    """All proposals, the newest first, or those in a state."""
    state = request.args.get("state")
    state = state if state in STATES else None
    page = ask(BANK).get("/recognition-proposals", cursor=request.args.get("cursor"), limit=SHOWN, state=state)
    return render_template(
        "proposals.html", page=page, schemes=titles(), states=STATES, state=state, may_draft=may_decide()
    )


@pages.route("/proposals/<int:number>")
@signed_in(*READERS)
def proposal(number: int) -> Page:
    """A proposal, what its latest simulation found, and what may be done next."""
    return proposal_page(number)


@pages.route("/proposals/<int:number>/live")
@signed_in(*READERS)
def proposal_live(number: int) -> Page:
    """The part that refreshes itself while it is simulated or carried out; afterwards, the page as it is then."""
    one = proposal_at(number)
    if one["state"] not in BUSY:
        return redirect(url_for("proposals.proposal", number=number))
    return render_template("proposal_live.html", one=one)


@pages.route("/proposals/<int:number>/simulations", methods=["POST"])
@signed_in(*DECIDERS)
def simulate(number: int) -> Page:
    """Have it simulated for every account, in the background."""
    return taken_on(number, "simulation", lambda path: ask(BANK).post(f"{path}/simulations"))


@pages.route("/proposals/<int:number>/approvals", methods=["POST"])
@signed_in(*DECIDERS)
def approve(number: int) -> Page:
    """Approve it, having looked at the simulation that the form names."""
    body = {"simulation": request.form.get("simulation", 0, type=int)}
    return taken_on(number, "approval", lambda path: ask(BANK).post(f"{path}/approvals", body))


@pages.route("/proposals/<int:number>/enactment", methods=["POST"])
@signed_in(*DECIDERS)
def enact(number: int) -> Page:
    """Carry out what two people approved."""
    return taken_on(number, "enactment", lambda path: ask(BANK).post(f"{path}/enactment"))


@pages.route("/proposals/<int:number>/withdrawal", methods=["POST"])
@signed_in(*DECIDERS)
def withdraw(number: int) -> Page:
    """Take it back."""
    return taken_on(number, "withdrawal", lambda path: ask(BANK).delete(path))


def taken_on(number: int, deed: str, ask_for: Callable[[str], Any]) -> Page:
    """Move a proposal on; what the bank refuses is said on its page."""
    told = attempt(lambda: ask_for(address("recognition-proposals", str(number))))
    if isinstance(told, Answered):
        return proposal_page(number, told.detail), HTTPStatus(told.status)
    return redirect(url_for("proposals.proposal", number=number, done=deed))


def proposal_page(number: int, refusal: str = "") -> str:
    """The page of one proposal."""
    one, done = proposal_at(number), request.args.get("done", "")
    simulation = one["simulation"]
    return render_template(
        "proposal.html",
        one=one,
        simulation=simulation,
        drawing=drawn(simulation["groups"], *POINTS) if simulation else None,
        by_programme=drawn(simulation["programmes"], *POINTS) if simulation else None,
        deeds=deeds_for(one),
        may_decide=may_decide(),
        has_approved=has_approved(one),
        needed=APPROVALS,
        road=ROAD,
        at=place_on_road(one["state"]),
        is_busy=one["state"] in BUSY,
        schemes=titles(),
        refusal=refusal,
        done=done if done in TOLD else "",
    )


def proposal_at(number: int) -> Found:
    """A proposal as the bank has it."""
    found: Found = ask(BANK).get(address("recognition-proposals", str(number)))
    return found


def titles() -> dict[str, str]:
    """What certificates and other sources are called, by code."""
    return scheme_names() | source_names()


def may_decide() -> bool:
    """Whether the person signed in makes proposals and decides about them."""
    return bool(set(DECIDERS) & set(g.person.roles))


def has_approved(one: Found) -> bool:
    """Whether the person signed in has approved it as it stands."""
    return g.person.name in {each["by"] for each in one["approvals"]}


def deeds_for(one: Found) -> list[str]:
    """What the person signed in may do to a proposal next; who has approved it leaves that to another."""
    if not may_decide():
        return []
    return [deed for deed in DEEDS.get(one["state"], ()) if deed != "approval" or not has_approved(one)]


def place_on_road(state: str) -> int:
    """How far a proposal has come; nowhere when it was taken back."""
    reached = ON_THE_WAY.get(state, state)
    return ROAD.index(reached) if reached in ROAD else -1


@pages.route("/proposals/<int:number>/simulation.xlsx")
@signed_in(*READERS)
def sheet(number: int) -> Page:
    """Every holding that would change, as a sheet."""
    path = address("recognition-proposals", str(number), "simulation.xlsx")
    answer = Response(ask(BANK, FILE_SECONDS).download(path), content_type=XLSX)
    answer.headers["Content-Disposition"] = f'attachment; filename="simulation-{number}.xlsx"'
    return answer
