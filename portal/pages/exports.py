"""Exemptions on their way to the registry's system: sent in numbered exports, taken or rejected there."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, request, url_for

from contracts.terms import Role
from portal.pages.asking import FILE_SECONDS, address, ask
from portal.pages.conversions import BANK, Found
from portal.pages.frame import Page, signed_in, trouble
from portal.pages.worklist import application

pages = Blueprint("exports", __name__)
READERS = (Role.REGISTRY, Role.OPERATOR, Role.AUDITOR)
EXPORTS_SHOWN, ROWS_SHOWN = 20, 50


@pages.route("/exports")
@signed_in(*READERS)
def shelf() -> Page:
    """What was sent, the newest first."""
    page = ask(BANK).get("/exemption-exports", cursor=request.args.get("cursor"), limit=EXPORTS_SHOWN)
    return render_template("exports.html", page=page, may_send=may_send(), nothing="nothing" in request.args)


@pages.route("/exports", methods=["POST"])
@signed_in(Role.REGISTRY)
def send() -> Page:
    """Put what is new, and what was rejected, into the next export."""
    number = ask(BANK, FILE_SECONDS).post("/exemption-exports")["number"]
    return redirect(url_for("exports.shown", number=number) if number else url_for("exports.shelf", nothing=1))


@pages.route("/exports/<int:number>")
@signed_in(*READERS)
def shown(number: int) -> Page:
    """An export as it went, and what the registry's system made of each row."""
    return export_page(number, request.args.get("start", 0, type=int), {})


@pages.route("/exports/<int:number>/sheet.csv")
@signed_in(*READERS)
def sheet(number: int) -> Page:
    """The sheet for the registry's system."""
    content = ask(BANK, FILE_SECONDS).download(address("exemption-exports", str(number), "sheet.csv"))
    answer = Response(content, content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="exemptions-{number}.csv"'
    return answer


@pages.route("/exports/<int:number>", methods=["POST"])
@signed_in(Role.REGISTRY)
def acknowledge(number: int) -> Page:
    """Note what was taken and, each with its reason, what was rejected; what is left open stays open."""
    answers = answered_rows()
    if not answers:
        return trouble("nothing_acknowledged", 422)
    path = address("exemption-exports", str(number), "acknowledgement")
    words = ask(BANK, FILE_SECONDS).post(path, answers)
    verdicts = {answers[int(one["index"])]["application"]: one for one in words}
    return export_page(number, request.form.get("start", 0, type=int), verdicts)


def answered_rows() -> list[dict[str, str]]:
    """The rows that the form answers: rejected where there is a reason, else taken where that was checked."""
    rows = list(dict.fromkeys(request.form.getlist("row")))[:ROWS_SHOWN]
    taken = set(request.form.getlist("taken"))
    reasons = {one: request.form.get(f"reason-{one}", "").strip() for one in rows}
    return [{"application": one, "reason": reasons[one]} for one in rows if reasons[one] or one in taken]


def export_page(number: int, start: int, verdicts: dict[str, Found]) -> str:
    """A part of an export's rows, each as its application stands now."""
    rows = ask(BANK).get(address("exemption-exports", str(number)))["rows"]
    start = start if 0 <= start < len(rows) else 0
    part = rows[start : start + ROWS_SHOWN]
    listed = [(row, standing(row, number), verdicts.get(row["application"])) for row in part]
    following = start + ROWS_SHOWN
    return render_template(
        "export.html",
        number=number,
        count=len(rows),
        listed=listed,
        start=start,
        next=following if following < len(rows) else None,
        is_told=bool(verdicts),
        may_answer=may_send() and any(state["state"] != "later" for _, state, _ in listed),
    )


def standing(row: Found, number: int) -> dict[str, Any]:
    """What became of a row: sent, taken, rejected with its reason, or sent again later with another export."""
    one = application(row["application"]) or {}
    if one.get("export") != number:
        return {"state": "later", "export": one.get("export"), "note": ""}
    return {"state": one["export_state"], "export": number, "note": one["export_note"]}


def may_send() -> bool:
    """Whether the person signed in sends exports and notes what became of them."""
    return Role.REGISTRY in g.person.roles
