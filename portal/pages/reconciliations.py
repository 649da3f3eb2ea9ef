"""Reconciliation: reports and comparisons, what does not agree by kind, and the approval of what mends it."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, request, url_for

from chassis.sheet.write import XLSX
from chassis.web.client import Answered
from contracts.terms import Role
from portal.pages.asking import FILE_SECONDS, address, ask, every_or_none, request_key, scheme_names
from portal.pages.conversions import BANK, Found
from portal.pages.frame import Page, signed_in, trouble
from portal.pages.lives import READERS as LIFE_READERS

pages = Blueprint("reconciliations", __name__)
READERS = (Role.REGISTRY, Role.TEO, Role.OPERATOR, Role.AUDITOR)
STARTERS = (Role.REGISTRY, Role.OPERATOR)
UPLOADERS = (Role.REGISTRY, Role.TEO)  # of those whom the page of sheets lets in
STAGES = ("rows", "holdings", "accounts", "closing")
FINISHED = "finished"
STATES = ("open", "tasked", "mended", "closed", "carried_on")
FILTERS = ("kind", "state", "teo")
RUNS_SHOWN, REPORTS_SHOWN = 20, 10
SHOWN, SHOWN_OF_EACH = 50, 5  # of one kind by itself; where all kinds are shown
MOST_AT_ONCE = 200  # each is compared again in a transaction of its own
DEED_SECONDS = 40.0
CSV = "text/csv; charset=utf-8"


@pages.route("/reconciliations")
@signed_in(*READERS)
def shelf() -> Page:
    """Comparisons and reports, the newest first."""
    return shelf_page()


@pages.route("/reconciliations", methods=["POST"])
@signed_in(*STARTERS)
def start() -> Page:
    """Have everything compared now, or a report again; a form that is sent twice starts one comparison."""
    report, key = request.form.get("report", type=int), request.form.get("key") or request_key()
    try:
        run = ask(BANK).post("/reconciliations", {"report": report}, idempotency_key=key)
    except Answered as refusal:
        if refusal.status != HTTPStatus.CONFLICT:
            raise
        return shelf_page(refusal.detail), refusal.status
    return redirect(url_for("reconciliations.shown", number=run["number"]))


def shelf_page(refusal: str = "") -> str:
    """The page of all comparisons and reports, with what the bank refused."""
    runs = ask(BANK).get("/reconciliations", cursor=request.args.get("cursor"), limit=RUNS_SHOWN)
    reports = ask(BANK).get("/certificate-reports", cursor=request.args.get("reports"), limit=REPORTS_SHOWN)
    most = max((one["discrepancies"] for one in runs["items"]), default=0) or 1
    return render_template(
        "reconciliations.html",
        runs=runs,
        lengths={one["number"]: length(one["discrepancies"], most) for one in runs["items"]},
        reports=reports,
        schemes=scheme_names() if reports["items"] else {},
        may_upload=bool(set(UPLOADERS) & roles()),
        refusal=refusal,
        **shared(),
    )


def shared() -> Found:
    """What all of these pages show or offer."""
    return {
        "teos": {one["teo"]: one["name"] for one in every_or_none("assessment", "/teos") or []},
        "may_start": bool(set(STARTERS) & roles()),
        "may_enter_columns": bool({Role.REGISTRY, Role.OPERATOR, Role.TEO} & roles()),
        "key": request_key(),
        "finished": FINISHED,
    }


def roles() -> set[Role]:
    """The roles of the person signed in."""
    return set(g.person.roles)


# --- a report -----------------------------------------------------------------------------------------------------
@pages.route("/certificate-reports/<int:number>")
@signed_in(*READERS)
def report(number: int) -> Page:
    """A report, what it speaks for, and the way to its comparison."""
    return render_template("certificate_report.html", one=report_at(number), schemes=scheme_names(), **shared())


@pages.route("/certificate-reports/<int:number>/live")
@signed_in(*READERS)
def report_live(number: int) -> Page:
    """The part that refreshes itself; once the report is compared, the page as it is then."""
    one = report_at(number)
    if one["run"]:
        return redirect(url_for("reconciliations.report", number=number))
    return render_template("certificate_report_live.html", one=one)


def report_at(number: int) -> Found:
    """A report as the bank has it."""
    found: Found = ask(BANK).get(address("certificate-reports", str(number)))
    return found


# --- a comparison -------------------------------------------------------------------------------------------------
@pages.route("/reconciliations/<int:number>")
@signed_in(*READERS)
def shown(number: int) -> Page:
    """A comparison: how far it is, then what it found by kind."""
    run = run_at(number)
    return run_page(run) if run["stage"] == FINISHED else render_template("reconciliation.html", **progress(run))


@pages.route("/reconciliations/<int:number>/live")
@signed_in(*READERS)
def shown_live(number: int) -> Page:
    """The part that refreshes itself; once the comparison is through, the page as it is then."""
    run = run_at(number)
    if run["stage"] == FINISHED:
        return redirect(url_for("reconciliations.shown", number=number))
    return render_template("reconciliation_live.html", **progress(run))


def run_at(number: int) -> Found:
    """A comparison as the bank has it."""
    found: Found = ask(BANK).get(address("reconciliations", str(number)))
    return found


def progress(run: Found) -> Found:
    """How far a comparison is: the stages that are behind it, the one it is at, those to come."""
    stages = [one for one in STAGES if one != ("accounts" if run["report"] else "rows")]
    return {"run": run, "stages": stages, "at": stages.index(run["stage"]), **shared()}


def run_page(run: Found, refusal: str = "") -> str:
    """What a comparison found, by kind, the largest first."""
    chosen = filters(request.args)
    about = report_at(run["report"]) if run["report"] else None
    is_own = about is not None and about["uploaded_by"] == g.person.name
    may_approve = Role.REGISTRY in roles() and not is_own
    return render_template(
        "reconciliation.html",
        run=run,
        report=about,
        chosen=chosen,
        chart=chart_of(run["counts"]),
        groups=[group_of(run, one, chosen, may_approve) for one in by_size(run["counts"]) if fits(one, chosen)],
        is_own=is_own and Role.REGISTRY in roles(),
        may_approve=may_approve,
        states=STATES,
        most=MOST_AT_ONCE,
        refusal=refusal,
        **reading(),
        **shared(),
    )


def reading() -> Found:
    """What is needed to read a discrepancy: names, and whose pages the person may open."""
    return {
        "schemes": scheme_names(),
        "may_follow": bool(set(LIFE_READERS) & roles()) and not g.person.owns,
    }


def filters(given: Any) -> dict[str, str]:
    """Which discrepancies are asked for."""
    found = {name: given.get(name, "").strip() for name in FILTERS}
    return {name: value for name, value in found.items() if value}


def fits(counted: Found, chosen: dict[str, str]) -> bool:
    """Whether a kind is asked for."""
    return bool(chosen.get("kind", counted["kind"]) == counted["kind"])


def by_size(counts: Sequence[Found]) -> list[Found]:
    """Kinds by how many there are of them, the most first."""
    return sorted(counts, key=lambda one: (-one["count"], one["kind"]))


def chart_of(counts: Sequence[Found]) -> list[Found]:
    """Bars of the kinds, the longest first and as long as there is room."""
    most = max((one["count"] for one in counts), default=0) or 1
    return [one | {"length": length(one["count"], most)} for one in by_size(counts)]


def length(count: int, most: int) -> float:
    """How long a bar is, of a hundred; what is there at all can be seen."""
    return max(round(count * 100 / most, 1), 1.0) if count else 0.0


def group_of(run: Found, counted: Found, chosen: dict[str, str], may_approve: bool) -> Found:
    """The discrepancies of one kind that are shown, and whether any of it is left to approve."""
    asked, is_alone = chosen | {"kind": counted["kind"]}, "kind" in chosen
    cursor = request.args.get("cursor") if is_alone else None
    page = discrepancies(run["number"], asked, SHOWN if is_alone else SHOWN_OF_EACH, cursor)
    wanted = may_approve and chosen.get("state", "open") == "open"
    left = discrepancies(run["number"], asked | {"state": "open"}, 1) if wanted else {"items": []}
    return {
        **counted,
        "listed": page["items"],
        "next": page["next"],
        "cursor": cursor,
        "may_choose": may_approve and any(one["state"] == "open" for one in page["items"]),
        "has_open": bool(left["items"]),
    }


def discrepancies(number: int, chosen: dict[str, str], limit: int, cursor: str | None = None) -> Found:
    """A page of what a comparison found."""
    path = address("reconciliations", str(number), "discrepancies")
    found: Found = ask(BANK).get(path, limit=limit, cursor=cursor, **chosen)
    return found


@pages.route("/reconciliations/<int:number>/discrepancies.<any(xlsx, csv):form>")
@signed_in(*READERS)
def sheet(number: int, form: str) -> Page:
    """What was found, as a sheet, filtered as the page is."""
    path = address("reconciliations", str(number), f"discrepancies.{form}")
    content = ask(BANK, FILE_SECONDS).download(path, **filters(request.args))
    answer = Response(content, content_type=XLSX if form == "xlsx" else CSV)
    answer.headers["Content-Disposition"] = f'attachment; filename="reconciliation-{number}.{form}"'
    return answer


# --- approvals ----------------------------------------------------------------------------------------------------
@pages.route("/reconciliations/<int:number>/approvals", methods=["POST"])
@signed_in(Role.REGISTRY)
def approve(number: int) -> Page:
    """Approve those that were chosen, or all of a kind that are open; what came of each stands beside it afterwards."""
    listed = listed_when_chosen(number)
    wanted = [one["id"] for one in listed] if is_whole() else picked()
    if not wanted:
        return trouble("choose_discrepancy", 422)
    body = {"items": [{"discrepancy": one} for one in wanted]}
    words = ask(BANK, DEED_SECONDS).post("/discrepancy-approvals", body)
    verdicts = {wanted[int(one["index"])]: one for one in words}
    known = {one["id"]: one for one in listed}
    return told(number, [(known.get(one, {"id": one}), verdicts[one]) for one in wanted])


def listed_when_chosen(number: int) -> list[Found]:
    """The discrepancies that the form was about, as they stand before."""
    chosen = filters(request.form)
    if is_whole():
        return list(discrepancies(number, chosen | {"state": "open"}, MOST_AT_ONCE)["items"])
    return list(discrepancies(number, chosen, SHOWN, request.form.get("cursor") or None)["items"])


def is_whole() -> bool:
    """Whether all of a kind is meant: a kind must be named, so that nobody approves what they have not looked at."""
    return bool(request.form.get("whole") and request.form.get("kind"))


def picked() -> list[str]:
    """Those that were chosen, at most a page, each once."""
    return list(dict.fromkeys(request.form.getlist("discrepancy")))[:SHOWN]


def told(number: int, listed: Sequence[tuple[Found, Found]]) -> str:
    """The page that says what came of each, what could not be done first."""
    accepted = [one for one, verdict in listed if verdict["status"] == "accepted"]
    counts = {name: sum(verdict["status"] == name for _, verdict in listed) for name in ("unchanged", "refused")}
    mended = sum(bool(one.get("act")) for one in accepted)
    return render_template(
        "reconciliation_told.html",
        number=number,
        listed=sorted(listed, key=lambda pair: pair[1]["status"] != "refused"),
        counts=counts | {"mended": mended, "tasked": len(accepted) - mended},
        back=filters(request.form),
        **reading(),
        **shared(),
    )
