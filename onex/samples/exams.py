"""The assessment plans of the samples, and who sits in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from onex.samples.annex import Annex
from onex.samples.applying import Application

SITE = "广州城市职业学院考核站点"


@dataclass(frozen=True)
class Plan:
    """One exam batch of a TEO."""

    teo: str
    plan: str
    scheme: str
    level: int
    session_date: date
    site: str
    quota: int
    publicity_days: int


@dataclass(frozen=True)
class Candidate:
    """An application registered in a plan under the TEO's admission number."""

    application: Application
    plan: Plan
    admission_number: str


# scheme, code, level, session, site, working days of publicity.
# CO-2020-02 finalises at once. MI-2021-02 stays public longer than the published calendar reaches.
SESSIONS: tuple[tuple[str, str, int, date, str, int], ...] = (
    ("online-shop", "OS-2020-11-C", 1, date(2020, 11, 21), "商贸楼", 5),
    ("ecommerce-data", "ED-2020-11-1", 1, date(2020, 11, 22), "商贸楼", 5),
    ("industrial-robot", "RB20201128-01", 1, date(2020, 11, 28), "机电楼", 5),
    ("sensor-network", "SN-2020-02", 2, date(2020, 12, 5), "信息楼", 5),
    ("smart-finance", "SF-2020-A1", 1, date(2020, 12, 12), "财会楼", 5),
    ("smart-finance", "SF-2020-A2", 1, date(2020, 12, 13), "越秀校区", 5),
    ("dementia-care", "DC-2020-02", 2, date(2020, 12, 19), "公管楼", 5),
    ("cloud-ops", "CO-2020-02", 2, date(2020, 12, 26), "信息楼", 0),
    ("maternal-infant", "MI-2021-01", 2, date(2021, 1, 9), "公管楼", 3),
    ("online-shop", "OS-2021-05-Z", 2, date(2021, 5, 22), "商贸楼", 5),
    ("ecommerce-data", "ED-2021-05-2", 2, date(2021, 5, 23), "商贸楼", 5),
    ("industrial-robot", "RB20210529-02", 2, date(2021, 5, 29), "机电楼", 5),
    ("sensor-network", "SN-2021-02", 2, date(2021, 6, 5), "信息楼", 5),
    ("maternal-infant", "MI-2021-02", 2, date(2021, 6, 6), "公管楼", 60),
    ("smart-finance", "SF-2021-B1", 2, date(2021, 6, 19), "财会楼", 5),
    ("dementia-care", "DC-2021-02", 2, date(2021, 6, 26), "公管楼", 5),
    ("online-shop", "OS-2021-11-G", 3, date(2021, 11, 20), "商贸楼", 5),
    ("ecommerce-data", "ED-2021-11-3", 3, date(2021, 11, 21), "商贸楼", 5),
    ("industrial-robot", "RB20211127-03", 3, date(2021, 11, 27), "机电楼", 5),
    ("smart-finance", "SF-2021-C1", 3, date(2021, 12, 4), "财会楼", 5),
)
FULL_PLAN = "SN-2021-02"  # its quota is exactly what it has; one more is refused


def season_of(session: date) -> str:
    """Candidates, training and completion are reported by season."""
    if session.month <= 2:
        return f"{session.year - 1}-autumn"
    return f"{session.year}-{'spring' if session.month <= 8 else 'autumn'}"


def sessions(scheme: str, level: int) -> list[date]:
    """When a scheme's level is examined."""
    return [on for code, _, its_level, on, _, _ in SESSIONS if (code, its_level) == (scheme, level)]


def seated(
    rng: Random, annex: Annex, completed: list[Application]
) -> tuple[list[Plan], list[Candidate], list[Application]]:
    """The plans with their quotas, the candidates by plan, and who completed the training but is not registered."""
    left = {item.key: item for item in completed}
    plans, candidates = [], []
    for scheme, code, level, session, site, publicity_days in SESSIONS:
        due = [item for item in left.values() if (item.scheme, item.level) == (scheme, level)]
        is_last = session == max(sessions(scheme, level))
        share = due if is_last else due[: len(due) // 2]
        taking = [item for item in share if item.person.is_star or rng.random() < 0.95]
        quota = len(taking) if code == FULL_PLAN else (len(taking) // 10 + 2) * 10
        teo = annex.schemes[scheme].teo
        plan = Plan(teo, code, scheme, level, session, f"{SITE}（{site}）", quota, publicity_days)
        plans.append(plan)
        candidates.extend(admitted(plan, taking))
        for item in share:
            del left[item.key]
    registered = {candidate.application.key for candidate in candidates}
    return plans, candidates, [item for item in completed if item.key not in registered]


def admitted(plan: Plan, taking: list[Application]) -> list[Candidate]:
    """Admission numbers as the TEO gives them out: opaque, some with leading zeros."""
    return [Candidate(item, plan, admission_number(plan, n)) for n, item in enumerate(taking, 1)]


def admission_number(plan: Plan, n: int) -> str:
    """A number in the form its TEO uses."""
    day = plan.session_date.strftime("%y%m%d")
    forms = {
        "smart-finance": f"00{day}{plan.plan[-2:]}{n * 7:04d}",
        "dementia-care": f"0{day}440{n:04d}",
        "industrial-robot": f"RB{day}{plan.level}{n:04d}",
        "cloud-ops": f"{day}-CO-{n:03d}",
    }
    return forms.get(plan.scheme, f"{plan.plan.replace('-', '')}{n:04d}")


@dataclass(frozen=True)
class TrainingClass:
    """A class of a scheme's level with its places."""

    code: str
    scheme: str
    level: int
    places: int
    starts_on: date
    ends_on: date
    class_hours: int


CLASS_PLACES = 45
CLASS_HOURS = {1: 32, 2: 48, 3: 64}


def classes_for(approved: list[Application]) -> list[TrainingClass]:
    """Classes with a place for everybody who is approved, and a few to spare."""
    wanted: dict[tuple[str, int], int] = {}
    for item in approved:
        wanted[item.scheme, item.level] = wanted.get((item.scheme, item.level), 0) + 1
    return [
        training_class(scheme, level, number)
        for (scheme, level), count in sorted(wanted.items())
        for number in range(1, -(-count // CLASS_PLACES) + 1)
    ]


def training_class(scheme: str, level: int, number: int) -> TrainingClass:
    """One class, two months long."""
    ends_on = completed_on(scheme, level)
    code = f"{scheme}-{level}-{number:02d}"
    return TrainingClass(code, scheme, level, CLASS_PLACES, ends_on - timedelta(days=60), ends_on, CLASS_HOURS[level])


def completed_on(scheme: str, level: int) -> date:
    """Training ends twelve days before the first session of the scheme's level."""
    return min(sessions(scheme, level)) - timedelta(days=12)


def postponed(candidate: Candidate, days: int) -> date:
    """So many days after the candidate's session."""
    return candidate.plan.session_date + timedelta(days=days)


def renumbered(candidate: Candidate, application: Application, admission_number: str) -> Candidate:
    """Another application in the same plan under a given number."""
    return replace(candidate, application=application, admission_number=admission_number)
