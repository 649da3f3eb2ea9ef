"""What becomes of licences, courses, diplomas, trainings and prior learning in the bank, on a real mongod."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chassis.clock import today
from chassis.database import database
from chassis.errors import Refusal
from chassis.watch import cause
from contracts.terms import LEVEL_NAMES, Level, OutcomeKind, level_of_kind, rank_of
from contracts.training import TrainingCompleted
from services.creditbank.jobs import settle_waiting
from services.creditbank.ledger import queries as ledger
from services.creditbank.ledger.domain import Worth
from services.creditbank.outcomes.commands import put_source, submit
from services.creditbank.outcomes.digests import tell_digests
from services.creditbank.outcomes.domain import Item, Sender, Source, State, Weighed
from services.creditbank.outcomes.queries import submissions
from services.creditbank.outcomes.trainings import credit_trainings
from services.creditbank.papers.commands import _vouched
from services.creditbank.recognition.commands import publish_rule
from services.creditbank.recognition.domain import Outcome, OutcomeState, counted_level, scheme_of, worth
from tests.unit.assessment.stories import CampusClock
from tests.unit.creditbank.stories import (
    TEO,
    Assessment,
    announced,
    audited,
    balances,
    entries,
    finalised,
    merged,
    publish_annex,
    registered,
    scheme,
)

ELECTRICIAN, PYTHON = "licence.electrician", "online.python-basics"
OLD_DAYS = 180
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
BEGIN = date(2019, 4, 1)


@pytest.fixture
def assessment(mongo: str) -> Assessment:
    """A bank with the annex's rules, rules for a licence and an online course, and two learners."""
    publish_annex()
    for level, points in ((5, 100), (4, 200), (3, 300), (2, 400), (1, 500)):
        publish_rule(ELECTRICIAN, level, points, BEGIN)
    publish_rule(PYTHON, 1, 150, BEGIN)
    teller = Assessment()
    teller.tell(registered("mei"), registered("lan"))
    return teller


def licence(level: str = "五级", external_id: str = "L-1", **more: Any) -> Item:
    said = Item(
        external_id=external_id,
        kind=OutcomeKind.LICENCE,
        code="electrician",
        title="电工",
        level=level,
        learner_id="mei",
        day=today() - timedelta(days=10),
        state=State.FINAL,
        as_of=NOON,
    )
    return replace(said, **more)


def course(external_id: str = "C-1", **more: Any) -> Item:
    said = {"kind": OutcomeKind.ONLINE, "code": "python-basics", "title": "Python 基础", "level": ""}
    return licence(external_id=external_id, **said | more)


def send(*items: Item, sender: Sender = Sender()) -> list[str]:  # noqa: B008 -- frozen
    """What became of each: accepted, unchanged, or why it was refused."""
    with cause("request"):
        judged = submit(items, sender, OLD_DAYS)
    return [said(one) for one in judged]


def said(one: Weighed | Refusal) -> str:
    if isinstance(one, Refusal):
        return one.code
    return "accepted" if one.is_change else "unchanged"


def holdings(learner_id: str = "mei") -> dict[str, tuple[int | None, int, int]]:
    """By source: the level, what is provisional and what is available."""
    shown = ledger.account_of(learner_id)["holdings"]
    return {one["scheme"]: (one["level"], one["provisional_points"], one["available_points"]) for one in shown}


def test_a_licence_is_credited_by_its_own_rule_under_its_own_address(assessment: Assessment) -> None:
    assert send(licence("中级")) == ["accepted"]
    assert holdings() == {ELECTRICIAN: (4, 0, 200)}
    [entry] = entries("mei")
    assert entry["what"] == "OutcomeSubmitted"
    assert entry["postings"] == [
        {"source": f"bank:issued:{ELECTRICIAN}", "target": f"learner:mei:available:{ELECTRICIAN}", "credit_points": 200}
    ]
    [told] = announced("OutcomeCredited")
    assert (told["key"], announced("CreditPosted")) == ("learner:mei", [])
    audited()


def test_kinds_of_one_code_never_mix(assessment: Assessment) -> None:
    publish_rule("course.electrician", 1, 40, BEGIN)
    publish_rule("electrician", 1, 70, BEGIN)
    send(licence("五级"), licence("", "K-1", kind=OutcomeKind.COURSE, title="电工基础"))
    assessment.tell(finalised("mei", scheme="electrician", level=1))
    assert holdings() == {
        "course.electrician": (1, 0, 40),
        "electrician": (1, 0, 70),
        ELECTRICIAN: (5, 0, 100),
    }
    audited()


@pytest.mark.parametrize("order", list(permutations(["五级", "三级", "一级"])))
def test_of_licences_the_lowest_number_counts_once_in_whatever_order(
    assessment: Assessment, order: tuple[str, ...]
) -> None:
    for number, level in enumerate(order):
        send(licence(level, f"L-{number}"))
    assert holdings() == {ELECTRICIAN: (1, 0, 500)}
    audited()


WRITTEN = [
    (OutcomeKind.LICENCE, "初级", 5),
    (OutcomeKind.LICENCE, "五级/初级工", 5),
    (OutcomeKind.LICENCE, "中级工", 4),
    (OutcomeKind.LICENCE, "四级", 4),
    (OutcomeKind.LICENCE, "高级", 3),
    (OutcomeKind.LICENCE, "国家职业资格三级/高级技能", 3),
    (OutcomeKind.LICENCE, "三级（高级工）", 3),
    (OutcomeKind.LICENCE, "技师", 2),
    (OutcomeKind.LICENCE, "Ⅱ级", 2),
    (OutcomeKind.LICENCE, "高级技师", 1),
    (OutcomeKind.LICENCE, "１", 1),
    (OutcomeKind.CERTIFICATE, "初级", 1),
    (OutcomeKind.CERTIFICATE, "高级", 3),
    (OutcomeKind.TRAINING, "中级", 2),
    (OutcomeKind.TRAINING, "", 1),
    (OutcomeKind.DIPLOMA, "大专", 2),
    (OutcomeKind.DIPLOMA, "本科", 3),
    (OutcomeKind.COURSE, "", 1),
    (OutcomeKind.ONLINE, "", 1),
    (OutcomeKind.PRIOR, "1", 1),
]
NOT_OF_KIND = [
    (OutcomeKind.LICENCE, ""),
    (OutcomeKind.LICENCE, "六级"),
    (OutcomeKind.LICENCE, "五级/高级工"),
    (OutcomeKind.TRAINING, "四级"),
    (OutcomeKind.TRAINING, "技师"),
    (OutcomeKind.DIPLOMA, ""),
    (OutcomeKind.DIPLOMA, "初级"),
    (OutcomeKind.ONLINE, "高级"),
    (OutcomeKind.COURSE, "2"),
]


@pytest.mark.parametrize(("kind", "text", "level"), WRITTEN)
def test_level_words_are_read_by_their_kind(kind: OutcomeKind, text: str, level: int) -> None:
    assert level_of_kind(text, kind) == level


@pytest.mark.parametrize(("kind", "text"), NOT_OF_KIND)
def test_a_level_outside_its_kind_is_refused(kind: OutcomeKind, text: str) -> None:
    with pytest.raises(Refusal, match="level_outside_kind"):
        level_of_kind(text, kind)


def test_a_certificate_has_no_level_of_a_licence() -> None:
    for text in ("四级", "五级", "技师"):
        with pytest.raises(Refusal, match="level_unknown"):
            level_of_kind(text, OutcomeKind.CERTIFICATE)


@pytest.mark.parametrize("kind", OutcomeKind)
def test_every_level_name_is_read_as_that_level(kind: OutcomeKind) -> None:
    for level, (zh, _) in LEVEL_NAMES[kind].items():
        assert level_of_kind(zh or "1", kind) == level


def test_the_order_of_levels_is_that_of_their_kind() -> None:
    assert sorted(range(1, 6), key=lambda one: rank_of(ELECTRICIAN, one)) == [5, 4, 3, 2, 1]
    assert sorted(range(1, 4), key=lambda one: rank_of("cloud-ops", one)) == [1, 2, 3]
    assert rank_of(ELECTRICIAN, 0) == 0


def pass_of(level: int, points: int, state: OutcomeState, scheme: str = ELECTRICIAN) -> Outcome:
    return Outcome(
        "mei",
        f"{level}",
        scheme,
        level,
        1,
        state,
        "passed",
        BEGIN,
        "c",
        "w",
        rule_version=1,
        credit_points=points,  # type: ignore[arg-type]
    )


def test_worth_takes_the_highest_of_its_kind() -> None:
    final, open_ = OutcomeState.FINAL, OutcomeState.PUBLICISED
    held = [pass_of(5, 100, final), pass_of(2, 400, open_), pass_of(4, 200, final)]
    assert (worth(held), counted_level(held)) == (Worth(200, 200), 4)
    same_as_certificates = [pass_of(one.level, one.credit_points, one.state, "cloud-ops") for one in held]
    assert (worth(same_as_certificates), counted_level(same_as_certificates)) == (Worth(0, 100), 5)


@pytest.mark.parametrize("code", ["licence.", "licence.A", "certificate.x", "gift.x", "licence.a.b", ".x", "x."])
def test_codes_that_are_no_source_are_refused(code: str) -> None:
    with pytest.raises(Refusal, match="scheme_malformed"):
        scheme_of(code)


def test_a_rule_of_a_level_outside_its_kind_is_refused(mongo: str) -> None:
    for code, level in ((PYTHON, 2), (ELECTRICIAN, 6), ("cloud-ops", 4)):
        with pytest.raises(Refusal, match="level_outside_kind"):
            publish_rule(code, level, 100, BEGIN)


def test_what_has_no_rule_waits_visibly_and_is_credited_when_it_comes(assessment: Assessment) -> None:
    assert send(licence("三级", code="welder", title="焊工")) == ["accepted"]
    assert balances("mei") == (0, 0)
    [one] = submissions({}, 10)
    assert (one["waiting_for"], one["level_name"]) == ("rule:licence.welder:3", "三级（高级工）")
    publish_rule("online.welder", 1, 999, BEGIN)
    publish_rule("licence.welder", 1, 999, BEGIN)
    settle_waiting()
    assert balances("mei") == (0, 0)
    publish_rule("licence.welder", 3, 250, BEGIN)
    settle_waiting()
    assert balances("mei") == (0, 250)
    assert submissions({}, 10)[0]["waiting_for"] is None
    audited()


def test_an_outcome_before_its_learner_waits_for_the_account(assessment: Assessment) -> None:
    assert send(course(learner_id="wen")) == ["accepted"]
    assert submissions({}, 10)[0]["waiting_for"] == "account:wen"
    assessment.tell(registered("wen"))
    assert balances("wen") == (0, 150)
    audited()


def test_provisional_final_withdrawn(assessment: Assessment) -> None:
    hours = [NOON + timedelta(hours=n) for n in range(4)]
    assert send(course(state=State.PROVISIONAL, as_of=hours[0])) == ["accepted"]
    assert balances("mei") == (150, 0)
    assert send(course(state=State.FINAL, as_of=hours[1])) == ["accepted"]
    assert balances("mei") == (0, 150)
    assert send(course(state=State.WITHDRAWN, as_of=hours[2])) == ["accepted"]
    assert balances("mei") == (0, 0)
    assert [one["what"] for one in entries("mei")] == ["OutcomeSubmitted", "OutcomeSubmitted", "OutcomeWithdrawn"]
    assert send(course(state=State.FINAL, as_of=hours[3])) == ["accepted"]
    assert balances("mei") == (0, 150)
    audited()


def test_a_repeat_changes_nothing_an_older_word_is_refused_a_contradiction_is_a_conflict(
    assessment: Assessment,
) -> None:
    assert send(licence("四级"), licence("四级"), licence("四级", as_of=NOON + timedelta(days=1))) == [
        "accepted",
        "unchanged",
        "unchanged",
    ]
    assert send(licence("三级")) == ["outcome_older"], "the later as_of of the repeat counts"
    assert send(licence("三级", as_of=NOON + timedelta(days=1))) == ["outcome_conflict"]
    assert (balances("mei"), len(entries("mei"))) == ((0, 200), 1)
    audited()


def test_a_level_that_is_put_right_is_worth_what_its_own_rule_says(assessment: Assessment) -> None:
    send(licence("一级"))
    assert send(licence("五级", as_of=NOON + timedelta(days=1))) == ["accepted"]
    assert holdings() == {ELECTRICIAN: (5, 0, 100)}
    audited()


def test_a_level_that_is_put_right_to_one_without_a_rule_waits_and_shows_nothing(assessment: Assessment) -> None:
    """Nor does it keep what it was pinned to, whichever way it goes on."""
    bare = "licence.welder"
    publish_rule(bare, 3, 300, BEGIN)
    welder = {"code": "welder", "title": "焊工"}
    assert send(licence("三级", **welder)) == ["accepted"]
    assert send(licence("四级", as_of=NOON + timedelta(hours=1), **welder)) == ["accepted"]
    assert holdings().get(bare, (None, 0, 0))[1:] == (0, 0)
    while settle_waiting():
        pass
    assert holdings().get(bare, (None, 0, 0))[1:] == (0, 0)
    assert send(licence("三级", as_of=NOON + timedelta(hours=2), state=State.WITHDRAWN, **welder)) == ["accepted"]
    assert send(licence("四级", as_of=NOON + timedelta(hours=3), **welder)) == ["accepted"]
    assert holdings().get(bare, (None, 0, 0))[1:] == (0, 0)
    publish_rule(bare, 4, 200, BEGIN)
    while settle_waiting():
        pass
    assert holdings()[bare] == (4, 0, 200)
    audited()


def test_values_of_the_future_are_refused_since_nothing_could_correct_them(assessment: Assessment) -> None:
    assert send(licence(as_of=datetime(9999, 1, 1, tzinfo=UTC))) == ["as_of_ahead"]
    assert send(licence(as_of=datetime.now(UTC) + timedelta(days=3))) == ["as_of_ahead"]
    assert send(licence()) == ["accepted"]


def test_an_external_id_is_one_outcome_of_one_learner_within_its_sender(assessment: Assessment) -> None:
    later = NOON + timedelta(days=1)
    assert send(course()) == ["accepted"]
    assert send(course(learner_id="lan", as_of=later)) == ["outcome_of_another_learner"]
    assert send(licence(external_id="C-1", as_of=later)) == ["outcome_of_another_source"]
    assert send(course(learner_id="lan"), sender=Sender("mooc")) == ["accepted"]
    assert (balances("mei"), balances("lan")) == ((0, 150), (0, 150))


def test_an_organisation_speaks_of_its_own_licences_alone(assessment: Assessment) -> None:
    teo = Sender(TEO, TEO)
    assert send(licence(), course(), sender=teo) == ["source_not_yours", "source_not_yours"]
    put_source(Source(ELECTRICIAN, "电工", TEO))
    put_source(Source(PYTHON, "Python 基础", TEO))
    assert send(licence(), course(), sender=teo) == ["accepted", "source_not_yours"]
    assert send(licence(), sender=Sender("91110000000000043U", "91110000000000043U")) == ["source_not_yours"]
    assert holdings() == {ELECTRICIAN: (5, 0, 100)}


def test_each_item_has_a_verdict_of_its_own(assessment: Assessment) -> None:
    assert send(
        licence(external_id="1"),
        licence("六级", "2"),
        licence(external_id="3", title="", code="unheard-of"),
        licence(external_id="4", kind=OutcomeKind.CERTIFICATE),
        course("5", kind=OutcomeKind.PRIOR),
        course("6", day=today() + timedelta(days=1)),
        course("7", code="Python!"),
        course("8"),
    ) == [
        "accepted",
        "level_outside_kind",
        "source_unnamed",
        "certificates_elsewhere",
        "evidence_missing",
        "outcome_in_future",
        "scheme_malformed",
        "accepted",
    ]
    assert balances("mei") == (0, 250)
    audited()


def test_a_source_is_named_once_until_somebody_names_it_otherwise(assessment: Assessment) -> None:
    send(licence())
    send(licence(external_id="L-2", title="别的名字"))
    put_source(Source(ELECTRICIAN, "电工"))
    put_source(Source(ELECTRICIAN, "电工（低压）"))
    put_source(Source(ELECTRICIAN, "电工（低压）", TEO))
    assert [one["cause"].rpartition(":")[2] for one in announced("OutcomeSourceNamed")] == ["电工", "电工（低压）"]


def test_two_learners_who_are_one_have_the_outcomes_of_both_once(assessment: Assessment) -> None:
    send(licence("三级"), licence("一级", "L-2", learner_id="lan"), course("C-2", learner_id="lan"))
    assessment.tell(merged("mei", "lan"))
    assert holdings() == {ELECTRICIAN: (1, 0, 500), PYTHON: (1, 0, 150)}
    assert {one["learner_id"] for one in submissions({}, 10)} == {"mei"}
    later = NOON + timedelta(days=1)
    assert send(licence("一级", "L-2", learner_id="lan", state=State.WITHDRAWN, as_of=later)) == ["accepted"]
    assert holdings() == {ELECTRICIAN: (3, 0, 300), PYTHON: (1, 0, 150)}
    audited()


def trained(learner_id: str = "mei", level: int = 2, completed_on: date | None = None) -> TrainingCompleted:
    return TrainingCompleted(
        learner_id=learner_id,
        class_code="C1",
        scheme="cloud-ops",
        level=Level(level),
        class_hours=48,
        completed_on=completed_on or today() - timedelta(days=10),
    )


def test_trainings_are_credited_by_their_rule_once_there_is_one(assessment: Assessment) -> None:
    assessment.tell(scheme())
    assessment.tell(trained(), trained("lan"), trained("early"))
    assert not credit_trainings(OLD_DAYS)
    assert balances("mei") == (0, 0), "an X scheme's own rule says nothing of its trainings"
    publish_rule("training.cloud-ops", 2, 30, BEGIN)
    assert not credit_trainings(OLD_DAYS)
    assert holdings() == {"training.cloud-ops": (2, 0, 30)}
    assert not credit_trainings(OLD_DAYS)
    assessment.tell(registered("early"))
    settle_waiting()
    assert (holdings("early"), len(entries("mei"))) == ({"training.cloud-ops": (2, 0, 30)}, 1)
    assert [one["what"] for one in entries("mei")] == ["TrainingCompleted"]
    assert len(announced("OutcomeSourceNamed")) == 1
    audited()


def test_a_training_of_a_merged_learner_and_one_that_comes_after_the_rule(assessment: Assessment) -> None:
    assessment.tell(trained("lan", level=1), trained("mei", level=1))
    assessment.tell(merged("mei", "lan"))
    publish_rule("training.cloud-ops", 1, 10, BEGIN)
    publish_rule("training.cloud-ops", 2, 30, BEGIN)
    assert not credit_trainings(OLD_DAYS)
    assert holdings() == {"training.cloud-ops": (1, 0, 10)}
    assessment.tell(trained("lan", level=2))
    assert not credit_trainings(OLD_DAYS)
    assert holdings() == {"training.cloud-ops": (2, 0, 30)}
    audited()


def test_no_credential_vouches_for_what_others_issued(assessment: Assessment) -> None:
    send(licence())
    with pytest.raises(Refusal, match="outcome_not_vouched"):
        _vouched("mei", "outcome:college:L-1")


SAYINGS = [
    licence("五级", state=State.PROVISIONAL, as_of=NOON),
    licence("四级", state=State.PROVISIONAL, as_of=NOON + timedelta(hours=1)),
    licence("四级", state=State.FINAL, as_of=NOON + timedelta(hours=2)),
    licence("四级", state=State.WITHDRAWN, as_of=NOON + timedelta(hours=3)),
    licence("二级", state=State.FINAL, as_of=NOON + timedelta(hours=4)),
]


@pytest.mark.parametrize("seed", range(12))
def test_the_order_of_revisions_does_not_matter(assessment: Assessment, seed: int) -> None:
    chance = random.Random(seed)
    some = SAYINGS[: 1 + seed % len(SAYINGS)]
    last, told = some[-1], [*some, *some]
    chance.shuffle(told)
    for one in told:
        send(one)
    due = {0: (5, 100, 0), 1: (4, 200, 0), 2: (4, 0, 200), 4: (2, 0, 400)}
    place = SAYINGS.index(last)
    assert holdings() == ({} if place == 3 else {ELECTRICIAN: due[place]})
    [row] = database()["submitted_outcomes"].find()
    assert (row["state"], row["as_of"]) == (last.state, last.as_of)
    audited()


LONG_AGO = date(2021, 6, 1)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CampusClock:
    """The field's time, which a story moves on day by day."""
    made = CampusClock(tmp_path, monkeypatch)
    made.stand_at("2026-03-02T09:00")
    return made


def digests() -> list[tuple[str, int, int, int]]:
    """Whom digests told, of how many outcomes, their points, and the balance."""
    said = [msgspec.json.decode(row["body"]) for row in announced("OutcomesDigested")]
    names = ("learner_id", "outcomes", "available_points", "available_balance")
    return [tuple(one[name] for name in names) for one in said]  # type: ignore[misc]


def tell() -> list[tuple[str, int, int, int]]:
    while tell_digests():
        pass
    return digests()


def test_old_outcomes_are_credited_at_once_and_told_in_one_digest_the_next_day(
    assessment: Assessment, clock: CampusClock
) -> None:
    send(licence("五级", day=LONG_AGO), course(day=LONG_AGO), course("C-9", learner_id="lan", day=LONG_AGO))
    send(licence("四级", "L-2", day=LONG_AGO))
    assert (balances("mei"), balances("lan")) == ((0, 350), (0, 150))
    assert {one["what"] for one in entries("mei")} == {"OldOutcomeSubmitted"}
    assert tell() == [], "not before the day is over"
    clock.stand_at("2026-03-03T00:01")
    told = [("mei", 3, 350, 350), ("lan", 1, 150, 150)]
    assert sorted(tell()) == sorted(told)
    assert sorted(tell()) == sorted(told), "and once"
    audited()


def test_what_is_old_goes_by_a_set_age_on_the_day_it_comes(assessment: Assessment, clock: CampusClock) -> None:
    old = date(2026, 3, 2) - timedelta(days=OLD_DAYS)
    send(licence(day=old), course(day=old - timedelta(days=1)))
    assert [one["what"] for one in entries("mei")] == ["OutcomeSubmitted", "OldOutcomeSubmitted"]


def test_an_old_outcome_that_waited_for_its_rule_is_told_when_it_is_credited(
    assessment: Assessment, clock: CampusClock
) -> None:
    send(licence("三级", code="welder", title="焊工", day=LONG_AGO))
    clock.stand_at("2026-03-03T09:00")
    assert tell() == []
    publish_rule("licence.welder", 3, 250, BEGIN)
    settle_waiting()
    assert tell() == []
    clock.stand_at("2026-03-04T09:00")
    assert tell() == [("mei", 1, 250, 250)]


def test_trainings_of_long_ago_are_told_in_the_digest(assessment: Assessment, clock: CampusClock) -> None:
    assessment.tell(trained(level=1, completed_on=LONG_AGO), trained(level=2, completed_on=LONG_AGO))
    publish_rule("training.cloud-ops", 1, 10, BEGIN)
    publish_rule("training.cloud-ops", 2, 30, BEGIN)
    assert not credit_trainings(OLD_DAYS)
    clock.stand_at("2026-03-03T09:00")
    assert tell() == [("mei", 2, 30, 30)]


def test_a_second_day_tells_what_is_new_alone(assessment: Assessment, clock: CampusClock) -> None:
    send(course(day=LONG_AGO))
    clock.stand_at("2026-03-03T09:00")
    tell()
    send(course("C-2", day=LONG_AGO, kind=OutcomeKind.LICENCE, code="electrician", level="五级"))
    clock.stand_at("2026-03-04T09:00")
    assert tell() == [("mei", 1, 150, 150), ("mei", 1, 100, 250)]


def test_a_digest_of_a_merged_learner_goes_to_the_survivor(assessment: Assessment, clock: CampusClock) -> None:
    send(course(day=LONG_AGO, learner_id="lan"))
    assessment.tell(merged("mei", "lan"))
    clock.stand_at("2026-03-03T09:00")
    assert tell() == [("mei", 1, 150, 150)]


def test_an_old_outcome_before_its_account_is_told_once_there_is_one(
    assessment: Assessment, clock: CampusClock
) -> None:
    send(course(day=LONG_AGO, learner_id="wen"))
    assessment.tell(registered("wen"))
    clock.stand_at("2026-03-03T09:00")
    assert tell() == [("wen", 1, 150, 150)]
