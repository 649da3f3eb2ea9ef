"""Dead letters of all services: what failed and why, what waits behind it, and an operator's word on it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template, request

from chassis.web.client import Answered, Client
from contracts.terms import Role
from portal.pages.asking import address, ask, scheme_names, together
from portal.pages.frame import Page, signed_in, trouble
from portal.pages.kinds import SETTLED, Kind, Letter, blocked, kinds
from portal.pages.lives import SERVICES
from portal.pages.steps import facts

pages = Blueprint("letters", __name__)
READERS = (Role.OPERATOR, Role.AUDITOR)
DECIDERS = (Role.OPERATOR,)
PAGE, MOST_LETTERS = 500, 1000  # of one service; that there are more is said
SHOWN_OF_EACH = 10  # where all kinds are shown
AT_ONCE = 100  # a service takes no more in a request
MOST_COUNTED = 100  # at a glance
DEED_SECONDS = 40.0  # each letter of a retry is rehearsed in a transaction of its own
Words = list[dict[str, Any]]


@pages.route("/dead-letters")
@signed_in(*READERS)
def shelf() -> Page:
    """The letters by kind; of one kind alone when the address names it."""
    state, only = chosen_state(), chosen_kind()
    event_type = only[1] or None if only else None
    found = together(only[:1] if only else SERVICES, lambda one: letters_of(one, state=state, type=event_type))
    answers = {service: answer for service, answer in found.items() if answer is not None}
    letters = {service: some for service, (some, _) in answers.items()}
    listed = [one for one in kinds(letters) if only in (None, (one.service, one.type, one.code))]
    return render_template(
        "letters.html",
        state=state,
        only=only,
        listed=[(kind, *part_of(kind, bool(only))) for kind in listed],
        blocked=blocked(letters),
        silent=sorted(set(found) - set(answers)),
        cut=sorted(service for service, (_, is_cut) in answers.items() if is_cut),
        most=MOST_LETTERS,
        may_decide=may_decide(),
    )


@pages.route("/dead-letters/<service>/<path:letter_id>")
@signed_in(*READERS)
def letter(service: str, letter_id: str) -> Page:
    """One letter with its event, personal fields left out, and where the error came from."""
    found = ask(known(service)).get(address("dead-letters", letter_id))
    event = None if found["event"] is None else list(facts({"detail": found["event"]}, scheme_names()))
    return render_template(
        "letter.html",
        service=service,
        letter=found,
        event=event,
        is_discarding="discard" in request.args,
        may_decide=may_decide(),
    )


@pages.route("/dead-letter-retries/<service>", methods=["POST"])
@signed_in(*DECIDERS)
def retry(service: str) -> Page:
    """Have letters tried again: the one whose button was pressed, else all that were shown."""
    ids = request.form.getlist("only") or request.form.getlist("id")
    words = ask(known(service), DEED_SECONDS).post("/dead-letter-retries", {"ids": ids})
    return told(service, "retry", words)


@pages.route("/dead-letter-discards/<service>", methods=["POST"])
@signed_in(*DECIDERS)
def discard(service: str) -> Page:
    """Give letters up for a reason, which is kept."""
    reason = request.form.get("reason", "").strip()
    if not reason:
        return trouble("reason_missing", 422)
    body = {"ids": request.form.getlist("id"), "reason": reason}
    words = ask(known(service), DEED_SECONDS).post("/dead-letter-discards", body)
    return told(service, "discard", words)


def told(service: str, deed: str, words: Words) -> str:
    """The page that says what came of a word on letters, the refused ones first."""
    words = sorted(words, key=lambda one: one["status"] == "accepted")
    refused = sum(one["status"] != "accepted" for one in words)
    return render_template(
        "letters_told.html", service=service, deed=deed, words=words, accepted=len(words) - refused, refused=refused
    )


def letters_of(client: Client, **query: Any) -> tuple[list[Letter], bool]:
    """A service's letters up to a limit, and whether it has more."""
    found: list[Letter] = []
    cursor = None
    while len(found) < MOST_LETTERS:
        page = client.get("/dead-letters", cursor=cursor, limit=PAGE, **query)
        found += page["items"]
        cursor = page["next"]
        if not cursor:
            return found, False
    return found, True


def waiting_count(client: Client) -> int:
    """How many letters of a service wait for an operator; one more than `MOST_COUNTED` stands for any more."""
    return len(client.get("/dead-letters", state="waiting", limit=MOST_COUNTED + 1)["items"])


def part_of(kind: Kind, is_alone: bool) -> tuple[list[Letter], int | None]:
    """The letters of a kind that are shown, and where the next part begins if there is one."""
    start = request.args.get("start", 0, type=int) if is_alone else 0
    start = start if 0 <= start < len(kind.letters) else 0
    end = start + (AT_ONCE if is_alone else SHOWN_OF_EACH)
    return kind.letters[start:end], end if end < len(kind.letters) else None


def chosen_state() -> str | None:
    """The settled state that is looked at; None for all that is not settled."""
    state = request.args.get("state")
    return state if state in SETTLED else None


def chosen_kind() -> tuple[str, str, str] | None:
    """The kind that is looked at: service, event type, code; 404 for a service that is none."""
    service = request.args.get("service")
    if not service:
        return None
    return known(service), request.args.get("type", ""), request.args.get("code", "")


def may_decide() -> bool:
    """Whether the person signed in decides about letters."""
    return bool(set(DECIDERS) & set(g.person.roles))


def known(service: str) -> str:
    """A service that has dead letters; a 404 page otherwise."""
    if service not in SERVICES:
        raise Answered(404, {"detail": ""})
    return service
