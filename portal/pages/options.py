"""What a learner's credits can buy, and what stands in the way, as far as a page can tell; the bank alone judges."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

Row = Mapping[str, Any]
STANDING = ("waiting", "review", "granted")
OPEN, COMING, SHORT = "open", "coming", "short"
# In which order options are listed, by what is in the way.
ORDER = (OPEN, COMING, SHORT, "asked", "points", "frozen", "closed", "level", "passed")
MAY_ASK = (OPEN, COMING, SHORT)


@dataclass(frozen=True)
class Window:
    """When applications are taken: in the window that is open, else from the day the next one opens."""

    is_open: bool
    opens_on: str = ""
    closes_on: str = ""


@dataclass(frozen=True)
class Option:
    """One course or module that a certificate can buy, and the way it stands."""

    rule: str
    scheme: str
    levels: tuple[int, ...]
    target: Row
    course_name: str
    module_name: str
    policy: str
    standing: str
    application: str = ""

    @property
    def wish(self) -> tuple[str, str, str]:
        """What names it: the rule, and the course or module."""
        return self.rule, self.target["course"], self.target["module"]

    @property
    def may_ask(self) -> bool:
        """Whether nothing that a page knows of speaks against it."""
        return self.standing in MAY_ASK


@dataclass(frozen=True)
class Facts:
    """What is known of a learner: final and coming passes (scheme, level), holdings, passed courses, applications."""

    final: Collection[tuple[str, int]]
    coming: Collection[tuple[str, int]]
    holdings: Mapping[str, Row]
    passed_courses: Collection[str]
    applications: Sequence[Row]
    is_frozen: bool


def facts_of(account: Row, results: Iterable[Row] | None, courses: Iterable[Row], applications: Sequence[Row]) -> Facts:
    """The facts; where nobody can say which levels were passed, every level up to the holding's counts."""
    holdings = {one["scheme"]: one for one in account["holdings"]}
    if results is None:
        final = {(one["scheme"], level) for one in account["holdings"] for level in range(1, (one["level"] or 0) + 1)}
        coming: set[tuple[str, int]] = set()
    else:
        passes = [one for one in results if one["verdict"] == "passed"]
        final = {(one["scheme"], one["level"]) for one in passes if one["state"] == "final"}
        coming = {(one["scheme"], one["level"]) for one in passes if one["state"] == "publicised"} - final
    passed = {one["course"] for one in courses if one["passed"] and not one["is_withdrawn"]}
    return Facts(final, coming, holdings, passed, applications, account["is_frozen"])


def options(
    rules: Iterable[Row], curricula: Mapping[tuple[str, int], Row], windows: Mapping[str, Window | None], facts: Facts
) -> list[Option]:
    """Every target of the rules, what can be asked for first, what is worth more before what is worth less."""
    found = [one for rule in rules for one in _of_rule(rule, curricula, windows, facts)]
    return sorted(found, key=lambda one: (ORDER.index(one.standing), -one.target["credit_points"], one.rule))


def _of_rule(
    rule: Row, curricula: Mapping[tuple[str, int], Row], windows: Mapping[str, Window | None], facts: Facts
) -> Iterator[Option]:
    curriculum = curricula.get((rule["programme"], rule["entry_year"]), {})
    for target in rule["targets"]:
        course_name, module_name = names_of(target, curriculum)
        asked = next((one for one in facts.applications if _meets(one, target)), None)
        yield Option(
            rule["code"],
            rule["scheme"],
            tuple(rule["levels"]),
            target,
            course_name,
            module_name,
            rule["policy"],
            "asked" if asked else _standing(rule, target, windows.get(rule["policy"]), facts),
            asked["application"] if asked else "",
        )


def _standing(rule: Row, target: Row, window: Window | None, facts: Facts) -> str:
    """The first thing in the way, else whether it can be asked for now or waits for what is to come.

    What waits for a final result is filed whatever the points are by now: they are counted once it is final.
    """
    wanted = {(rule["scheme"], level) for level in rule["levels"]}
    holding = facts.holdings.get(rule["scheme"], {})
    is_final, points = bool(wanted & set(facts.final)), target["credit_points"]
    is_short = holding.get("available_points", 0) + holding.get("provisional_points", 0) < points
    if target["course"] in facts.passed_courses:
        return "passed"
    if not wanted & {*facts.final, *facts.coming}:
        return "level"
    if is_final and is_short:
        return "points"
    if facts.is_frozen:
        return "frozen"
    if window is None or not window.is_open:
        return "closed"
    if is_short:
        return SHORT
    return OPEN if is_final and holding["available_points"] >= points and not holding["unnumbered"] else COMING


def _meets(application: Row, target: Row) -> bool:
    """Whether a standing application excuses from some of the same."""
    other = application["target"]
    is_same = other["module"] == target["module"] or not other["module"] or not target["module"]
    return application["state"] in STANDING and other["course"] == target["course"] and is_same


def names_of(target: Row, curriculum: Row) -> tuple[str, str]:
    """What the course and the module are called; the codes where no curriculum says."""
    course = next((one for one in curriculum.get("courses", ()) if one["code"] == target["course"]), None)
    if course is None:
        return str(target["course"]), str(target["module"])
    modules = {one["code"]: one["name"] for one in course["modules"]}
    return str(course["name"]), str(modules.get(target["module"], target["module"]))


def in_force(rules: Iterable[Row], today: date) -> list[Row]:
    """The published rules that hold today."""
    day = today.isoformat()
    return [one for one in rules if one["state"] == "published" and one["valid_from"] <= day <= one["valid_until"]]


def holding_on(versions: Iterable[dict[str, Any]], today: date) -> dict[str, Any] | None:
    """The version of a policy document that holds today: the latest of those that are published."""
    day = today.isoformat()
    published = [one for one in versions if one["state"] == "published"]
    holding = [one for one in published if one["valid_from"] <= day <= one["valid_until"]]
    return max(holding, key=lambda one: int(one["version"]), default=None)


def window_of(policy: Row, today: date) -> Window | None:
    """The window of a policy document that is open today, else the next; None where none is to come."""
    day = today.isoformat()
    for one in sorted(policy["windows"], key=lambda each: str(each["opens_on"])):
        if day <= one["closes_on"]:
            return Window(one["opens_on"] <= day, one["opens_on"], one["closes_on"])
    return None
