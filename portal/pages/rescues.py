"""Who would miss graduation, by how much, and which unspent credits would save them; drawn and told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from flask import Blueprint, render_template, request

from chassis import clock
from chassis.web.client import Answered
from contracts.terms import Role
from portal.pages.asking import FILE_SECONDS, ask, every_or_none, scheme_names
from portal.pages.conversions import BANK, Found
from portal.pages.drawings import drawn
from portal.pages.frame import Page, signed_in

pages = Blueprint("rescues", __name__)
READERS = (Role.REGISTRY, Role.DEPARTMENT, Role.OPERATOR)
FILTERS = ("programme", "entry_year", "term")
RECORDS_A_PAGE = 100
COURSES_SHOWN = 3  # of one student at once; the rest unfolds
REFUSED = 422
AUTUMN, SPRING = 8, 2  # the months in which the first and the second term of a school year begin


@pages.route("/graduation-rescues")
@signed_in(*READERS)
def shelf() -> Page:
    """The list of a programme and entry year, page by page; what the bank refuses to look at is said."""
    chosen = {name: request.args.get(name, "").strip() for name in FILTERS}
    page, refusal = page_of(chosen) if chosen["programme"] and chosen["entry_year"] else (None, "")
    found = page["items"] if page else []
    body = render_template(
        "rescues.html",
        chosen=chosen | {"term": chosen["term"] or term_of(clock.today())},
        programmes=every_or_none("enrolment", "/programmes") or [],
        page=page,
        refusal=refusal,
        saved=sum(one["is_saved"] for one in found),
        drawing=drawing_of(found),
        records=RECORDS_A_PAGE,
        courses_shown=COURSES_SHOWN,
        schemes=scheme_names() if found else {},
    )
    return (body, REFUSED) if refusal else body


def page_of(chosen: Found) -> tuple[Found | None, str]:
    """One page of the list, or why there is none."""
    asked = chosen | {"term": chosen["term"] or term_of(clock.today())}
    cursor = request.args.get("cursor")
    try:
        return ask(BANK, FILE_SECONDS).get("/graduation-rescues", cursor=cursor, limit=RECORDS_A_PAGE, **asked), ""
    except Answered as refusal:
        if refusal.status != REFUSED:
            raise
        return None, refusal.detail


def term_of(day: date) -> str:
    """The term that a day lies in, such as 2021-2022-1."""
    year = day.year if day.month >= AUTUMN else day.year - 1
    return f"{year}-{year + 1}-{2 if SPRING <= day.month < AUTUMN else 1}"


def drawing_of(found: Sequence[Found]) -> dict[str, Any]:
    """By class, who would be saved to the right and who would not to the left."""
    counted = Counter((one["class_name"], one["is_saved"]) for one in found)
    classes = sorted({name for name, _ in counted})
    rows = [{"class_name": name, "saved": counted[name, True], "lost": counted[name, False]} for name in classes]
    return drawn(rows, "saved", "lost")
