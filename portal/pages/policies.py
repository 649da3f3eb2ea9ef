"""Policy documents 管理办法: their versions, drafted in a form, approved by two and published."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict

from chassis.web.client import Answered
from portal.pages.asking import NOT_FOUND, address, ask, every, found_or_none
from portal.pages.conversions import BANK, Found
from portal.pages.forms import ANYWHERE, at_fields, attempt, whole
from portal.pages.frame import Page, signed_in
from portal.pages.rules import DECIDERS, READERS, is_finished, looked_at, simulated
from portal.pages.speech import say

pages = Blueprint("policies", __name__)
PLAIN = ("title", "number", "issued_on", "valid_from", "valid_until")
NUMBERS = (
    "most_points_per_certificate",
    "offer_days",
    "appeal_days",
    "appeal_review_days",
    "undo_minutes",
    "credit_years",
)
STEPS = ("department", "registry", "teo", "bank")
COURSE_KINDS = ("foundation", "core", "elective", "practice")
FIELDS = {*PLAIN, *NUMBERS, "code", "shares", "windows", "steps", "never_exempt_kinds"}
PLACES = {
    "conversion_code_malformed": "code",
    "conversion_ends_before_it_begins": "valid_until",
    "policy_windows_wrong": "windows",
    "policy_steps_wrong": "steps",
}
USUAL = {
    "most_points_per_certificate": "800",
    "offer_days": "3",
    "appeal_days": "5",
    "appeal_review_days": "5",
    "undo_minutes": "30",
    "credit_years": "0",
    "step-department": "3",
    "step-registry": "5",
}
SPARE_ROWS = 2
MOST_ROWS = {"share": 20, "window": 100}
ROWS = {"share": ("category", "percent", "departments"), "window": ("term", "opens_on", "closes_on")}
# What is done to a version in which state.
DEEDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "approve": ("draft", lambda path: ask(BANK).put(f"{path}/approval{looked_at()}", None)),
    "publish": ("approved", lambda path: ask(BANK).put(f"{path}/publication", None)),
}
Form = MultiDict[str, str]


@pages.route("/policies")
@signed_in(*READERS)
def shelf() -> Page:
    """The policy documents, each as its latest version says."""
    versions = every(BANK, "/conversion-policies")
    newest = {one["code"]: one for one in sorted(versions, key=lambda one: int(one["version"]))}
    return render_template("policies.html", listed=[newest[code] for code in sorted(newest)], may_draft=may_decide())


@pages.route("/policies/<code>")
@signed_in(*READERS)
def policy(code: str) -> Page:
    """A policy document in every version, the latest first."""
    return policy_page(code)


@pages.route("/policies/<code>/versions/<int:version>/<any(approve, publish):deed>", methods=["POST"])
@signed_in(*DECIDERS)
def take_on(code: str, version: int, deed: str) -> Page:
    """Approve or publish a version; what the bank refuses is said on the page of the document."""
    path = address("conversion-policies", code, "versions", str(version))
    told = attempt(lambda: DEEDS[deed][1](path))
    if isinstance(told, Answered):
        return policy_page(code, told.detail), told.status
    return redirect(url_for("policies.policy", code=code, done=deed, version=version))


def policy_page(code: str, refusal: str = "") -> str:
    """The page of one document."""
    done = request.args.get("done", "")
    versions = simulated("policy", versions_of(code))
    return render_template(
        "policy.html",
        code=code,
        versions=[(one, deeds_for(one, simulation), simulation) for one, simulation in versions],
        may_draft=may_decide(),
        refusal=refusal,
        done=done if done in {*DEEDS, "draft"} else "",
        version=request.args.get("version", 0, type=int),
    )


def versions_of(code: str) -> list[Found]:
    """A document's versions, the latest first; a 404 page where there is none."""
    versions: list[Found] = ask(BANK).get(address("conversion-policies", code))
    if not versions:
        raise Answered(NOT_FOUND, {"detail": ""})
    return versions


def may_decide() -> bool:
    """Whether the person signed in drafts documents and decides about them."""
    return bool(set(DECIDERS) & set(g.person.roles))


def deeds_for(one: Found, simulation: Found | None) -> list[str]:
    """What the person signed in may do to a version: a draft is approved once it was simulated, by two people."""
    fitting = [name for name, (state, _) in DEEDS.items() if state == one["state"]] if may_decide() else []
    may_approve = is_finished(simulation) and g.person.name not in one["approved_by"]
    return [name for name in fitting if name != "approve" or may_approve]


# --- the form -----------------------------------------------------------------------------------------------------
@pages.route("/policies/new")
@signed_in(*DECIDERS)
def new() -> Page:
    """The form of a document, with what is usual."""
    return form_page("", MultiDict(USUAL))


@pages.route("/policies/<code>/draft")
@signed_in(*DECIDERS)
def edit(code: str) -> Page:
    """The same form, filled with what the latest version says."""
    return form_page(code, form_of(max(versions_of(code), key=lambda one: int(one["version"]))))


@pages.route("/policies/new", methods=["POST"])
@signed_in(*DECIDERS)
def make() -> Page:
    """Draft a document of a new code; one that is there already is not overwritten by accident."""
    code = request.form.get("code", "").strip()
    if code and found_or_none(lambda: ask(BANK).get(address("conversion-policies", code))):
        return form_page("", request.form, {"code": say("code_taken", code)}), 409
    return kept(code, "")


@pages.route("/policies/<code>/draft", methods=["POST"])
@signed_in(*DECIDERS)
def keep(code: str) -> Page:
    """Draft a document's next version, or another wording of the draft there is."""
    versions_of(code)
    return kept(code, code)


def kept(code: str, known: str) -> Page:
    """Have the bank keep the draft; what it refuses stands at its field."""
    path = address("conversion-policies", code or "-")
    draft = attempt(lambda: ask(BANK).put(path, policy_of(request.form)))
    if isinstance(draft, Answered):
        return form_page(known, request.form, at_fields(draft, FIELDS, PLACES)), draft.status
    return redirect(url_for("policies.policy", code=code, done="draft", version=draft["version"]))


def form_page(code: str, given: Form, refusals: Mapping[str, str] | None = None) -> str:
    """The form as it was filled in, with rows to spare."""
    return render_template(
        "policy_form.html",
        code=code,
        given=given,
        refusals=refusals or {},
        anywhere=ANYWHERE,
        steps=STEPS,
        course_kinds=COURSE_KINDS,
        shares=(rows_of(given, "share") + [{}] * SPARE_ROWS)[: MOST_ROWS["share"]],
        windows=(rows_of(given, "window") + [{}] * SPARE_ROWS)[: MOST_ROWS["window"]],
    )


def rows_of(given: Form, what: str) -> list[dict[str, str]]:
    """The rows of a part of the form in which something is filled in."""
    columns = [given.getlist(f"{what}-{name}") for name in ROWS[what]]
    rows = [[text.strip() for text in row] for row in zip(*columns, strict=False)]
    return [dict(zip(ROWS[what], row, strict=True)) for row in rows if any(row)]


def policy_of(form: Form) -> Found:
    """The document that a form asks for, as the bank takes it."""
    return {
        **{name: form.get(name, "").strip() for name in PLAIN},
        **{name: whole(form.get(name, "")) for name in NUMBERS},
        "shares": [share_of(one) for one in rows_of(form, "share")],
        "windows": rows_of(form, "window"),
        "steps": [
            {"step": step, "working_days": whole(form[f"step-{step}"])}
            for step in STEPS
            if form.get(f"step-{step}", "").strip()
        ],
        "never_exempt_kinds": form.getlist("never_exempt_kinds"),
    }


def share_of(row: Mapping[str, str]) -> Found:
    """How much of the curriculum a category may convert."""
    departments = [one.strip() for one in row["departments"].replace("，", ",").replace("、", ",").split(",")]
    return {**row, "percent": whole(row["percent"]), "departments": [one for one in departments if one]}


def form_of(policy: Mapping[str, Any]) -> Form:
    """A form filled with what a version says."""
    rows = [(name, str(policy[name])) for name in (*PLAIN, *NUMBERS)]
    rows += [(f"step-{one['step']}", str(one["working_days"])) for one in policy["steps"]]
    rows += [("never_exempt_kinds", one) for one in policy["never_exempt_kinds"]]
    return MultiDict([*rows, *fields_of("share", policy["shares"]), *fields_of("window", policy["windows"])])


def fields_of(what: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The fields of a part of the form, row by row."""
    for row in rows:
        for name in ROWS[what]:
            value = row[name]
            yield f"{what}-{name}", "，".join(value) if isinstance(value, list) else str(value)
