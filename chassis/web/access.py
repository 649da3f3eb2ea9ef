"""Who may do what: a route says `@allow(role, owning=...)`; with an undecorated route an application does not start."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ParamSpec, TypeVar

from flask import Flask, current_app, g, request

from chassis.errors import Defect, Ground, Refusal, Transient
from chassis.standing import must_be_sound

P = ParamSpec("P")
R = TypeVar("R")

TOKEN_MISSING = Ground(
    "token_missing",
    en="This needs a token: Authorization: Bearer ... Get one at the portal's /oauth/token.",
    zh="需要令牌（Authorization: Bearer …），请在门户 /oauth/token 获取。",
    status=401,
)
TOKEN_INVALID = Ground(
    "token_invalid",
    en="This token is not one of ours or was altered. Get a new one.",
    zh="令牌无效或已被改动，请重新获取。",
    status=401,
)
TOKEN_EXPIRED = Ground(
    "token_expired",
    en="This token has expired. Get a new one.",
    zh="令牌已过期，请重新获取。",
    status=401,
)
WRONG_AUDIENCE = Ground(
    "wrong_audience",
    en="This token is for another service. Get one with audience={audience}.",
    zh="该令牌用于其他服务，请以 audience={audience} 重新获取。",
    status=401,
)
ROLE_NOT_ALLOWED = Ground(
    "role_not_allowed",
    en="Your role may not do this. It takes one of: {roles}.",
    zh="您的角色无权进行此操作，需要：{roles}。",
    status=403,
)
OUTSIDE_YOUR_SCOPE = Ground(
    "outside_your_scope",
    en="This belongs to someone else; you may only act for your own.",
    zh="此内容不属于您的权限范围，只能操作本人或本单位的内容。",
    status=403,
)
PERSON_NEEDED = Ground(
    "person_needed",
    en="This takes the decision of a person, who has signed in at the portal. A machine's own token does not count.",
    zh="此事须由本人登录门户后作出决定，系统账号（机器客户端）的令牌无效。",
    status=403,
)

SAFE = {"GET", "HEAD", "OPTIONS"}
INVALID = 'Bearer realm="onex", error="invalid_token"'
MISSING = 'Bearer realm="onex"'
INSUFFICIENT = 'Bearer realm="onex", error="insufficient_scope"'


@dataclass(frozen=True)
class Caller:
    """Who is asking, as the token says. Empty `owns` means the whole college."""

    subject: str
    client_id: str
    roles: frozenset[str]
    owns: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def is_person(self) -> bool:
        """Whether somebody signed in: people come by the portal's client, a machine is its own (RFC 9068, 2.2)."""
        return self.subject != self.client_id

    def is_only(self, role: StrEnum) -> bool:
        """Whether the caller acts in this role and no other."""
        return self.roles == {role}

    def reads_as(self, role: StrEnum, kind: str, one: str) -> bool:
        """Whether the caller reads about this one as whom it is about: in this role alone, or owning it, whatever else
        they are."""
        return self.is_only(role) or one in self.owns.get(kind, ())

    def may_touch(self, resource: Mapping[str, str | None]) -> bool:
        """Whether the resource is one of the caller's own, by one of its kinds."""
        return not self.owns or any(resource.get(kind) in ids for kind, ids in self.owns.items())


@dataclass(frozen=True)
class Access:
    """What a route asks of its caller; no roles at all: it is public."""

    roles: tuple[StrEnum, ...] = ()
    owning: bool = False
    by_person: bool = False
    whole_college: bool = False

    def check(self, who: Caller) -> None:
        """Refuse whom this keeps out."""
        refusal = self.objection(who)
        if refusal is not None:
            raise refusal

    def objection(self, who: Caller) -> Refusal | None:
        """Why a caller is kept out: without one of the roles, a machine where a person is needed, limited where the
        whole college is concerned."""
        if who.roles.isdisjoint(self.roles):
            return ROLE_NOT_ALLOWED(roles=", ".join(self.roles), challenge=INSUFFICIENT)
        if self.by_person and not who.is_person:
            return PERSON_NEEDED(challenge=INSUFFICIENT)
        if self.whole_college and who.owns:
            return OUTSIDE_YOUR_SCOPE(challenge=INSUFFICIENT)
        return None

    @property
    def cell(self) -> str:
        """How the table says that a role is let in."""
        how = "college" if self.whole_college else "own" if self.owning else "yes"
        return f"{how}, person" if self.by_person else how


def allow(
    *roles: StrEnum,
    owning: Callable[..., Mapping[str, str | None]] | None = None,
    by_person: bool = False,
    whole_college: bool = False,
    while_set_back: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let these roles in; with `owning`, a caller who is limited to his own must own the resource.

    `owning` gets the route's keyword arguments and returns {kind: id}. `by_person`: what is approved or decided by a
    person's judgement; no machine is let in. `whole_college`: what concerns everybody's; no limited caller is let in.
    Stands directly under `@blp.route`. What is not merely read is `SetBack` while the database was set back, but for
    `while_set_back`.
    """
    if not roles:
        raise ValueError("a route allows somebody; what everybody may see is `@public`")
    if owning and whole_college:
        raise ValueError("what belongs to somebody does not concern the whole college")
    access = Access(roles, owning is not None, by_person, whole_college)

    def mark(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            access.check(caller())
            if owning is not None and caller().owns:
                check_scope(owning(**kwargs))
            if request.method not in SAFE and not while_set_back:
                must_be_sound()
            return view(*args, **kwargs)

        return marked(guarded, access)

    return mark


def check_scope(resource: Mapping[str, str | None]) -> None:
    """Refuse the caller unless the resource, {kind: id}, is one of his own or he is not limited."""
    if not caller().may_touch(resource):
        raise OUTSIDE_YOUR_SCOPE(challenge=INSUFFICIENT)


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Mark a route that needs no token."""

    @functools.wraps(view)
    def open_to_all(*args: P.args, **kwargs: P.kwargs) -> R:
        return view(*args, **kwargs)

    return marked(open_to_all, Access())


def marked(view: Callable[P, R], access: Access) -> Callable[P, R]:
    """A view that says what it asks of its caller."""
    view.onex_access = access  # type: ignore[attr-defined]
    view.onex_outermost = view  # type: ignore[attr-defined]
    return view


def caller() -> Caller:
    """Who is asking; Refusal when the request carries no good token."""
    if "caller" not in g:
        g.caller = current_app.extensions["onex.tokens"].caller_of(_bearer())
    found: Caller = g.caller
    return found


def caller_if_any() -> Caller | None:
    """Who is asking, or None; for what must not fail, such as counting requests."""
    try:
        return caller()
    except (Refusal, Transient):
        return None


def owned(kind: str) -> set[str] | None:
    """The ids of a kind the caller is limited to; None when he is not limited at all."""
    owns = caller().owns
    return set(owns.get(kind, ())) if owns else None


def _bearer() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TOKEN_MISSING(challenge=MISSING)
    return token.strip()


@dataclass(frozen=True)
class Entrance:
    """One method of one route, and what it asks."""

    method: str
    rule: str
    endpoint: str
    access: Access


def entrances(app: Flask) -> Iterator[Entrance]:
    """Every method of every route; Defect for one that does not say who may use it."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        if rule.endpoint == "static" or rule.endpoint.endswith(".static"):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield Entrance(method, rule.rule, rule.endpoint, _access_of(app, rule.endpoint, method))


def _access_of(app: Flask, endpoint: str, method: str) -> Access:
    view: Any = app.view_functions[endpoint]
    view = getattr(getattr(view, "view_class", None), method.lower(), view)
    access = getattr(view, "onex_access", None)
    if not isinstance(access, Access):
        raise Defect(f"{endpoint} ({method}) says neither @allow nor @public")
    if view.onex_outermost is not view:
        raise Defect(f"{endpoint} ({method}): @allow stands directly under @blp.route, above everything else")
    return access


def check_access(app: Flask) -> None:
    """Refuse to start an application with a route nobody has thought about."""
    if not list(entrances(app)):
        raise Defect("an application without routes")


def access_table(app: Flask, roles: Iterable[StrEnum]) -> list[tuple[str, str, list[str]]]:
    """(method, route, cells): a cell for the caller without a token and then each role, empty for whom is kept out.

    `own`: a caller limited to his own must own the resource; one who is not limited is let in. `college`: only who is
    not limited is let in. `yes`: either. With `person` behind it: no machine is let in.
    """
    everybody = list(roles)
    return [(one.method, one.rule, _cells(one.access, everybody)) for one in entrances(app)]


def _cells(access: Access, roles: list[StrEnum]) -> list[str]:
    if not access.roles:
        return ["yes"] * (len(roles) + 1)
    return ["", *(access.cell if role in access.roles else "" for role in roles)]


def access_page(app: Flask, roles: Iterable[StrEnum]) -> str:
    """The table as Markdown, for docs/access.md."""
    everybody = list(roles)
    lines = [
        "| method | route | no token | " + " | ".join(everybody) + " |",
        "|---|---|---|" + "---|" * len(everybody),
    ]
    for method, rule, cells in access_table(app, everybody):
        lines.append(f"| {method} | `{rule}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
