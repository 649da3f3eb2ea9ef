"""The life of an application, and what a sheet means by a certificate and a level."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from chassis.errors import Ground
from contracts.terms import LEVEL_NOT_OFFERED, SCHEME_UNKNOWN, Level, level_of, plain

APPLICATION_WITHDRAWN = Ground(
    "application_withdrawn",
    en="This application was withdrawn before. A new decision needs the registry.",
    zh="该申请此前已撤回，如需恢复请联系教务。",
)
CANDIDATE_ALREADY = Ground(
    "candidate_already",
    en="The learner is a candidate in an assessment plan already. Have the exam office take the candidate back first.",
    zh="该学习者已是考核计划的考生，请先由考务取消考生。",
)
OTHER_DEPARTMENT = Ground(
    "other_department",
    en="The learner belongs to another department, which decides about this application.",
    zh="该学习者属于其他院系，应由其所在院系处理。",
)
CERTIFICATE_MISSING = Ground(
    "certificate_missing",
    en="A level is given, but no certificate. Fill in 申请证书 or empty 申请等级.",
    zh="填写了申请等级但没有申请证书，请补填申请证书或清空申请等级。",
)

SUFFIX = re.compile(r"(?<=.)(?:职业技能等级)?证书$")


class State(StrEnum):
    """Where an application stands. `registered`: the learner is a candidate in a plan."""

    APPLIED = "applied"
    APPROVED = "approved"
    REGISTERED = "registered"
    WITHDRAWN = "withdrawn"


class MergeState(StrEnum):
    """What became of saying that two learners are one: it waits for a second person, is done, or was done before."""

    ASKED = "asked"
    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"


FURTHEST = (State.WITHDRAWN, State.APPLIED, State.APPROVED, State.REGISTERED)


@dataclass(frozen=True, slots=True)
class Wish:
    """A certificate scheme at a level."""

    scheme: str
    level: Level


@dataclass(frozen=True, slots=True)
class Offer:
    """A scheme that can be applied for, by its names, with its levels."""

    scheme: str
    name: str
    aliases: tuple[str, ...]
    levels: tuple[Level, ...]


def application_id(learner_id: str, wish: Wish) -> str:
    """What names an application."""
    return f"{learner_id}:{wish.scheme}:{wish.level:d}"


def learner_in(application: str) -> str:
    """Whose an application is, by its id."""
    return application.partition(":")[0]


def approved(state: State) -> State:
    """The state after an approval; a withdrawn application is refused."""
    if state is State.WITHDRAWN:
        raise APPLICATION_WITHDRAWN()
    return State.APPROVED if state is State.APPLIED else state


def withdrawn(state: State) -> State:
    """The state after a withdrawal; a candidate's application is refused."""
    if state is State.REGISTERED:
        raise CANDIDATE_ALREADY()
    return State.WITHDRAWN


def become_candidate(state: State) -> State:
    """The state after the learner was registered in a plan; a withdrawal stands."""
    return state if state is State.WITHDRAWN else State.REGISTERED


def furthest(one: State, other: State) -> State:
    """The state of two applications that turn out to be one person's."""
    return max(one, other, key=FURTHEST.index)


def by_word(offers: Iterable[Offer]) -> Mapping[str, Offer]:
    """Offers by every word people write for them: name, aliases, code. Names go before aliases."""
    found: dict[str, Offer] = {}
    for offer in offers:
        found.update({word_of(alias): offer for alias in offer.aliases if word_of(alias) not in found})
    for offer in offers:
        found[word_of(offer.name)] = found[word_of(offer.scheme)] = offer
    return found


def word_of(text: str) -> str:
    """A certificate's name as it is compared: narrow, without spaces and without 职业技能等级证书 behind it."""
    return SUFFIX.sub("", "".join(plain(text).split()))


def wish_of(certificate: str, level: str, offers: Mapping[str, Offer]) -> Wish | None:
    """What a row applies for; None when it applies for nothing."""
    word = word_of(certificate)
    if not word:
        if plain(level):
            raise CERTIFICATE_MISSING()
        return None
    offer = offers.get(word)
    if offer is None:
        raise SCHEME_UNKNOWN(text=certificate)
    wanted = level_of(level)
    if wanted not in offer.levels:
        offered = "、".join(one.zh for one in offer.levels)
        raise LEVEL_NOT_OFFERED(scheme=offer.name, level=wanted.zh, offered=offered)
    return Wish(offer.scheme, wanted)
