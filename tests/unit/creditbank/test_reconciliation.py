"""Reconciliation: what a TEO reports, what assessment announced and what the ledger shows, compared to zero."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.bus.event import Event
from chassis.database import database
from chassis.errors import Refusal
from chassis.sheet.imports import ask_to_commit
from chassis.sheet.kind import Upload
from contracts.terms import Verdict
from services.creditbank.jobs import settle_waiting
from services.creditbank.ledger import queries as ledger
from services.creditbank.reconciliation import commands, models, queries
from services.creditbank.reconciliation.domain import Kind, ReportRow
from services.creditbank.reconciliation.remedies import REMEDIES, Act
from services.creditbank.reconciliation.runs import Profile
from tests.unit.creditbank.reconciling import (
    APPROVER,
    IN_A_REPORT,
    UPLOADER,
    approve,
    as_csv,
    compare,
    compare_all,
    counted,
    discrepancies,
    line,
    numbered,
    preview,
    problem_of,
    put_right,
    report,
    seed,
    states,
    take,
    upload,
    work,
)
from tests.unit.creditbank.stories import (
    TEO,
    Assessment,
    audited,
    balances,
    entries,
    finalised,
    holding,
    issued,
    merged,
    of_result,
    publicised,
    publish_annex,
    registered,
    revoked,
    scheme,
)
from tests.unit.creditbank.test_any_order import EXAMPLES, KINDS, RESULTS, as_event, deliver

pytestmark = pytest.mark.usefixtures("mongo")


@pytest.fixture
def teller() -> Assessment:
    """A bank with mei, who has a pass with its number, and lan, whose pass has none."""
    publish_annex()
    made = Assessment()
    made.tell(scheme(), registered("mei"), registered("lan"), finalised("mei"), finalised("lan", "0002"))
    made.tell(issued("mei"))
    return made


def test_each_kind_is_found_once_mended_and_not_found_again() -> None:
    seeded = seed()
    first = report(seeded.lines)
    assert counted(first) == IN_A_REPORT
    assert len(IN_A_REPORT) >= 12
    found = discrepancies(first)
    assert all(one["zh"] and one["en"] and one["mend_zh"] and (one["act"] or one["party"]) for one in found)
    assert set(approve(found)) == {"accepted"}
    assert states(first) == {one["kind"]: "mended" if one["act"] else "tasked" for one in found}
    put_right(seeded)
    again = report(seeded.right)
    assert counted(again) == {}, [(one["kind"], one["en"]) for one in discrepancies(again)]
    assert set(states(first).values()) == {"closed"}
    assert counted(compare_all()) == {}
    assert audited().faults == []


def test_what_the_bank_may_do_it_does_with_a_cause_that_can_be_followed(teller: Assessment) -> None:
    run = report([line("mei", "X-1"), line("lan", "N-lan")])
    (found,) = discrepancies(run)
    assert (found["kind"], found["act"], found["row"]) == (Kind.NUMBER_NOT_RECORDED, Act.RECORD_NUMBER, 3)
    assert holding("lan")["unnumbered"]
    assert approve([found]) == {"accepted": 1}
    assert not holding("lan")["unnumbered"]
    cause = f"reconciliation:{run['number']}:3"
    assert (entries("lan")[-1]["cause"], entries("lan")[-1]["what"]) == (cause, "NumberReconciled")
    assert [step["what"] for step in queries.steps_by_cause(cause)] == ["Discrepancy"]
    assert [step["id"] for step in ledger.life_of(cause)] == ["lan:000002"]
    teller.tell(issued("lan", "0002", number="N-lan"))  # assessment says the same afterwards
    assert len(entries("lan")) == 2
    assert counted(report([line("mei", "X-1"), line("lan", "N-lan")])) == {}


def test_a_task_is_given_out_and_nothing_is_said_for_assessment(teller: Assessment) -> None:
    run = report([line("mei", "X-1", 证书状态="已撤销"), line("lan", "N-lan")])
    (found,) = discrepancies(run, kind="revoked_at_teo")
    assert (found["act"], found["party"]) == ("", "teo")
    assert found["request"].startswith(f"POST assessment /teos/{TEO}/certificates/X-1/revocations")
    before = list(database()["outbox"].find({}))
    assert approve([found]) == {"accepted": 1}
    assert list(database()["outbox"].find({})) == before
    assert holding("mei")["certificate"] == "recorded"
    teller.tell(revoked("mei"))
    assert "revoked_at_teo" not in counted(report([line("mei", "X-1", 证书状态="已撤销"), line("lan", "N-lan")]))
    assert discrepancies(run, kind="revoked_at_teo")[0]["state"] == "closed"


def test_the_same_report_twice_changes_nothing_and_a_task_goes_on(teller: Assessment) -> None:
    lines = [line("mei", "X-1", 发证日期="2020-11-30"), line("lan", "N-lan")]
    first = report(lines)
    assert approve(discrepancies(first, kind="issue_date_mismatch")) == {"accepted": 1}
    number = take(lines)
    assert [one["status"] for one in preview(number)] == ["unchanged", "unchanged"]
    second = compare()
    assert counted(second) == counted(first) == {"issue_date_mismatch": 1, "number_not_recorded": 1}
    assert set(states(first).values()) == {"carried_on"}
    assert states(second) == {"issue_date_mismatch": "tasked", "number_not_recorded": "open"}
    assert approve(discrepancies(first)) == {"discrepancy_ended": 2}
    assert approve(discrepancies(second)) == {"accepted": 1, "unchanged": 1}
    assert approve(discrepancies(second)) == {"unchanged": 2}
    assert len(entries("lan")) == 2


def test_of_many_each_is_judged_alone(teller: Assessment) -> None:
    teller.tell(registered("bo"), finalised("bo", "0003"))
    run = report([line("mei", "X-1"), line("lan", "N-lan"), line("bo", "N-bo")])
    teller.tell(issued("bo", "0003", number="N-bo"))  # meanwhile it came by itself
    found = discrepancies(run)
    assert approve([*found, {"id": "00000009:0000001"}]) == {"accepted": 1, "discrepancy_gone": 1, "not_found": 1}
    assert [one["state"] for one in discrepancies(run)] == ["mended", "open"]


def test_a_person_approves_who_did_not_upload(teller: Assessment) -> None:
    run = report([line("lan", "N-lan"), line("mei", "X-1")])
    found = discrepancies(run)
    assert approve(found, UPLOADER) == {"own_report": 1}
    assert holding("lan")["unnumbered"]
    assert approve(found) == {"accepted": 1}
    assert discrepancies(run)[0]["approved_by"] == APPROVER


def test_nothing_is_approved_before_the_comparison_has_finished(teller: Assessment) -> None:
    take([line("lan", "N-lan")])
    assert commands.compare_some()  # begins
    assert commands.compare_some()  # the rows
    (found,) = models.discrepancies_after(1, {}, "", 10)
    assert approve([{"id": found.id}]) == {"reconciliation_not_finished": 1}


def test_a_comparison_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded steps, each of them tried with a transaction that comes to nothing before it does."""
    seeded = seed()
    monkeypatch.setattr(commands, "MOST", 3)
    take(seeded.lines)
    kept, fails = models.keep_run, {"next": True}

    def killed_every_second_time(run: Any) -> None:
        kept(run)
        fails["next"] = not fails["next"]
        if not fails["next"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(models, "keep_run", killed_every_second_time)
    steps = list(iter(_step, "done"))
    (run,) = queries.runs_before(None, None, 10)
    assert (run["stage"], counted(run)) == ("finished", IN_A_REPORT)
    assert min(steps.count("stepped"), steps.count("killed")) > len(seeded.lines) / 3


def test_two_workers_at_once_find_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded = seed()
    monkeypatch.setattr(commands, "MOST", 2)
    take(seeded.lines)
    with ThreadPoolExecutor(2) as workers:
        list(workers.map(lambda _: list(iter(_step, "done")), range(2)))
    (run,) = queries.runs_before(None, None, 10)
    assert (run["stage"], counted(run)) == ("finished", IN_A_REPORT)
    assert len(discrepancies(run)) == len(IN_A_REPORT)


def _step() -> str:
    """What became of one step."""
    try:
        return "stepped" if commands.compare_some() else "done"
    except KeyboardInterrupt:
        return "killed"


def test_a_sheet_that_cannot_be_read_says_so_row_by_row(teller: Assessment) -> None:
    lines = [
        line("mei", "X-1", "特级"),
        line("mei", "X-2", 证件类型="居民身份证", 证件号码="110105194912310021"),
        line("mei", "X-3", 发证日期="昨天"),
        line("mei", "X-4", 证书状态="存疑"),
        line("mei", ""),
        line("mei", "X" * 65),
        line("mei", "X-1"),
    ]
    shown = preview(upload(as_csv(lines)))
    assert [one["code"] for one in shown] == [
        "level_unknown",
        "identity_check_digit",
        "not_a_date",
        "certificate_status_unknown",
        "cell_missing",
        "report_number_malformed",
        None,
    ]
    assert shown[1]["cells"]["证件号码"] == "110***********0021"


def test_a_column_that_nobody_knows_stops_a_sheet_until_the_profile_knows_it(teller: Assessment) -> None:
    lines = [line("mei", "X-1") | {"内部流水": "7"}]
    assert problem_of(upload(as_csv(lines))) == "columns_unknown"
    renamed = [{("证书流水号" if name == "证书编号" else name): cell for name, cell in lines[0].items()}]
    assert problem_of(upload(as_csv(renamed))) == "columns_missing"
    commands.keep_profile(Profile(TEO, {"证书编号": ("证书流水号",)}, ("内部流水",)))
    assert [one["status"] for one in preview(upload(as_csv(renamed)))] == ["new"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_report_is_read_as_it_was_saved(teller: Assessment, encoding: str) -> None:
    number = upload(as_csv([line("mei", "X-1", "Ⅱ"), line("mei", "X-1", "２级")], encoding))
    assert [one["code"] for one in preview(number)] == ["level_unknown", None]


def test_a_report_says_whose_it_is(teller: Assessment) -> None:
    number = upload(as_csv([line("mei", "X-1")]), teo="")
    assert problem_of(number) == "report_without_teo"
    assert preview(number) == []


def test_no_document_is_kept_here(teller: Assessment) -> None:
    report([line("mei", "X-1", 姓名="陈晓岚"), line("stranger", "N-9", 姓名="陈晓岚")])
    written = [str(row) for name in database().list_collection_names() for row in database()[name].find({})]
    assert not [row for row in written if "STRANGER" in row or "陈晓岚" in row]


def test_a_report_closes_only_what_it_speaks_for(teller: Assessment) -> None:
    wide = report([line("mei", "X-1"), line("lan", "N-lan")])
    narrow = report([line("mei", "X-1", 发证日期="2020-11-21")], issued_from="2020-11-22", issued_until="2020-11-30")
    assert counted(narrow) == {"pass_without_number": 1}
    assert states(wide) == {"number_not_recorded": "open"}
    whole = report([line("mei", "X-1")])
    assert counted(whole) == {"pass_without_number": 1}
    assert states(wide) == {"number_not_recorded": "closed"}


def test_a_report_with_refused_rows_is_not_asked_what_it_does_not_name(teller: Assessment) -> None:
    whole = report([line("lan", "N-lan")])
    assert counted(whole) == {"missing_from_report": 1, "number_not_recorded": 1}
    holed = report([line("mei", "X-1", "特级"), line("lan", "N-lan", 发证日期="2020-11-22")])
    assert queries.report_of(holed["report"])["left_out"] == 1
    assert counted(holed) == {"number_not_recorded": 1}
    assert states(whole) == {"missing_from_report": "open", "number_not_recorded": "carried_on"}


def test_merged_learners_are_one_holder(teller: Assessment) -> None:
    teller.tell(registered("mei-2"))
    teller.tell(merged("mei", "mei-2"))
    assert counted(report([line("mei-2", "X-1"), line("lan", "N-lan")])) == {"number_not_recorded": 1}


def test_the_night_compares_once_a_day(teller: Assessment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO", "1")
    monkeypatch.setenv("CLOCK_FILE", str(tmp_path / "clock"))
    (tmp_path / "clock").write_text("2020-12-01T01:59:00+08:00")
    assert not commands.begin_nightly()
    (tmp_path / "clock").write_text("2020-12-01T02:00:00+08:00")
    commands.begin_nightly()
    compare()
    commands.begin_nightly()
    (tmp_path / "clock").write_text("2021-06-01T12:00:00+08:00")
    commands.begin_nightly()
    compare()
    nights = [(run["night"], counted(run)) for run in queries.runs_before(None, None, 10)]
    assert nights == [("2021-06-01", {"pass_without_number": 1}), ("2020-12-01", {})]


def test_points_without_any_result_are_found_where_all_is_compared(teller: Assessment) -> None:
    database()["outcomes"].delete_many({"learner_id": "mei"})
    run = compare_all()
    (found,) = discrepancies(run, kind="points_without_result")
    assert (found["learner_id"], found["here"]) == ("mei", "0 + 400")
    assert approve([found]) == {"accepted": 1}
    assert balances("mei") == (0, 0)
    assert "points_without_result" not in counted(compare_all())
    audited()


def test_no_difference_is_posted_on_an_account_that_contradicts_its_journal(teller: Assessment) -> None:
    database()["accounts"].update_one({"_id": "mei"}, {"$set": {"holdings.0.available": 999}})
    run = compare_all()
    (found,) = discrepancies(run, kind="points_wrong")
    assert approve([found]) == {"journal_disagrees": 1}
    assert len(entries("mei")) == 2


def test_a_report_again_is_compared_without_another_upload(teller: Assessment) -> None:
    first = report([line("mei", "X-1"), line("lan", "N-lan")])
    approve(discrepancies(first))
    commands.ask("user:lin", first["report"])
    again = compare()
    assert (again["report"], counted(again)) == (first["report"], {})
    with pytest.raises(Refusal, match="not_found"):
        commands.ask("user:lin", 99)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (line("mei", "X-1", 证书名称="web-ops"), "scheme_mismatch"),
        (line("lan", "X-1"), "holder_mismatch"),
        (line("stranger", "X-1"), "holder_unknown"),
    ],
)
def test_a_date_is_only_told_of_a_certificate_that_is_the_rows(
    teller: Assessment, row: dict[str, str], found: str
) -> None:
    """Else the date would be noted for a result of another scheme, of another learner or of nobody."""
    teller.tell(scheme("web-ops"))
    database()["outcomes"].update_many({}, {"$unset": {"certificates": ""}})
    before = list(database()["outcomes"].find({}))
    run = report([row])
    assert [one["kind"] for one in discrepancies(run) if one["row"]] == [found]
    approve(discrepancies(run))
    assert list(database()["outcomes"].find({})) == before
    differs = report([row | {"发证日期": "2020-11-25"}])
    assert [one["kind"] for one in discrepancies(differs) if one["row"]] == [found]


@pytest.mark.parametrize(
    "spoilt",
    [{"learner_id": "lan"}, {"learner_id": ""}, {"scheme": "web-ops"}, {"result_id": "another"}],
    ids=lambda spoilt: "-".join(spoilt.values()) or "nobody",
)
def test_nothing_is_recorded_but_on_the_pass_that_it_names(
    teller: Assessment, monkeypatch: pytest.MonkeyPatch, spoilt: dict[str, str]
) -> None:
    """Whatever a comparison says, the bank writes where this learner has this pass from this scheme."""
    database()["outcomes"].update_one({"learner_id": "mei"}, {"$unset": {"certificates": ""}})
    run = report([line("mei", "X-1"), line("lan", "N-lan")])
    (row,) = database()["discrepancies"].find({"kind": "issue_date_unknown"})
    wrong = replace(models.discrepancy_of(row), finding=replace(models.discrepancy_of(row).finding, **spoilt))
    models.change_discrepancies([wrong])
    before = list(database()["outcomes"].find({}))
    monkeypatch.setattr(commands, "found_now", lambda _run, finding: [finding])
    assert approve(discrepancies(run, kind="issue_date_unknown")) == {"discrepancy_gone": 1}
    assert list(database()["outcomes"].find({})) == before
    assert states(run)["issue_date_unknown"] == "open"


def test_a_date_waits_for_its_pass_to_be_final(teller: Assessment) -> None:
    teller.tell(registered("bo"), publicised("bo", "0003"), issued("bo", "0003", number="N-bo"))
    database()["outcomes"].update_many({"learner_id": "bo"}, {"$unset": {"certificates": ""}})
    lines = [line("mei", "X-1"), line("lan", "N-lan"), line("bo", "N-bo")]
    assert counted(report(lines)) == {"number_not_recorded": 1, "pass_not_final": 1}
    teller.tell(finalised("bo", "0003"))
    commands.ask("user:lin", 1)
    run = compare()
    assert counted(run) == {"number_not_recorded": 1, "issue_date_unknown": 1}
    assert approve(discrepancies(run)) == {"accepted": 2}


def test_a_merge_after_the_report_closes_the_holders_that_differed(teller: Assessment) -> None:
    teller.tell(registered("mei-2"))
    run = report([line("mei-2", "X-1"), line("lan", "N-lan")])
    assert counted(run) == {"holder_mismatch": 1, "number_not_recorded": 1}
    teller.tell(merged("mei", "mei-2"))
    assert approve(discrepancies(run, kind="holder_mismatch")) == {"discrepancy_gone": 1}
    commands.ask("user:lin", run["report"])
    assert counted(compare()) == {"number_not_recorded": 1}
    assert states(run) == {"holder_mismatch": "closed", "number_not_recorded": "carried_on"}


def test_a_merge_after_the_report_takes_its_rows_and_what_they_showed_along(teller: Assessment) -> None:
    teller.tell(registered("lan-new"), registered("lan-newest"))
    run = report([line("mei", "X-1"), line("lan", "N-lan")])
    teller.tell(merged("lan-new", "lan"))
    teller.tell(merged("lan-newest", "lan-new"))
    commands.ask("user:lin", run["report"])
    again = compare()
    assert counted(again) == {"number_not_recorded": 1}
    assert discrepancies(again)[0]["learner_id"] == "lan-newest"


def test_what_a_merged_learner_lacked_can_still_be_approved(teller: Assessment) -> None:
    teller.tell(registered("lan-new"))
    run = report([line("mei", "X-1"), line("lan", "N-lan")])
    teller.tell(merged("lan-new", "lan"))
    assert approve(discrepancies(run)) == {"accepted": 1}
    assert not holding("lan-new")["unnumbered"]
    assert entries("lan-new")[-1]["cause"] == f"reconciliation:{run['number']}:3"
    commands.ask("user:lin", run["report"])
    assert counted(compare()) == {}
    assert database()["outcomes"].count_documents({"learner_id": "lan"}) == 0


def test_what_the_ledger_showed_of_a_merged_learner_can_still_be_approved(teller: Assessment) -> None:
    database()["outcomes"].update_one({"learner_id": "mei"}, {"$set": {"credit_points": 300}})
    run = compare_all()
    (found,) = discrepancies(run, kind="points_wrong")
    teller.tell(registered("mei-new"))
    database()["outcomes"].update_one({"learner_id": "mei"}, {"$set": {"credit_points": 400}})
    teller.tell(merged("mei-new", "mei"))
    database()["outcomes"].update_one({"learner_id": "mei-new"}, {"$set": {"credit_points": 300}})
    assert approve([found]) == {"accepted": 1}
    assert balances("mei-new") == (0, 300)


def test_a_report_that_is_not_all_in_is_compared_by_itself(teller: Assessment, monkeypatch: pytest.MonkeyPatch) -> None:
    number = upload(as_csv([line("mei", "X-1"), line("lan", "N-lan")]))
    kept = commands.take_rows

    def asked_meanwhile(brought: Upload, rows: Sequence[ReportRow]) -> None:
        kept(brought, rows[:1])
        with pytest.raises(Refusal, match="report_not_all_in") as refused:
            commands.ask("user:lin", number)
        assert refused.value.ground.status == 409
        kept(brought, rows[1:])

    monkeypatch.setattr(commands, "take_rows", asked_meanwhile)
    ask_to_commit(number)
    work()
    run = compare()
    assert (run["report"], run["asked_by"], counted(run)) == (number, UPLOADER, {"number_not_recorded": 1})
    commands.ask("user:lin", number)
    assert counted(compare()) == {"number_not_recorded": 1}


def test_every_kind_has_a_remedy_and_what_is_anothers_is_a_task() -> None:
    assert set(REMEDIES) == set(Kind)
    assert len(Kind) >= 12
    for remedy in REMEDIES.values():
        assert (remedy.act is None) != (remedy.party is None)


def test_marks_keep_what_events_say_of_a_certificate(teller: Assessment) -> None:
    teller.tell(revoked("mei"))
    rows = {row["result_id"]: row.get("certificates") for row in database()["outcomes"].find({"learner_id": "mei"})}
    assert rows[f"{TEO}:plan:0001:1"][0]["issued_on"] == "2020-11-21"
    assert rows["revocation:cloud-ops:X-1"][0]["reason"] == "in error"
    assert {said["teo"] for (said,) in rows.values()} == {TEO}


def test_a_number_of_before_marks_were_kept_is_known_by_its_schemes_organisation(teller: Assessment) -> None:
    database()["outcomes"].update_many({}, {"$unset": {"certificates": ""}})
    run = report([line("mei", "X-1"), line("lan", "N-lan")])
    assert counted(run) == {"issue_date_unknown": 1, "number_not_recorded": 1}
    teller.tell(msgspec.structs.replace(numbered("lan"), result_id=f"{TEO}:plan:0002:1"))
    assert approve(discrepancies(run)) == {"accepted": 1, "discrepancy_gone": 1}
    commands.ask("user:lin", run["report"])
    assert counted(compare()) == {}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed_=st.randoms(use_true_random=False))
def test_on_a_sound_bank_nothing_is_found(mongo: str, seed_: random.Random) -> None:
    """Whatever happened to results and numbers, in whatever order, once every result has come."""
    who = f"{seed_.getrandbits(48):012x}"
    stories = [_story(seed_, f"{who}-{one}") for one in range(4)]
    events = [*_registrations(who), *(event for story in stories for event in story)]
    if seed_.random() < 0.5:
        events.append(as_event(merged(f"{who}-0", f"{who}-1"), f"{who}-merged"))
    seed_.shuffle(events)
    rules_at = seed_.randrange(len(events))
    for place, event in enumerate(events):
        if place == rules_at:
            publish_annex()
        deliver(event)
    while settle_waiting():
        pass
    assert counted(compare_all()) == {}, events


def _registrations(who: str) -> list[Event[Any]]:
    return [as_event(registered(f"{who}-{one}"), f"{who}-{one}-registered") for one in range(4)]


def _story(chance: random.Random, learner: str) -> list[Event[Any]]:
    """What is told of one learner's results: revisions, numbers, revocations, each perhaps twice."""
    told: list[Event[Any]] = []
    for level, result in enumerate(RESULTS[: chance.randrange(4)], 1):
        own = f"{learner}-{result}"
        told += [_revision(chance, learner, own, level, one) for one in range(1, chance.randrange(2, 5))]
        told += [paper for copy in range(chance.randrange(3)) for paper in _papers(chance, learner, own, level, copy)]
    return [*told, *chance.sample(told, min(len(told), 2))]


def _revision(chance: random.Random, learner: str, own: str, level: int, revision: int) -> Event[Any]:
    kind, more = chance.choice(KINDS)
    verdict = chance.choice((Verdict.PASSED, Verdict.PASSED, Verdict.FAILED))
    return as_event(of_result(kind, learner, own, revision, level, verdict=verdict, **more), f"{own}-{revision}")


def _papers(chance: random.Random, learner: str, own: str, level: int, copy: int) -> list[Event[Any]]:
    """A number on record, and perhaps its revocation."""
    number = f"{own}-{copy}"
    told: list[Any] = [as_event(issued(learner, own, level, number), f"{number}-issued")]
    gone = as_event(revoked(learner, level, number), f"{number}-revoked")
    return [*told, gone] if chance.random() < 0.3 else told
