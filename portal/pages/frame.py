"""What all pages share: the person signed in, the menu, and errors as pages."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, g, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from chassis.errors import Refusal, Transient
from chassis.web.access import Access, marked, public
from chassis.web.client import Answered
from chassis.web.problems import on_http_error
from contracts.terms import Role
from portal.identity import sessions
from portal.pages.asking import close_clients
from portal.pages.speech import language, level, moment, points, say, span

P = ParamSpec("P")
Page = str | AnyResponse | tuple[str, int]

PROBLEM = "application/problem+json"
# What is wrong, by status, where the page itself has no better word.
TROUBLES = {
    403: "page_forbidden",
    404: "page_missing",
    405: "page_missing",
    413: "file_too_large",
    429: "too_many_requests",
    500: "page_broken",
    503: "page_unavailable",
}
MAX_UPLOAD_BYTES = 32 * 1024 * 1024
STAFF = (Role.REGISTRY, Role.DEPARTMENT, Role.TRAINER, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
# The menu: word, endpoint, and whose it is.
MENU: tuple[tuple[str, str, tuple[Role, ...]], ...] = (
    ("account", "learner.account", (Role.LEARNER,)),
    ("mailbox", "learner.mailbox", (Role.LEARNER,)),
    ("overview", "staff.overview", STAFF),
    ("sheets", "sheets.shelf", (Role.REGISTRY, Role.TRAINER, Role.EXAM_OFFICE, Role.TEO)),
    ("results", "results.plans", (*STAFF, Role.TEO)),
    ("worklist", "worklist.shelf", (Role.DEPARTMENT, Role.REGISTRY, Role.TEO, Role.OPERATOR, Role.AUDITOR)),
    ("rescues", "rescues.shelf", (Role.DEPARTMENT, Role.REGISTRY, Role.OPERATOR)),
    ("reconciliation", "reconciliations.shelf", (Role.REGISTRY, Role.TEO, Role.OPERATOR, Role.AUDITOR)),
    ("outcomes", "outcomes.shelf", (Role.REGISTRY, Role.EXAM_OFFICE, Role.TEO, Role.OPERATOR, Role.AUDITOR)),
    ("learners", "staff.learners", (Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)),
    ("dead_letters", "letters.shelf", (Role.OPERATOR, Role.AUDITOR)),
)
POLICY = "; ".join(
    [
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("style", "script", "img", "connect")),
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


frame = Blueprint(
    "frame", __name__, static_folder="../static", static_url_path="/static", template_folder="../templates"
)


def dress(app: Flask) -> None:
    """Give an application's templates what they use, and its pages their headers."""
    app.register_blueprint(frame)
    app.add_template_global(say)
    app.add_template_global(level)
    app.add_template_global(language)
    app.add_template_global(sessions.csrf_token, "csrf_token")
    app.add_template_global(here)
    app.jinja_env.globals["max_upload_bytes"] = MAX_UPLOAD_BYTES
    app.add_template_filter(moment)
    app.add_template_filter(points)
    app.add_template_filter(span)
    app.context_processor(lambda: {"person": g.get("person"), "nav": menu(), "section": section()})
    app.register_error_handler(404, missing)
    app.after_request(harden)


def menu() -> list[tuple[str, str]]:
    """The pages of the person signed in: (word, endpoint)."""
    person = g.get("person")
    held = set(person.roles) if person else set()
    return [(name, endpoint) for name, endpoint, roles in MENU if held & set(roles)]


def section() -> str:
    """The entry of the menu to which this page belongs."""
    rooms = {"sheets": "sheets.shelf", "results": "results.plans", "lives": "results.plans", "letters": "letters.shelf"}
    rooms |= {"applying": "learner.account", "why": "staff.learners"}
    rooms |= dict.fromkeys(
        (
            "worklist",
            "delegations",
            "exports",
            "rules",
            "proposals",
            "proposing",
            "drafting",
            "policies",
            "simulations",
        ),
        "worklist.shelf",
    )
    rooms |= dict.fromkeys(("reconciliations", "report_columns"), "reconciliations.shelf")
    rooms["outcomes"] = "outcomes.shelf"
    own = {"learner.account_of": "staff.learners", "why.own": "learner.account"}
    own |= {"planning.own": "learner.account", "planning.of_learner": "rescues.shelf"}
    return own.get(request.endpoint or "", rooms.get(request.blueprint or "", request.endpoint or ""))


def signed_in(*roles: Role) -> Callable[[Callable[P, Page]], Callable[P, Page]]:
    """A page for people with one of these roles; others are sent to sign in, or told that it is not theirs."""

    def mark(view: Callable[P, Page]) -> Callable[P, Page]:
        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Page:
            g.person = sessions.current_user()
            if g.person is None:
                return to_sign_in()
            if not set(roles) & set(g.person.roles):
                return trouble("page_forbidden", 403)
            return answered(lambda: view(*args, **kwargs))

        return marked(guarded, Access(roles))

    return mark


def open_page(view: Callable[P, Page]) -> Callable[P, Page]:
    """A page for anybody."""

    @functools.wraps(view)
    def shown(*args: P.args, **kwargs: P.kwargs) -> Page:
        g.person = sessions.current_user()
        return view(*args, **kwargs)

    return public(shown)


def here() -> str:
    """The page the reader is on: the one asked for, or the one whose form was sent."""
    if request.method == "GET":
        return request.full_path.rstrip("?")
    page = urlsplit(request.headers.get("Referer", ""))
    return page._replace(scheme="", netloc="").geturl() if page.netloc == request.host else ""


def way_back(wanted: str) -> str:
    """Where to go: a page of ours as it was asked for, else the first page."""
    return sessions.safe_next(wanted if wanted.isprintable() else "")


def to_sign_in() -> AnyResponse:
    """Off to sign in and back again; who was signed in hears that the session is over, and that a form was lost."""
    over = None
    if sessions.cookie_name() in request.cookies:
        over = "page" if request.method == "GET" else "form"
    return redirect(url_for("signing.sign_in", then=here() or None, over=over))


def answered(view: Callable[[], Page]) -> Page:
    """The page, or what a service said instead of answering it; what changes something needs the session's token."""
    try:
        if request.method != "GET":
            request.max_content_length = MAX_UPLOAD_BYTES
            sessions.check_csrf()
        return view()
    except Refusal as refusal:
        return trouble("", refusal.ground.status, refusal.sentence(language()))
    except Transient:
        return trouble("page_unavailable", 503)
    except Answered as problem:
        if problem.status == 404:
            return trouble("not_found", 404)
        return trouble("page_forbidden" if problem.status == 403 else "", problem.status, problem.detail)


def trouble(name: str, status: int, detail: str = "") -> tuple[str, int]:
    """A page that says what is wrong."""
    return render_template("trouble.html", name=name or "not_done", detail=detail, may_retry=status == 503), status


def missing(error: HTTPException) -> Any:
    """An address where nothing is: a page for people, a problem document for machines."""
    if not is_browser():
        return on_http_error(error)
    g.person = sessions.current_user()
    return trouble("page_missing", 404)


def is_browser() -> bool:
    """Whether a page is wanted rather than a document."""
    wanted = request.accept_mimetypes
    return wanted.quality("text/html") > wanted.quality(PROBLEM)


def harden(response: Response) -> Response:
    """Headers of a page: nothing from elsewhere, framed by nobody, not kept by others; the clients are closed."""
    close_clients()
    if response.mimetype == PROBLEM and is_browser():
        show_as_page(response)
    if response.mimetype == "text/html" and "Content-Security-Policy" not in response.headers:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Cache-Control"] = "no-store"
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response


def show_as_page(response: Response) -> None:
    """Turn a problem document into a page: in our words, else in the document's."""
    name = TROUBLES.get(response.status_code, "")
    detail = "" if name else (response.get_json(force=True) or {}).get("detail", "")
    response.data = trouble(name, response.status_code, detail)[0]
    response.mimetype = "text/html"
