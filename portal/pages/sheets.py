"""Sheets: upload, preview, commit, and the workbook back."""

from __future__ import annotations

import io
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, send_file, url_for

from chassis.web.client import Answered, Client
from contracts.terms import Role
from portal.pages.asking import FILE_SECONDS, address, ask, every_or_none, request_key, together
from portal.pages.frame import Page, signed_in, trouble
from portal.pages.lives import READERS
from portal.pages.speech import language

pages = Blueprint("sheets", __name__)
UPLOADERS = (Role.REGISTRY, Role.TRAINER, Role.EXAM_OFFICE, Role.TEO)
SERVICES_WITH_SHEETS = ("enrolment", "training", "assessment", "creditbank")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ROWS_SHOWN = 50
IMPORTS_SHOWN = 20
STATUSES = ("new", "changed", "unchanged", "refused")
FORBIDDEN = 403
OPTION = "option-"
DAYS = {"issued_from", "issued_until"}  # options that are days


@pages.route("/sheets")
@signed_in(*UPLOADERS)
def shelf() -> Page:
    """The kinds of sheet the person may upload, and what was uploaded; a silent service is named, not waited for."""
    found = together(SERVICES_WITH_SHEETS, lambda client: (allowed(client, "/sheets"), allowed(client, "/imports")))
    answers = {service: answer for service, answer in found.items() if answer is not None}
    recent = [(service, one) for service, (_, imports) in answers.items() for one in imports]
    return render_template(
        "shelf.html",
        kinds=[(service, kind) for service, (kinds, _) in answers.items() for kind in kinds],
        recent=sorted(recent, key=lambda pair: str(pair[1]["uploaded_at"]), reverse=True),
        silent=sorted(set(found) - set(answers)),
        teos=every_or_none("assessment", "/teos") or [],
        days=DAYS,
        is_teo=Role.TEO in g.person.roles,
    )


def allowed(client: Client, path: str) -> list[dict[str, Any]]:
    """A list of a service; empty where the person's role has no business there."""
    try:
        found: list[dict[str, Any]] = client.get(path, limit=IMPORTS_SHOWN if path == "/imports" else None)["items"]
    except Answered as problem:
        if problem.status != FORBIDDEN:
            raise
        return []
    return found


@pages.route("/sheets/<service>/<kind>", methods=["POST"])
@signed_in(*UPLOADERS)
def upload(service: str, kind: str) -> Page:
    """Take a file in and show how it is read."""
    file = request.files.get("file")
    if service not in SERVICES_WITH_SHEETS or file is None or not file.filename:
        return trouble("choose_file", 422)
    about = {"kind": kind, "language": language(), **options()}
    sending = ask(service, FILE_SECONDS)
    given = sending.upload("/imports", file.filename, file.read(), idempotency_key=request_key(), **about)
    return redirect(url_for("sheets.shown", service=service, number=given["number"]))


def options() -> dict[str, str]:
    """What the form says of the sheet as a whole: fields named `option-…` that are filled in."""
    given = {
        name.removeprefix(OPTION): value.strip() for name, value in request.form.items() if name.startswith(OPTION)
    }
    return {name: value for name, value in given.items() if value and name not in {"kind", "language"}}


@pages.route("/sheets/<service>/<kind>/template.xlsx")
@signed_in(*UPLOADERS)
def template(service: str, kind: str) -> Page:
    """An empty sheet to fill in."""
    content = ask(known(service)).download(address("sheets", kind, "template.xlsx"))
    return send_file(io.BytesIO(content), XLSX, as_attachment=True, download_name=f"{kind}.xlsx")


@pages.route("/imports/<service>/<int:number>")
@signed_in(*UPLOADERS)
def shown(service: str, number: int) -> Page:
    """An import: progress, counts, rows with their verdicts."""
    return render_template("import.html", **state_of(service, number))


@pages.route("/imports/<service>/<int:number>/live")
@signed_in(*UPLOADERS)
def shown_live(service: str, number: int) -> Page:
    """The part of the page that refreshes itself."""
    return render_template("import_live.html", **state_of(service, number))


def state_of(service: str, number: int) -> dict[str, Any]:
    """An import and a page of its rows."""
    about = ask(known(service)).get(f"/imports/{number}")
    status = request.args.get("status")
    status = status if status in STATUSES else None
    rows: dict[str, Any] = {"items": [], "next": None}
    if about["state"] not in ("reading", "unreadable"):
        query = {"status": status, "cursor": request.args.get("cursor"), "limit": ROWS_SHOWN}
        rows = ask(service).get(f"/imports/{number}/rows", **query)
    return {
        "service": service,
        "about": about,
        "rows": rows,
        "status": status,
        "columns": columns(service, about["kind"], rows["items"]),
        "may_follow": about["state"] == "committed" and bool(set(READERS) & set(g.person.roles)),
    }


def columns(service: str, kind: str, rows: list[dict[str, Any]]) -> list[str]:
    """The names of the cells the rows have, in the order of the sheet."""
    if not rows:
        return []
    kinds = {one["kind"]: one for one in allowed(ask(service), "/sheets")}
    order = [column["name"] for column in kinds[kind]["columns"]] if kind in kinds else []
    has = {name: None for row in rows for name in row["cells"]}
    return [name for name in order if name in has] + [name for name in has if name not in order]


@pages.route("/imports/<service>/<int:number>/commit", methods=["POST"])
@signed_in(*UPLOADERS)
def commit(service: str, number: int) -> Page:
    """Write what the preview showed."""
    ask(known(service)).post(f"/imports/{number}/commit")
    return redirect(url_for("sheets.shown", service=service, number=number))


@pages.route("/imports/<service>/<int:number>/discard", methods=["POST"])
@signed_in(*UPLOADERS)
def discard(service: str, number: int) -> Page:
    """Throw an import away that is not committed."""
    ask(known(service)).delete(f"/imports/{number}")
    return redirect(url_for("sheets.shelf"))


@pages.route("/imports/<service>/<int:number>/workbook.xlsx")
@signed_in(*UPLOADERS)
def workbook(service: str, number: int) -> Page:
    """The sheet back, with a status column."""
    content = ask(known(service), FILE_SECONDS).download(f"/imports/{number}/workbook.xlsx")
    return send_file(io.BytesIO(content), XLSX, as_attachment=True, download_name=f"{service}-{number}.xlsx")


def known(service: str) -> str:
    """A service that takes sheets; a 404 page otherwise."""
    if service not in SERVICES_WITH_SHEETS:
        raise Answered(404, {"detail": ""})
    return service
