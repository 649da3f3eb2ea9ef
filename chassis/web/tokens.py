"""Tokens are verified offline: ES256, typed at+jwt, by the portal's published keys."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol

import httpx
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet
from joserfc.jws import extract_compact

from chassis.errors import Transient
from chassis.watch import log
from chassis.web.access import INVALID, TOKEN_EXPIRED, TOKEN_INVALID, WRONG_AUDIENCE, Caller

ALGORITHM = "ES256"
TYPE = "at+jwt"
REFETCH_SECONDS = 10.0  # at most this often because of an unknown key
KEEP_SECONDS = 600.0
REMEMBERED_TOKENS = 2_000
MAX_TOKEN_BYTES = 8_192
NO_KEYS = "the portal's keys can't be had"
CLOCKS_APART_SECONDS = 60.0  # a token from a clock that is ahead of ours by less is no forgery


class Issuer(msgspec.Struct, frozen=True):
    """Who issues tokens, and the public keys they are signed with, by key id."""

    name: str
    keys: Mapping[str, ECKey]


class Trust(Protocol):
    """Where an application learns whom to trust."""

    def issuer(self, stale: bool = False) -> Issuer:
        """The issuer as known; with `stale`, asked again unless that was done a moment ago."""
        ...


class PortalTrust:
    """The issuer as the portal publishes it, kept for ten minutes and used on while the portal is away."""

    def __init__(self, portal_url: str) -> None:
        self._url = portal_url.rstrip("/")
        self._lock = threading.Lock()
        self._issuer: Issuer | None = None
        self._asked_at = float("-inf")
        self._failed_at = float("-inf")

    def issuer(self, stale: bool = False) -> Issuer:
        """The issuer; only the first to find it too old asks the portal, the others go on with what is known."""
        known = self._issuer
        if known is None:
            return self._first()
        age = time.monotonic() - self._asked_at
        if age > (REFETCH_SECONDS if stale else KEEP_SECONDS) and self._lock.acquire(blocking=False):
            try:
                self._asked_at = time.monotonic()
                known = self._ask()
            except Transient as error:
                log.info("the portal does not answer, its keys are used on", error=str(error))
            finally:
                self._lock.release()
        return known

    def _first(self) -> Issuer:
        """Before the first answer nobody can go on; who waited while another asked in vain does not ask again."""
        began = time.monotonic()
        with self._lock:
            if self._issuer is not None:
                return self._issuer
            if self._failed_at > began:
                raise Transient(NO_KEYS)
            return self._ask()

    def _ask(self) -> Issuer:
        try:
            with httpx.Client(base_url=self._url, timeout=3.0) as portal:
                about = portal.get("/.well-known/oauth-authorization-server").raise_for_status().json()
                keys = portal.get("/.well-known/jwks.json").raise_for_status().json()
            self._issuer = issuer_of(about["issuer"], keys)
        except (httpx.HTTPError, ValueError, KeyError, JoseError) as error:
            self._failed_at = time.monotonic()
            raise Transient(NO_KEYS) from error
        self._asked_at = time.monotonic()
        return self._issuer


def issuer_of(name: str, jwks: Any) -> Issuer:
    """An issuer from its name and its JWKS document."""
    keys = KeySet.import_key_set(jwks).keys
    return Issuer(name, {key.kid: key for key in keys if isinstance(key, ECKey) and key.kid})


class Claims(msgspec.Struct):
    iss: str
    sub: str
    aud: str
    exp: float
    client_id: str
    roles: list[str]
    owns: dict[str, list[str]] = {}
    iat: float = 0
    nbf: float = 0


class Tokens:
    """Turns a token for one audience into its caller; good ones are remembered until they expire."""

    def __init__(self, audience: str, trust: Trust, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._audience = audience
        self._trust = trust
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    def caller_of(self, token: str) -> Caller:
        """The caller; Refusal when the token is bad, Transient while no key can be had."""
        with self._lock:
            known = self._known.get(token)
        if known is None:
            claims = self._claims(token)
            owns = {kind: frozenset(ids) for kind, ids in claims.owns.items()}
            known = claims.exp, Caller(claims.sub, claims.client_id, frozenset(claims.roles), owns)
        expires, caller = known
        if expires <= self._clock():
            raise TOKEN_EXPIRED(challenge=INVALID)
        self._remember(token, known)
        return caller

    def _remember(self, token: str, known: tuple[float, Caller]) -> None:
        with self._lock:
            self._known[token] = known
            self._known.move_to_end(token)
            if len(self._known) > REMEMBERED_TOKENS:
                self._known.popitem(last=False)

    def _claims(self, token: str) -> Claims:
        issuer, key = self._key_of(token)
        try:
            read = jwt.decode(token, key, algorithms=[ALGORITHM])
            claims = msgspec.convert(read.claims, Claims)
        except (JoseError, ValueError) as error:
            _invalid(error)
        if claims.iss != issuer.name and claims.iss != self._trust.issuer(stale=True).name:
            raise TOKEN_INVALID(challenge=INVALID)
        now = self._clock()
        if claims.exp <= now:
            raise TOKEN_EXPIRED(challenge=INVALID)
        if max(claims.iat, claims.nbf) > now + CLOCKS_APART_SECONDS:
            raise TOKEN_INVALID(challenge=INVALID)
        if claims.aud != self._audience:
            raise WRONG_AUDIENCE(audience=self._audience, challenge=INVALID)
        return claims

    def _key_of(self, token: str) -> tuple[Issuer, ECKey]:
        """The key a token says it is signed with, if it is one of the issuer's."""
        kid = _kid(token)
        for stale in (False, True):
            issuer = self._trust.issuer(stale)
            if kid in issuer.keys:
                return issuer, issuer.keys[kid]
        raise TOKEN_INVALID(challenge=INVALID)


def _kid(token: str) -> str:
    if len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise TOKEN_INVALID(challenge=INVALID)
    try:
        header = extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError) as error:
        _invalid(error)
    if header.get("alg") != ALGORITHM or str(header.get("typ", "")).lower() != TYPE:
        raise TOKEN_INVALID(challenge=INVALID)
    return str(header.get("kid", ""))


def _invalid(error: Exception) -> NoReturn:
    raise TOKEN_INVALID(challenge=INVALID) from error
