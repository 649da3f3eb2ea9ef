"""What a draft of a conversion rule or policy document would change: asked for, drawn and told."""

from __future__ import annotations

from flask import Blueprint, Response, g, redirect, render_template, request, url_for

from chassis.sheet.write import XLSX
from chassis.web.client import Answered
from contracts.terms import Role
from portal.pages.asking import FILE_SECONDS, NOT_FOUND, address, ask, every_or_none, scheme_names
from portal.pages.conversions import BANK, Found
from portal.pages.drawings import drawn
from portal.pages.frame import Page, signed_in

pages = Blueprint("simulations", __name__)
READERS = (Role.REGISTRY, Role.OPERATOR, Role.AUDITOR)
DECIDERS = (Role.REGISTRY, Role.OPERATOR)
SUBJECTS = ("rule", "policy")
RUNNING = "running"
FORBIDDEN = 403
SHOWN = 50


@pages.route("/simulations/<subject>/<code>/<int:version>")
@signed_in(*READERS)
def simulation(subject: str, code: str, version: int) -> Page:
    """The latest simulation of a draft, and what it has found."""
    return simulation_page(subject, code, version)


@pages.route("/simulations/<subject>/<code>/<int:version>/live")
@signed_in(*READERS)
def simulation_live(subject: str, code: str, version: int) -> Page:
    """How far it is, which refreshes itself; once it is through, the page as it is then."""
    found = latest(subject, code, version)
    if found is None or found["state"] != RUNNING:
        return redirect(url_for("simulations.simulation", subject=subject, code=code, version=version))
    return render_template("simulation_live.html", found=found)


@pages.route("/simulations/<subject>/<code>/<int:version>", methods=["POST"])
@signed_in(*DECIDERS)
def simulate(subject: str, code: str, version: int) -> Page:
    """Have it simulated for every student, in the background; what the bank refuses is said on the page."""
    _known(subject)
    try:
        ask(BANK).post("/conversion-simulations", {subject: {"code": code, "version": version}})
    except Answered as refusal:
        if refusal.status in {FORBIDDEN, NOT_FOUND}:
            raise
        return simulation_page(subject, code, version, refusal.detail), refusal.status
    return redirect(url_for("simulations.simulation", subject=subject, code=code, version=version))


@pages.route("/simulations/<int:number>.xlsx")
@signed_in(*READERS)
def sheet(number: int) -> Page:
    """Every exemption that would change, as a sheet."""
    path = address("conversion-simulations", str(number), "exemptions.xlsx")
    answer = Response(ask(BANK, FILE_SECONDS).download(path), content_type=XLSX)
    answer.headers["Content-Disposition"] = f'attachment; filename="conversion-simulation-{number}.xlsx"'
    return answer


def simulation_page(subject: str, code: str, version: int, refusal: str = "") -> str:
    """The page of one draft's simulation."""
    found = latest(subject, code, version)
    path = address("conversion-simulations", str(found["number"]), "exemptions") if found else ""
    listed = ask(BANK).get(path, cursor=request.args.get("cursor"), limit=SHOWN) if found else {"items": []}
    return render_template(
        "simulation.html",
        about={"subject": subject, "code": code, "version": version},
        found=found,
        listed=listed,
        drawing=drawn(found["courses"], "allowed", "taken") if found else None,
        may_ask=bool(set(DECIDERS) & set(g.person.roles)),
        refusal=refusal,
        schemes=scheme_names(),
        programmes=programme_names(),
    )


def latest(subject: str, code: str, version: int) -> Found | None:
    """The latest simulation of a draft; None where nobody asked for one."""
    found = ask(BANK).get("/conversion-simulations", subject=_known(subject), code=code, version=version, limit=1)
    return next(iter(found["items"]), None)


def programme_names() -> dict[str, str]:
    """What programmes are called, as far as enrolment answers."""
    return {one["code"]: one["name"] for one in every_or_none("enrolment", "/programmes") or []}


def _known(subject: str) -> str:
    if subject not in SUBJECTS:
        raise Answered(NOT_FOUND, {"detail": ""})
    return subject
