"""What all pages share: language, the person signed in, calls to services, and errors as pages."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any, ParamSpec, cast

from flask import Blueprint, Flask, Response, current_app, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from chassis.clock import CAMPUS
from chassis.errors import Refusal, Transient
from chassis.web.access import Access, marked, public
from chassis.web.client import Answered, Client
from contracts.terms import Role
from portal.identity import sessions
from portal.pages.words import Language, level_word, word

P = ParamSpec("P")
Page = str | AnyResponse | tuple[str, int]

PROBLEM = "application/problem+json"
LANGUAGE_COOKIE = "language"
LANGUAGE_SECONDS = 365 * 24 * 3600
ANSWER_SECONDS = 8.0
HTTP_NOT_FOUND = 404
MAX_UPLOAD_BYTES = 32 * 1024 * 1024
STAFF = (Role.REGISTRY, Role.DEPARTMENT, Role.TRAINER, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR)
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
    app.add_template_filter(moment)
    app.add_template_filter(points)
    app.context_processor(lambda: {"person": g.get("person"), "nav": menu()})
    app.after_request(harden)


def language() -> Language:
    """The reader's language: as chosen, else as the browser asks, else Chinese."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in ("zh", "en"):
        return cast("Language", chosen)
    return "en" if request.accept_languages.best_match(["zh", "en"]) == "en" else "zh"


def say(name: str, *facts: object) -> str:
    """A word in the reader's language."""
    return word(name, language(), *facts)


def level(number: int | None) -> str:
    """A level in the reader's language."""
    return level_word(number, language())


def moment(text: str | datetime | None, with_milliseconds: bool = False) -> str:
    """An instant as the campus clock shows it."""
    if not text:
        return "—"
    at = (datetime.fromisoformat(text) if isinstance(text, str) else text).astimezone(CAMPUS)
    return at.strftime("%Y-%m-%d %H:%M:%S") + (f".{at.microsecond // 1000:03d}" if with_milliseconds else "")


def points(number: int) -> str:
    """A change of points with its sign."""
    return f"+{number}" if number > 0 else f"−{-number}" if number < 0 else "0"


def menu() -> list[tuple[str, str]]:
    """The pages of the person signed in: (word, endpoint)."""
    person = g.get("person")
    if person is None:
        return []
    roles = set(person.roles)
    entries = [("account", "learner.account"), ("mailbox", "learner.mailbox")] if Role.LEARNER in roles else []
    if roles & set(STAFF):
        entries.append(("overview", "staff.overview"))
    if roles & {Role.REGISTRY, Role.TRAINER, Role.EXAM_OFFICE, Role.TEO}:
        entries.append(("sheets", "sheets.shelf"))
    if roles & {*STAFF, Role.TEO}:
        entries.append(("results", "results.plans"))
    if roles & {Role.REGISTRY, Role.EXAM_OFFICE, Role.OPERATOR, Role.AUDITOR}:
        entries.append(("learners", "staff.learners"))
    return entries


def signed_in(*roles: Role) -> Callable[[Callable[P, Page]], Callable[P, Page]]:
    """A page for people with one of these roles; others are sent to sign in, or told that it is not theirs."""

    def mark(view: Callable[P, Page]) -> Callable[P, Page]:
        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Page:
            g.person = sessions.current_user()
            if g.person is None:
                return redirect(url_for("signing.sign_in", then=wanted()))
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


def wanted() -> str:
    """The page to come back to after signing in: the one asked for, if asking again does no harm."""
    return request.full_path.rstrip("?") if request.method == "GET" else ""


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
        names = {404: "not_found", 403: "page_forbidden"}
        return trouble(names.get(problem.status, ""), problem.status, problem.detail)


def trouble(name: str, status: int, detail: str = "") -> tuple[str, int]:
    """A page that says what is wrong."""
    return render_template("trouble.html", name=name, detail=detail), status


def ask(service: str) -> Client:
    """A service, asked as the person signed in; kept for this request."""
    kept: dict[str, Client] = g.setdefault("clients", {})
    if service not in kept:
        address = current_app.extensions["portal.settings"].service_urls[service]
        token = sessions.token_for(service)
        kept[service] = Client(address, token=lambda: token, language=language(), answer_seconds=ANSWER_SECONDS)
    return kept[service]


def harden(response: Response) -> Response:
    """Headers of a page: nothing from elsewhere, framed by nobody, not kept by others; the clients are closed."""
    for client in g.pop("clients", {}).values():
        client.close()
    if response.mimetype == PROBLEM and request.accept_mimetypes.best == "text/html":
        response.data = render_template(
            "trouble.html", name="", detail=(response.get_json(force=True) or {}).get("detail", "")
        )
        response.mimetype = "text/html"
    if response.mimetype == "text/html" and "Content-Security-Policy" not in response.headers:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Cache-Control"] = "no-store"
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response


def scheme_names() -> dict[str, str]:
    """The schemes' names by code, as assessment has them."""
    return {one["scheme"]: one["name"] for one in every("assessment", "/schemes")}


def every(service: str, path: str, limit: int = 2000, **query: Any) -> list[dict[str, Any]]:
    """All items of a list, page by page, up to a limit."""
    found: list[dict[str, Any]] = []
    cursor = None
    while len(found) < limit:
        page = ask(service).get(path, cursor=cursor, limit=min(500, limit), **query)
        if isinstance(page, list):
            return page
        found += page["items"]
        cursor = page["next"]
        if not cursor:
            break
    return found


def found_or_none(read: Callable[[], Any]) -> Any:
    """What a service has, or None where it has nothing."""
    try:
        return read()
    except Answered as problem:
        if problem.status != HTTP_NOT_FOUND:
            raise
        return None


def request_key() -> str:
    """A fresh name for a request that must count once."""
    return secrets.token_urlsafe(16)
