"""Results by plan, and the command that closes a publicity."""

from __future__ import annotations

from flask import Blueprint, g, redirect, render_template, request, url_for

from contracts.terms import Role
from portal.pages.asking import address, ask, every, scheme_names
from portal.pages.frame import STAFF, Page, signed_in

pages = Blueprint("results", __name__)
SHOWN = 50


@pages.route("/results")
@signed_in(*STAFF, Role.TEO)
def plans() -> Page:
    """The plans whose results may be seen."""
    return render_template("plans.html", plans=every("assessment", "/plans"), schemes=scheme_names())


@pages.route("/results/<teo>/<plan>")
@signed_in(*STAFF, Role.TEO)
def of_plan(teo: str, plan: str) -> Page:
    """A plan's results, page by page."""
    return plan_page(teo, plan)


@pages.route("/results/<teo>/<plan>/close", methods=["POST"])
@signed_in(Role.OPERATOR, Role.EXAM_OFFICE)
def close(teo: str, plan: str) -> Page:
    """Have the plan's open results made final."""
    due = ask("assessment").post(address("teos", teo, "plans", plan, "publicity", "close"))["due"]
    return redirect(url_for("results.of_plan", teo=teo, plan=plan, closing=due))


def plan_page(teo: str, plan: str) -> str:
    """The page of one plan."""
    assessment, where = ask("assessment"), address("teos", teo, "plans", plan)
    roles = set(g.person.roles)
    return render_template(
        "results.html",
        plan=assessment.get(where),
        teo=teo,
        code=plan,
        page=assessment.get(f"{where}/results", cursor=request.args.get("cursor"), limit=SHOWN),
        schemes=scheme_names(),
        may_close=bool({Role.OPERATOR, Role.EXAM_OFFICE} & roles),
        may_follow=bool({Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR} & roles),
        closing=request.args.get("closing", type=int),
    )
