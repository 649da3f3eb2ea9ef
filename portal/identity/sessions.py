"""A person at a browser: signed in by a cookie that says nothing, kept here, and gone after half an hour of silence.

For pages: `current_user()`, `csrf_token()` in every form and `check_csrf()` where one arrives, `token_for(audience)` to
speak to a service as this person. The form that signs in calls `check_same_origin()`, since it has no session yet.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from flask import Response, after_this_request, g, request

from chassis.database import collection_of
from chassis.errors import NOT_FOUND, Defect, Ground
from portal.identity.audit.commands import Act, record
from portal.identity.people.commands import verify
from portal.identity.people.domain import User
from portal.identity.people.models import IDLE_MINUTES, Sessions
from portal.identity.people.queries import find_user
from portal.identity.tokens.api import mint
from portal.identity.tokens.domain import AUDIENCES, PORTAL, Grant

LONGEST_HOURS = 12
TOUCH_SECONDS = 60
CSRF_FIELD, CSRF_HEADER = "csrf_token", "X-CSRF-Token"

FORM_EXPIRED = Ground(
    "form_expired",
    en="This form is too old or came from elsewhere. Load the page again and send it once more.",
    zh="表单已过期或来源不正确，请刷新页面后重新提交。",
    status=403,
)
NOT_SIGNED_IN = Ground("not_signed_in", en="Sign in first.", zh="请先登录。", status=401)


@dataclass(frozen=True)
class Session:
    """A signed-in browser. `secret` is what its cookie holds; only its digest is stored."""

    secret: str
    user: User
    csrf: str


def sign_in(name: str, password: str) -> Session:
    """Sign a person in at this browser and have the answer set the cookie; Refusal when name and password do not fit.

    A session this browser had is ended: nobody can plant one beforehand.
    """
    user = verify(name, password)
    _forget(request.cookies.get(cookie_name(), ""))
    now = datetime.now(UTC)
    session = Session(secrets.token_urlsafe(32), user, secrets.token_urlsafe(32))
    row = {"_id": _digest(session.secret), "user": user.name, "csrf": session.csrf, "started_at": now, "seen_at": now}
    collection_of(Sessions).insert_one(row)
    g.session = session
    after_this_request(lambda response: _set_cookie(response, session.secret))
    return session


def sign_out() -> None:
    """End the session of this browser, if it has one."""
    session = current_session()
    if session is not None:
        _forget(session.secret)
        record(session.user.name, Act.SIGNED_OUT)
    g.session = None
    after_this_request(_drop_cookie)


def current_session() -> Session | None:
    """The session of this browser, unless it has been silent for too long."""
    if "session" not in g:
        g.session = _read(request.cookies.get(cookie_name(), ""))
    found: Session | None = g.session
    return found


def current_user() -> User | None:
    """Who is signed in at this browser."""
    session = current_session()
    return session.user if session else None


def token_for(audience: str) -> str:
    """A short token with which to speak to a service as the person who is signed in."""
    user = _signed_in()
    tokens: dict[str, str] = g.setdefault("tokens", {})
    if audience not in tokens:
        tokens[audience] = mint().issue(Grant(user.name, PORTAL, user.roles, user.owns), audience)
    return tokens[audience]


def give_token(audience: str) -> str:
    """A token that leaves the portal, for a person who speaks to a service directly; who got it stands in the audit."""
    if audience not in AUDIENCES:
        raise NOT_FOUND(what="service", id=audience[:60])
    token = token_for(audience)
    record(_signed_in().name, Act.TOKEN_ISSUED, audience)
    return token


def _signed_in() -> User:
    user = current_user()
    if user is None:
        raise NOT_SIGNED_IN()
    return user


def csrf_token() -> str:
    """What every form of this session carries in the field `csrf_token`."""
    session = current_session()
    return session.csrf if session else ""


def check_csrf() -> None:
    """Refuse a form that is not from this session's own pages."""
    sent = request.form.get(CSRF_FIELD) or request.headers.get(CSRF_HEADER, "")
    session = current_session()
    if session is None or not hmac.compare_digest(sent.encode(), session.csrf.encode()):
        raise FORM_EXPIRED()


def check_same_origin() -> None:
    """Refuse a form that another site made this browser send; for forms before there is a session."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise FORM_EXPIRED()
    origin = request.headers.get("Origin")
    if origin and origin != "null" and urlsplit(origin).netloc != request.host:
        raise FORM_EXPIRED()


def safe_next(wanted: str | None) -> str:
    """Where to go after signing in: a page of ours, never another site."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or not wanted.isprintable():
        return "/"
    return wanted


def cookie_name() -> str:
    """Under https the name itself forbids other hosts and paths to set it."""
    return "__Host-onex" if _is_https() else "onex"


def _read(secret: str) -> Session | None:
    if not secret:
        return None
    now = datetime.now(UTC)
    row = collection_of(Sessions).find_one({"_id": _digest(secret)})
    if row is None or row["seen_at"] < now - timedelta(minutes=IDLE_MINUTES):
        return None
    user = find_user(row["user"])
    if user is None or user.disabled or row["started_at"] < now - timedelta(hours=LONGEST_HOURS):
        _forget(secret)
        return None
    if row["seen_at"] < now - timedelta(seconds=TOUCH_SECONDS):
        collection_of(Sessions).update_one({"_id": row["_id"]}, {"$set": {"seen_at": now}})
    return Session(secret, user, row["csrf"])


def _forget(secret: str) -> None:
    if secret:
        collection_of(Sessions).delete_one({"_id": _digest(secret)})


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _set_cookie(response: Response, secret: str) -> Response:
    response.set_cookie(cookie_name(), secret, httponly=True, samesite="Lax", secure=_is_https(), path="/")
    return response


def _drop_cookie(response: Response) -> Response:
    response.delete_cookie(cookie_name(), path="/", httponly=True, samesite="Lax", secure=_is_https())
    return response


def _is_https() -> bool:
    url = mint().name
    if not url:
        raise Defect("the portal does not know its own address")
    return url.startswith("https://")
