"""What a TEO, a scheme, a pass rule and a working day are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from chassis.errors import Ground
from contracts.terms import LEVEL_NOT_OFFERED, Level, plain

TEO_UNKNOWN = Ground(
    "teo_unknown",
    en="No training-evaluation organisation '{teo}' is known here. Check its credit code or name.",
    zh="系统中没有培训评价组织“{teo}”，请核对其统一社会信用代码或名称。",
)
NAME_TAKEN = Ground(
    "name_taken",
    en="'{name}' already names {code}. A name or alias belongs to one only.",
    zh="“{name}”已用于 {code}，一个名称或别名只能对应一项。",
)
PASS_RULE_FIXED = Ground(
    "pass_rule_fixed",
    en="Version {version} of the pass rules is published and stays as it is. Add a new version instead.",
    zh="第 {version} 版合格规则已经发布，不能修改或删除，请新增一个版本。",
)
PASS_RULES_REPEAT = Ground(
    "pass_rules_repeat",
    en="Two pass rules have the version {version}. Number each once.",
    zh="有两条合格规则的版本号同为 {version}，请分别编号。",
)
PASS_WEIGHTS = Ground(
    "pass_weights",
    en="The weights of theory and practical make {total}; they must make 100.",
    zh="理论与实操的权重合计为 {total}，应为 100。",
)
PASS_RULE_MISSING = Ground(
    "pass_rule_missing",
    en="Scheme {scheme} has no pass rule for sessions on {session_date}. Publish one first.",
    zh="证书 {scheme} 没有适用于 {session_date} 考核的合格规则，请先发布。",
)

MAX_PUBLICITY_DAYS = 100
SUFFIX = re.compile(r"(?<=.)(?:职业技能等级)?证书$")


@dataclass(frozen=True)
class Teo:
    """A training-evaluation organisation 培训评价组织, known by its unified social credit code."""

    code: str
    name: str
    aliases: tuple[str, ...] = ()

    def words(self) -> tuple[str, ...]:
        return (self.code, self.name, *self.aliases)


@dataclass(frozen=True)
class Weighted:
    """One mark out of two, weighed in hundredths."""

    version: int
    sessions_from: date
    theory: int
    practical: int
    pass_at: int


@dataclass(frozen=True)
class EachPart:
    """Each part passes by itself; a single failed part may be sat again, the other is carried over."""

    version: int
    sessions_from: date
    pass_at: int
    resits: int
    resit_within_days: int


PassRule = Weighted | EachPart


@dataclass(frozen=True)
class Scheme:
    """A certificate scheme 职业技能等级证书 with its levels and its versioned pass rules."""

    code: str
    name: str
    teo: str
    levels: tuple[Level, ...]
    pass_rules: tuple[PassRule, ...]
    aliases: tuple[str, ...] = ()
    needs_certificate_number: bool = False
    needs_training: bool = False
    publicity_days: int = 5

    def words(self) -> tuple[str, ...]:
        return (self.code, self.name, *self.aliases)


def rule_for(scheme: Scheme, session_date: date) -> PassRule:
    """The pass rule of a session: the latest that begins by its date, of two the higher version."""
    begun = [rule for rule in scheme.pass_rules if rule.sessions_from <= session_date]
    if not begun:
        raise PASS_RULE_MISSING(scheme=scheme.code, session_date=session_date.isoformat())
    return max(begun, key=lambda rule: (rule.sessions_from, rule.version))


def check_rules(new: Sequence[PassRule], published: Sequence[PassRule]) -> None:
    """Refuse rules that weigh wrongly, share a version, or change what is published."""
    by_version: dict[int, PassRule] = {}
    for rule in new:
        if rule.version in by_version:
            raise PASS_RULES_REPEAT(version=rule.version)
        if isinstance(rule, Weighted) and rule.theory + rule.practical != 100:
            raise PASS_WEIGHTS(total=rule.theory + rule.practical)
        by_version[rule.version] = rule
    for rule in published:
        if by_version.get(rule.version) != rule:
            raise PASS_RULE_FIXED(version=rule.version)


def key_word(word: str) -> str:
    """A name as it is compared: narrow, in one case, without spaces and without 职业技能等级证书 behind it."""
    return SUFFIX.sub("", "".join(plain(word).split())).casefold()


def by_words(named: Iterable[Teo | Scheme]) -> dict[str, str]:
    """Every code, name and alias, and the code it stands for."""
    return {key_word(word): one.code for one in named for word in one.words()}


def check_words(one: Teo | Scheme, others: Iterable[Teo | Scheme]) -> None:
    """Refuse a name or alias that stands for another already."""
    taken = by_words(other for other in others if other.code != one.code)
    for word in one.words():
        if key_word(word) in taken:
            raise NAME_TAKEN(name=word, code=taken[key_word(word)])


def check_level(scheme: Scheme, level: Level) -> None:
    """Refuse a level the scheme has not."""
    if level not in scheme.levels:
        offered = "、".join(one.zh for one in scheme.levels)
        raise LEVEL_NOT_OFFERED(scheme=scheme.name, level=level.zh, offered=offered)
