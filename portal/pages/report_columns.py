"""How organisations head the columns of their reports, where these are not the template's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from flask import Blueprint, g, redirect, render_template, request, url_for

from chassis.web.client import Answered
from contracts.terms import Role
from portal.pages.asking import address, ask, every_or_none
from portal.pages.conversions import BANK, Found
from portal.pages.frame import Page, signed_in

pages = Blueprint("report_columns", __name__)
EDITORS = (Role.TEO, Role.REGISTRY, Role.OPERATOR)
BETWEEN = re.compile(r"[,，、;；\n]+")
KIND, LEFT_OUT = "certificate-report", "left_out"


@pages.route("/report-columns")
@signed_in(*EDITORS)
def shelf() -> Page:
    """The organisations whose columns the person may enter."""
    found = {one["teo"]: one["name"] for one in every_or_none("assessment", "/teos") or []}
    own = g.person.owns.get("teo")
    teos = found if own is None else {code: found.get(code, code) for code in own}
    return render_template("report_columns.html", teos=teos)


@pages.route("/report-columns/<teo>")
@signed_in(*EDITORS)
def shown(teo: str) -> Page:
    """An organisation's columns, to be entered."""
    profile = ask(BANK).get(address("report-profiles", teo))
    headers = {one["column"]: "，".join(one["headers"]) for one in profile["columns"]}
    return columns_page(teo, headers | {LEFT_OUT: "，".join(profile["left_out"])})


@pages.route("/report-columns/<teo>", methods=["POST"])
@signed_in(*EDITORS)
def keep(teo: str) -> Page:
    """Keep what was entered; what the bank refuses is said above it."""
    given = {name: request.form.get(name, "") for name in (*columns(), LEFT_OUT)}
    try:
        ask(BANK).put(address("report-profiles", teo), profile_of(given))
    except Answered as refusal:
        if refusal.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        return columns_page(teo, given, refusal.detail), refusal.status
    return redirect(url_for("report_columns.shown", teo=teo, saved=1))


def columns_page(teo: str, given: Mapping[str, str], refusal: str = "") -> str:
    """The form, with what was given and what the bank says to it."""
    names = {one["teo"]: one["name"] for one in every_or_none("assessment", "/teos") or []}
    return render_template(
        "report_columns_of.html",
        teo=teo,
        name=names.get(teo, teo),
        columns=columns(),
        given=given,
        left_out=LEFT_OUT,
        refusal=refusal,
        is_saved="saved" in request.args,
    )


def columns() -> list[str]:
    """The columns of the template, in their order."""
    kinds = {one["kind"]: one for one in ask(BANK).get("/sheets")["items"]}
    return [column["name"] for column in kinds[KIND]["columns"]] if KIND in kinds else []


def profile_of(given: Mapping[str, str]) -> Found:
    """What was entered, as the bank takes it."""
    headers = {name: words_of(text) for name, text in given.items()}
    left_out: Sequence[str] = headers.pop(LEFT_OUT)
    columns_said = [{"column": name, "headers": words} for name, words in headers.items() if words]
    return {"columns": columns_said, "left_out": left_out}


def words_of(text: str) -> list[str]:
    """Words that are written one behind the other."""
    return list(dict.fromkeys(word for part in BETWEEN.split(text) if (word := part.strip())))
