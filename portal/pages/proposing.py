"""A change of what is recognised, put into a form: a new version, its retirement, or what is pinned moved to others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict

from chassis.web.client import Answered
from contracts.terms import LEVEL_NAMES, kind_of
from portal.pages.asking import NOT_FOUND, address, ask, every, every_or_none, request_key, scheme_names, source_names
from portal.pages.conversions import BANK, Found
from portal.pages.forms import ANYWHERE, at_fields, attempt, filled, whole
from portal.pages.frame import Page, signed_in
from portal.pages.rules import DECIDERS, READERS
from portal.pages.speech import level, say

pages = Blueprint("proposing", __name__)
KINDS = ("version", "retirement", "rerate")
POLICY_FIELDS = ("code", "title", "number", "url")
FIELDS: dict[str, set[str]] = {
    "version": {"place", "credit_points", "sessions_from", "sessions_until", "note", "supersedes"}
    | {f"policy-{one}" for one in POLICY_FIELDS},
    "retirement": {"place", "version", "retired_from"},
    "rerate": {"targets"},
}
# Which field the bank's refusals are about, by their codes, or by what the bank calls the field.
PLACES = {
    "scheme_malformed": "place",
    "level_outside_kind": "place",
    "scheme": "place",
    "level": "place",
    "rule_without_end": "sessions_until",
    "rule_ends_before_it_begins": "sessions_until",
    "rule_without_policy": "policy-code",
    "rule_overlaps": "supersedes",
    "rule_leaves_gap": "sessions_from",
    "rule_version_unknown": "version",
    "retired_outside": "retired_from",
    "rerate_target_repeated": "targets",
    "rerate_version_never_holds": "targets",
}
Form = MultiDict[str, str]


@pages.route("/recognition")
@signed_in(*READERS)
def worth() -> Page:
    """What every certificate and other source is worth today."""
    return render_template("recognition.html", rules=rules(), may_draft=may_draft(), schemes=titles())


@pages.route("/proposals/new")
@signed_in(*DECIDERS)
def new() -> Page:
    """The form of a proposal: first what it is about, then what it says."""
    return form_page(chosen_kind(request.args), request.args)


@pages.route("/proposals", methods=["POST"])
@signed_in(*DECIDERS)
def make() -> Page:
    """Make a proposal; sent twice it is one, and what the bank refuses stands at its field."""
    kind, form = chosen_kind(request.form), request.form
    body, key = change_of(kind, form), form.get("key") or request_key()
    made = attempt(lambda: ask(BANK).post("/recognition-proposals", body, idempotency_key=key))
    if isinstance(made, Answered):
        return form_page(kind, form, refusals=at_fields(made, FIELDS[kind], PLACES)), made.status
    return redirect(url_for("proposals.proposal", number=made["number"], done="made"))


@pages.route("/proposals/<int:number>/edit")
@signed_in(*DECIDERS)
def edit(number: int) -> Page:
    """The same form, filled with what a proposal says."""
    found = ask(BANK).get(address("recognition-proposals", str(number)))
    return form_page(found["kind"], form_of(found), number)


@pages.route("/proposals/<int:number>/edit", methods=["POST"])
@signed_in(*DECIDERS)
def keep(number: int) -> Page:
    """Say a proposal in other words; simulation and approvals are void then."""
    kind, form = chosen_kind(request.form), request.form
    path = address("recognition-proposals", str(number))
    kept = attempt(lambda: ask(BANK).put(path, change_of(kind, form)))
    if isinstance(kept, Answered):
        return form_page(kind, form, number, at_fields(kept, FIELDS[kind], PLACES)), kept.status
    return redirect(url_for("proposals.proposal", number=number, done="edited"))


def form_page(kind: str, given: Form, proposal: int = 0, refusals: Mapping[str, str] | None = None) -> str:
    """The form as it was filled in, beside the versions there are."""
    known, place = rules(), given.get("place", "")
    names = titles()
    return render_template(
        "proposing.html",
        kind=kind,
        kinds=KINDS,
        given=given,
        place=place,
        place_title=title_of(place, names) if place else "",
        places=list(places(place, names)),
        versions=next((one["versions"] for one in known if place_of(one) == place), []),
        movable=[(place_of(one), one) for one in known if len(one["versions"]) > 1] if kind == "rerate" else [],
        proposal=proposal,
        refusals=refusals or {},
        anywhere=ANYWHERE,
        key=given.get("key") or request_key(),
        schemes=names,
    )


def chosen_kind(given: Mapping[str, str]) -> str:
    """What kind of change is meant: a new version unless something else is said; a 404 page for none of them."""
    kind = given.get("kind", KINDS[0])
    if kind not in KINDS:
        raise Answered(NOT_FOUND, {"detail": ""})
    return kind


# --- what it is about ---------------------------------------------------------------------------------------------
def rules() -> list[Found]:
    """All recognition rules, each with its versions."""
    return every(BANK, "/recognition-rules")


def may_draft() -> bool:
    """Whether the person signed in makes proposals."""
    return bool(set(DECIDERS) & set(g.person.roles))


def titles() -> dict[str, str]:
    """What certificates and other sources are called, by code."""
    return scheme_names() | source_names()


def place_of(rule: Mapping[str, Any]) -> str:
    """A scheme and level as the form names them."""
    return f"{rule['scheme']}:{rule['level']}"


def title_of(place: str, names: Mapping[str, str]) -> str:
    """What a scheme and level are called; of what has one level alone, the scheme."""
    scheme, _, at = place.rpartition(":")
    word = level(int(at), scheme) if at.isdecimal() else ""
    return " ".join(filter(None, (names.get(scheme, scheme), word.strip("—"))))


def places(chosen: str, names: Mapping[str, str]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Every level that a rule may be about, in groups: certificates, the trainings for them, other sources."""
    schemes = every_or_none("assessment", "/schemes") or []
    certificates = [f"{one['scheme']}:{at}" for one in schemes for at in one["levels"]]
    others = [f"{source}:{at}" for source in source_names() for at in LEVEL_NAMES[kind_of(source)]]
    trainings = [one for one in (f"training.{each}" for each in certificates) if one not in others]
    strange = [chosen] if chosen and chosen not in {*certificates, *others, *trainings} else []
    for word, group in (("certificates", certificates), ("other_sources", [*strange, *others])):
        yield say(word), [(one, title_of(one, names)) for one in group]
    yield say("trainings"), [(one, title_of(one.removeprefix("training."), names)) for one in trainings]


# --- what it says -------------------------------------------------------------------------------------------------
def change_of(kind: str, form: Form) -> Found:
    """The change that a form asks for, as the bank takes it."""
    made = {"version": version_of, "retirement": retirement_of, "rerate": rerate_of}
    return {kind: made[kind](form)}


def about(form: Form) -> Found:
    """The scheme and level that a form is about."""
    scheme, _, at = form.get("place", "").rpartition(":")
    return {"scheme": scheme, "level": whole(at)}


def version_of(form: Form) -> Found:
    """A new version of a rule."""
    policy = {name: form.get(f"policy-{name}", "").strip() for name in POLICY_FIELDS}
    return about(form) | {
        "credit_points": whole(form.get("credit_points", "")),
        "sessions_from": form.get("sessions_from", "").strip(),
        "sessions_until": filled(form.get("sessions_until", "")),
        "policy": policy if any(policy.values()) else None,
        "note": form.get("note", "").strip(),
        "supersedes": [whole(one) for one in form.getlist("supersedes")],
    }


def retirement_of(form: Form) -> Found:
    """A version's last days."""
    return about(form) | {
        "version": whole(form.get("version", "")),
        "retired_from": form.get("retired_from", "").strip(),
    }


def rerate_of(form: Form) -> Found:
    """To which versions what is pinned is to be moved: those for which a version was chosen."""
    chosen = {name.removeprefix("to-"): form[name] for name in form if name.startswith("to-") and form[name]}
    places_chosen = [(*place.rpartition(":")[::2], version) for place, version in chosen.items()]
    return {"targets": [{"scheme": one, "level": whole(at), "version": whole(to)} for one, at, to in places_chosen]}


def form_of(proposal: Mapping[str, Any]) -> Form:
    """A form filled with what a proposal says."""
    said = proposal[proposal["kind"]]
    if proposal["kind"] == "rerate":
        return MultiDict({f"to-{place_of(one)}": str(one["version"]) for one in said["targets"]})
    plain = {
        name: str(value)
        for name, value in said.items()
        if name in FIELDS[proposal["kind"]] and isinstance(value, str | int)
    }
    policy = {f"policy-{name}": value for name, value in (said.get("policy") or {}).items()}
    rows: list[tuple[str, str]] = [("place", place_of(said)), *plain.items(), *policy.items()]
    superseded: Sequence[int] = said.get("supersedes", [])
    return MultiDict([*rows, *(("supersedes", str(one)) for one in superseded)])
