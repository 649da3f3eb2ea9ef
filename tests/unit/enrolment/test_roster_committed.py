"""What a committed roster leaves behind, on a real database."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from chassis import seal
from chassis.database import database, rows_of, run_transaction
from chassis.errors import Busy
from contracts.terms import DocumentType
from services.enrolment.applications.commands import Asked, withdraw
from services.enrolment.applications.models import Applications
from services.enrolment.learners.domain import Document
from services.enrolment.learners.models import Documents, Learners, StudentRecords
from services.enrolment.learners.queries import census_of, match, person_of
from tests.support.forgetting import forget, forgotten
from tests.unit.enrolment.rosters import (
    KEYRING,
    announced,
    identity,
    neighbour,
    open_the_annex,
    preview,
    statuses,
    student,
    upload,
)


@pytest.fixture(autouse=True)
def annex(mongo: str) -> None:
    open_the_annex()


def learner_of(number: str) -> str:
    [found] = match([("", number)], KEYRING)
    assert found
    return found


def test_a_roster_registers_people_records_and_applications() -> None:
    assert statuses(upload(student(1), student(2), neighbour())) == ["new", "new", "new"]
    assert len(rows_of(Learners, {})) == 3
    assert len(rows_of(StudentRecords, {})) == 2
    assert {(row["scheme"], row["level"], row["state"]) for row in rows_of(Applications, {})} == {
        ("smart-finance", 1, "applied"),
        ("dementia-care", 2, "applied"),
    }
    assert [one["kind"] for one in announced("LearnerRegistered")].count("student") == 2
    assert len(announced("StudentRecordChanged")) == 2


def test_the_same_roster_again_changes_nothing() -> None:
    lines = [student(1), student(2), student(1, 申请等级="中级"), neighbour()]
    upload(*lines)
    before = announced()
    assert statuses(upload(*lines)) == ["unchanged"] * 4
    assert announced() == before


def test_a_preview_writes_nothing() -> None:
    assert statuses(preview(student())) == ["new"]
    assert rows_of(Learners, {}) == []
    assert announced("LearnerRegistered") == []


def test_personal_values_stand_nowhere_in_clear() -> None:
    upload(student(1, 姓名="买买提·艾力", 手机="13812345678", 邮箱="aili@example.cn"), neighbour())
    everything = repr({name: list(database()[name].find()) for name in database().list_collection_names()})
    for clear in ("买买提", "黄玉梅", "13812345678", "aili@example.cn", identity(1)):
        assert clear not in everything
        assert clear.encode().hex() not in everything


def test_what_is_announced_opens_with_the_learners_own_key_in_its_own_place() -> None:
    upload(neighbour(姓名="古丽•\u20bb7"))
    [said] = announced("LearnerRegistered")
    learner_id = said["learner_id"]
    row = database()["keys"].find_one({"_id": learner_id})
    assert row
    key = KEYRING.unwrap(row["wrapped"])
    assert seal.open_(key, said["name"], f"learner:{learner_id}:name") == "古丽·\u20bb7"
    assert seal.open_(key, said["email"], f"learner:{learner_id}:email") == "yumei@example.cn"
    with pytest.raises(seal.SealBroken):
        seal.open_(key, said["name"], f"learner:{learner_id}:phone")


def test_a_corrected_name_and_a_new_class_are_changes_with_one_announcement_each() -> None:
    upload(student())
    assert statuses(upload(student(姓名="陈小岚"))) == ["changed"]
    assert statuses(upload(student(姓名="陈小岚", 班级="1904班"))) == ["changed"]
    assert len(announced("LearnerChanged")) == 1
    records = announced("StudentRecordChanged")
    assert [one["class_name"] for one in records] == ["1903班", "1904班"]
    assert person_of(learner_of(identity(1)), KEYRING).particulars.name == "陈小岚"


def test_a_phone_left_empty_does_not_take_the_phone_away() -> None:
    upload(neighbour())
    assert statuses(upload(neighbour(手机="", 邮箱=""))) == ["unchanged"]
    assert statuses(upload(neighbour(手机="13700000000"))) == ["changed"]
    assert person_of(learner_of(identity(900, "44010619750820")), KEYRING).particulars.phone == "13700000000"


def test_a_second_wish_of_a_known_person_is_new_and_announces_nothing() -> None:
    upload(student())
    before = announced()
    assert statuses(upload(student(申请等级="中级"))) == ["new"]
    assert len(rows_of(Applications, {})) == 2
    assert announced() == before


def test_a_neighbour_who_is_admitted_keeps_the_account() -> None:
    upload(neighbour())
    mine = identity(900, "44010619750820")
    before = learner_of(mine)
    assert statuses(upload(student(7, 证件号码=mine, 姓名="黄玉梅", 专业="社会工作", 年级="2021"))) == ["new"]
    assert learner_of(mine) == before
    assert [one["kind"] for one in announced("LearnerChanged")] == ["student"]


def test_an_earlier_record_and_the_one_of_now_stand_side_by_side() -> None:
    earlier = student(学号="2016040001", 年级="2016", 学籍状态="毕业", 申请证书="", 申请等级="")
    assert statuses(upload(earlier, student())) == ["new", "new"]
    assert statuses(upload(earlier, student())) == ["unchanged", "unchanged"]
    assert len(rows_of(StudentRecords, {})) == 2
    assert len(rows_of(Learners, {"kind": "student"})) == 1


def test_a_student_number_of_somebody_else_is_refused() -> None:
    upload(student(1))
    assert statuses(upload(student(2, 学号="2019040001"))) == ["student_number_taken"]


def test_a_row_that_leans_on_the_row_before_it_is_taken_with_it() -> None:
    lean = student(专业="", 年级="", 班级="1905班")
    assert statuses(upload(student(), lean)) == ["new", "new"]
    assert [row["class_name"] for row in rows_of(StudentRecords, {})] == ["1905班"]


def test_a_withdrawn_application_stays_withdrawn_when_the_roster_comes_again() -> None:
    upload(student())
    [row] = rows_of(Applications, {})
    withdraw([Asked(0, row["_id"], "moved away")])
    [examined] = upload(student())
    assert examined.status == "unchanged"
    assert [note.code for note in examined.notes] == ["application_withdrawn"]
    assert rows_of(Applications, {})[0]["state"] == "withdrawn"


def test_a_change_of_department_moves_the_applications_along() -> None:
    upload(student())
    assert statuses(upload(student(院系="商贸学院", 申请证书="", 申请等级=""))) == ["changed"]
    assert [row["department"] for row in rows_of(Applications, {})] == ["商贸学院"]


def test_match_finds_people_however_their_number_is_written_and_nobody_for_the_rest() -> None:
    upload(student(1), neighbour())
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in identity(1))
    found = match([("居民身份证", wide), ("resident", identity(2)), ("", "123"), ("学生证", identity(1))], KEYRING)
    assert found == [learner_of(identity(1)), None, None, None]


def test_a_passport_and_an_identity_card_with_one_number_are_two_documents() -> None:
    upload(neighbour(证件类型="护照", 证件号码="E12345678"))
    assert match([("护照", "e12345678"), ("台湾居民来往大陆通行证", "E12345678")], KEYRING)[1] is None


def test_five_hundred_rows_are_read_and_written_in_a_handful_of_commands() -> None:
    lines = [student(serial) for serial in range(1, 501)]
    assert commands_of(lambda: upload(*lines)) <= 30
    assert commands_of(lambda: preview(*lines)) <= 10
    assert set(statuses(preview(*lines))) == {"unchanged"}


def commands_of(verb: Callable[[], object]) -> int:
    """How many commands the database gets from a verb."""
    before = database().command("serverStatus")["metrics"]["commands"]
    verb()
    after = database().command("serverStatus")["metrics"]["commands"]
    return sum(
        int(after[name]["total"]) - int(before[name]["total"]) for name in ("find", "insert", "update", "delete")
    )


def test_two_uploads_of_one_person_at_once_make_one_learner(tries: int) -> None:
    for serial in range(1, min(tries, 60) + 1):
        race_two_uploads(serial)
    assert len(rows_of(Documents, {})) == len(rows_of(Learners, {})) == min(tries, 60)


def race_two_uploads(serial: int) -> None:
    lines, met, broken = (student(serial), student(serial, 申请等级="中级")), threading.Barrier(2), []

    def one(line: dict[str, str]) -> None:
        met.wait(5)
        try:
            upload(line)
        except Busy as error:  # pragma: no cover -- told by the assertion
            broken.append(error)

    threads = [threading.Thread(target=one, args=(line,)) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not broken
    learner_id = learner_of(identity(serial))
    assert len(rows_of(Applications, {"learner_id": learner_id})) == 2


def test_a_commit_names_the_person_so_that_a_decision_about_him_conflicts() -> None:
    upload(student())
    document = Document(DocumentType.RESIDENT, identity(1))
    census = census_of([document], [], KEYRING)
    learner_id = census.persons[document].learner_id
    before = run_transaction(lambda: database()["strands"].find_one({"_id": f"learner:{learner_id}"}))
    upload(student(申请等级="中级"))
    after = run_transaction(lambda: database()["strands"].find_one({"_id": f"learner:{learner_id}"}))
    assert before is not None
    assert after is not None
    assert after["version"] == before["version"] + 1


def test_students_who_were_forgotten_are_who_they_were() -> None:
    upload(student(1), neighbour())
    before = {one["student_number"]: one["learner_id"] for one in announced("StudentRecordChanged")}
    kept = {"outbox", "strands", "programmes", "imports"}
    told = ["LearnerRegistered", "StudentRecordChanged", "LearnerChanged"]
    forget(set(database().list_collection_names()) - kept, told)
    open_the_annex()
    upload(student(1), student(2), neighbour())
    after = announced("StudentRecordChanged")
    assert len(after) == 2  # the forgotten one is not announced again
    assert {**before, after[1]["student_number"]: after[1]["learner_id"]} == {
        one["student_number"]: one["learner_id"] for one in after
    }
    assert len(announced("LearnerRegistered")) == 5  # sealed anew, since the forgotten keys are gone
    assert forgotten() == ["LearnerRegistered"]  # the neighbour's, who has no student number
