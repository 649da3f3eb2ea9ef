"""A conversion rule put into a form: for whom it is, what buys which courses, until when, and by which document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict

from chassis.web.client import Answered
from portal.pages.asking import NOT_FOUND, address, ask, every, every_or_none, found_or_none
from portal.pages.conversions import BANK, Found, curricula_of
from portal.pages.forms import ANYWHERE, at_fields, attempt, filled, whole
from portal.pages.frame import Page, signed_in
from portal.pages.rules import DECIDERS
from portal.pages.speech import say

pages = Blueprint("drafting", __name__)
FIELDS = {"code", "policy", "programme", "entry_year", "scheme", "levels", "targets", "valid_from", "valid_until"}
FIELDS |= {"note"}
# Which field the bank's refusals are about, by their codes.
PLACES = {
    "conversion_code_malformed": "code",
    "conversion_rule_decided": "code",
    "conversion_rule_without_end": "valid_until",
    "conversion_ends_before_it_begins": "valid_until",
    "conversion_policy_unknown": "policy",
    "scheme_unknown": "scheme",
    "level_not_offered": "levels",
    "conversion_target_repeated": "targets",
    "conversion_target_not_taught": "targets",
    "conversion_points_differ": "targets",
    "conversion_never_exempt": "targets",
    "conversion_above_certificate_cap": "targets",
    "conversion_rules_overlap": "targets",
}
KINDS = ("course", "attendance", "exam", "replaced")
SPARE_ROWS, MOST_ROWS = 3, 20
GRADE = "免修"
Form = MultiDict[str, str]


@pages.route("/rules/new")
@signed_in(*DECIDERS)
def new() -> Page:
    """The form of a rule: first for whom it is, then what it says."""
    return form_page("", request.args)


@pages.route("/rules/<code>/draft")
@signed_in(*DECIDERS)
def edit(code: str) -> Page:
    """The same form, filled with what the latest version says."""
    return form_page(code, form_of(latest(code)))


@pages.route("/rules/new", methods=["POST"])
@signed_in(*DECIDERS)
def make() -> Page:
    """Draft a rule of a new code; one that is there already is not overwritten by accident."""
    code = request.form.get("code", "").strip()
    if code and found_or_none(lambda: ask(BANK).get(address("conversion-rules", code))):
        return form_page("", request.form, {"code": say("code_taken", code)}), 409
    return kept(code, "")


@pages.route("/rules/<code>/draft", methods=["POST"])
@signed_in(*DECIDERS)
def keep(code: str) -> Page:
    """Draft a rule's next version, or another wording of the draft there is."""
    latest(code)
    return kept(code, code)


def kept(code: str, known: str) -> Page:
    """Have the bank keep the draft; what it refuses stands at its field."""
    path = address("conversion-rules", code or "-")
    draft = attempt(lambda: ask(BANK).put(path, rule_of(request.form)))
    if isinstance(draft, Answered):
        return form_page(known, request.form, at_fields(draft, FIELDS, PLACES)), draft.status
    return redirect(url_for("rules.rule", code=code, done="draft", version=draft["version"]))


def latest(code: str) -> Found:
    """The latest version of a rule; a 404 page where there is none."""
    versions = ask(BANK).get(address("conversion-rules", code))
    if not versions:
        raise Answered(NOT_FOUND, {"detail": ""})
    return max(versions, key=lambda one: int(one["version"]))


def form_page(code: str, given: Form, refusals: Mapping[str, str] | None = None) -> str:
    """The form as it was filled in; courses are chosen from the curriculum, where enrolment has one."""
    place = (given.get("programme", "").strip(), whole(given.get("entry_year", "")))
    has_place = bool(place[0]) and isinstance(place[1], int)
    curriculum = curricula_of([place])[place] if has_place else {}
    return render_template(
        "drafting.html",
        code=code,
        given=given,
        refusals=refusals or {},
        anywhere=ANYWHERE,
        has_place=has_place,
        programmes=every_or_none("enrolment", "/programmes") or [],
        schemes=every_or_none("assessment", "/schemes") or [],
        policies=documents(),
        courses=list(courses_of(curriculum)),
        rows=rows_of(given),
        kinds=KINDS,
        grade=GRADE,
    )


def documents() -> list[tuple[str, str]]:
    """The policy documents that are published, by code, with their titles."""
    versions = every(BANK, "/conversion-policies")
    published = {one["code"]: one for one in versions if one["state"] == "published"}
    return [(code, f"{one['title']} ({one['valid_from']} – {one['valid_until']})") for code, one in published.items()]


def courses_of(curriculum: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """What a curriculum's courses and modules are called, and their points, by `course/module`."""
    for course in curriculum.get("courses", ()):
        yield f"{course['code']}/", f"{course['code']} {course['name']}", course["credit_points"]
        for module in course["modules"]:
            title = f"{course['code']} {course['name']} · {module['code']} {module['name']}"
            yield f"{course['code']}/{module['code']}", title, module["credit_points"]


def rows_of(given: Form) -> list[dict[str, str]]:
    """The rows of courses that are filled in, and some more to fill."""
    names = ("target", "points", "grade", "exemption")
    columns = [given.getlist(name) for name in names]
    filled_in = [dict(zip(names, row, strict=False)) for row in zip(*columns, strict=False) if row[0]]
    return (filled_in + [{}] * SPARE_ROWS)[:MOST_ROWS]


def rule_of(form: Form) -> Found:
    """The rule that a form asks for, as the bank takes it."""
    return {
        "policy": form.get("policy", ""),
        "programme": form.get("programme", "").strip(),
        "entry_year": whole(form.get("entry_year", "")),
        "scheme": form.get("scheme", ""),
        "levels": [whole(one) for one in form.getlist("levels")],
        "targets": [target_of(one) for one in rows_of(form) if one],
        "valid_from": form.get("valid_from", "").strip(),
        "valid_until": filled(form.get("valid_until", "")),
        "note": form.get("note", "").strip(),
    }


def target_of(row: Mapping[str, str]) -> Found:
    """A course or module with its points; chosen from the curriculum, the points stand behind its code."""
    chosen, _, points = row["target"].partition("=")
    course, _, module = chosen.partition("/")
    return {
        "course": course.strip(),
        "module": module.strip(),
        "credit_points": whole(points or row.get("points", "")),
        "grade": row.get("grade", "").strip() or GRADE,
        "kind": row.get("exemption") or KINDS[0],
    }


def form_of(rule: Mapping[str, Any]) -> Form:
    """A form filled with what a version says."""
    names = ("policy", "programme", "entry_year", "scheme", "valid_from", "valid_until", "note")
    rows = [(name, str(rule[name] or "")) for name in names]
    rows += [("levels", str(one)) for one in rule["levels"]]
    return MultiDict([*rows, *fields_of(rule["targets"])])


def fields_of(targets: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The fields of a rule's courses, row by row."""
    for one in targets:
        yield "target", f"{one['course']}/{one['module']}={one['credit_points']}"
        yield "points", str(one["credit_points"])
        yield "grade", one["grade"]
        yield "exemption", one["kind"]
