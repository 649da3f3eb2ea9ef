"""What a roster row means, and which rows are refused: no database, no clock."""

from __future__ import annotations

from datetime import date

import pytest

from contracts.terms import LearnerKind, Level, StudyStatus
from services.enrolment.applications.domain import Wish, by_word, wish_of
from services.enrolment.applications.roster import COLUMNS, examine
from services.enrolment.learners.domain import (
    Document,
    Particulars,
    Registration,
    StudentRecord,
    Study,
    department_of,
    document_of,
    entry_year_of,
    kind_of,
    registered,
)
from tests.unit.enrolment.rosters import DEMENTIA, FINANCE, identity, neighbour, nobody_yet, rows, statuses, student

TODAY = date(2021, 3, 1)
OFFERS = by_word([FINANCE, DEMENTIA])


def judged(*lines: dict[str, str]) -> list[str]:
    return statuses(examine(rows(*lines), nobody_yet(*lines)))


def test_a_student_and_a_neighbour_are_new() -> None:
    assert judged(student(), neighbour()) == ["new", "new"]


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"专业": "航空发动机维修技术"}, "programme_unknown"),
        ({"专业": ""}, "programme_missing"),
        ({"年级": ""}, "entry_year_missing"),
        ({"年级": "一九级"}, "entry_year_unknown"),
        ({"学籍状态": "旅行"}, "status_unknown"),
        ({"申请证书": "直播电商"}, "scheme_unknown"),
        ({"申请证书": ""}, "certificate_missing"),
        ({"申请证书": "失智老人照护"}, "level_not_offered"),
        ({"申请等级": "特级"}, "level_unknown"),
        ({"申请等级": ""}, "level_unknown"),
        ({"申请等级": "初、中、高"}, "level_unknown"),
        ({"姓名": "陈" * 101}, "cell_too_long"),
        ({"证件类型": "学生证"}, "document_type_unknown"),
        ({"证件号码": identity(1)[:17]}, "identity_length"),
        ({"证件号码": identity(1)[:17] + "ABCDEFGHIJK"[int(identity(2)[16])]}, "identity_check_digit"),
        ({"证件号码": identity(7, "44010620010230")}, "identity_date"),
    ],
)
def test_a_row_is_refused_with_a_code_that_says_what_to_do(cells: dict[str, str], code: str) -> None:
    line = student(**cells)
    assert statuses(examine(rows(line), nobody_yet(student()))) == [code]


def test_a_refused_row_leaves_no_trace_for_the_rows_behind_it() -> None:
    assert judged(student(申请等级="特级"), student()) == ["level_unknown", "new"]


def test_two_people_cannot_share_a_student_number_in_one_file() -> None:
    assert judged(student(1), student(2, 学号="2019040001")) == ["new", "student_number_taken"]


def test_one_person_may_want_two_certificates_and_the_rows_have_two_identities() -> None:
    lines = [student(), student(申请等级="中级")]
    examined = examine(rows(*lines), nobody_yet(*lines))
    assert statuses(examined) == ["new", "new"]
    assert examined[0].identity != examined[1].identity


def test_the_same_wish_of_the_same_person_has_the_same_identity_however_it_is_written() -> None:
    lines = [
        neighbour(),
        neighbour(证件号码=identity(900, "44010619750820").lower(), 申请证书="失智老年人照护", 申请等级="２级"),
    ]
    examined = examine(rows(*lines), nobody_yet(*lines))
    assert examined[0].identity == examined[1].identity
    assert identity(900, "44010619750820") not in examined[0].identity


def test_a_malformed_mail_address_is_left_out_with_a_note_that_does_not_repeat_it() -> None:
    line = neighbour(邮箱="yumei at example")
    [examined] = examine(rows(line), nobody_yet(line))
    assert examined.status == "new"
    assert [note.code for note in examined.notes] == ["email_left_out"]
    assert "yumei" not in examined.notes[0].sentence("zh")


def test_a_year_of_entry_that_is_not_published_is_noted_and_not_refused() -> None:
    line = student(年级="2017")
    [examined] = examine(rows(line), nobody_yet(line))
    assert (examined.status, [note.code for note in examined.notes]) == ("new", ["entry_year_unpublished"])


@pytest.mark.parametrize(
    "text", ["智能财税", " 智能 财税 ", "智能财税职业技能等级证书", "智能财税证书", "smart-finance"]
)
def test_a_certificate_is_found_by_every_word_people_write(text: str) -> None:
    assert wish_of(text, "3级", OFFERS) == Wish("smart-finance", Level.ADVANCED)


def test_the_examples_of_the_template_are_rows_that_can_be_taken() -> None:
    lines = [{column.name: column.examples[n] for column in COLUMNS} for n in range(2)]
    known = nobody_yet(*({**line, "证件号码": line["证件号码"].ljust(18)} for line in lines))
    examined = examine(rows(*lines), known)
    assert statuses(examined) == ["new", "scheme_unknown"]  # 母婴护理 is not in this small annex


@pytest.mark.parametrize(("text", "year"), [("2019", 2019), ("2019级", 2019), ("２０１９级", 2019), ("", None)])
def test_a_year_of_entry_as_people_write_it(text: str, year: int | None) -> None:
    assert entry_year_of(text) == year


def test_a_number_of_1975_from_440106_and_one_of_830000_are_people() -> None:
    assert document_of("", identity(900, "44010619750820")).number.startswith("440106")
    assert document_of("港澳台居民居住证", identity(5, "83000019900307")).number.startswith("830000")


def person(**study: object) -> Registration:
    said = Study(**({"student_number": "1", "programme": "630302", "entry_year": 2019} | study))  # type: ignore[arg-type]
    return Registration(Document(document_of("", identity(1)).type, identity(1)), Particulars("买买提·艾力"), said)


def test_what_is_not_said_stays() -> None:
    first = registered(person(department="财会学院", class_name="1903班"), None, TODAY)
    again = registered(person(programme="", entry_year=None), first, TODAY)
    assert again == first
    assert again.records[":1"].since == date(2019, 9, 1)


def test_a_college_said_later_or_left_out_means_the_record_that_is_there() -> None:
    with_college = registered(person(college="41440"), None, TODAY)
    assert registered(person(), with_college, TODAY) == with_college
    without = registered(person(), None, TODAY)
    assert registered(person(college="41440"), without, TODAY) == without


def test_who_graduates_is_a_community_learner_from_that_day_and_the_day_stays() -> None:
    student_now = registered(person(), None, TODAY)
    graduate = registered(person(status=StudyStatus.GRADUATED), student_now, TODAY)
    assert (student_now.kind, graduate.kind) == (LearnerKind.STUDENT, LearnerKind.COMMUNITY)
    assert graduate.records[":1"].until == TODAY
    assert registered(person(status=StudyStatus.GRADUATED), graduate, date(2022, 1, 1)) == graduate
    assert registered(person(status=StudyStatus.ENROLLED), graduate, TODAY) == student_now


def test_the_department_of_what_is_studied_now_decides() -> None:
    def record(number: str, department: str, status: StudyStatus, since: date) -> StudentRecord:
        return StudentRecord("", number, "630302", since.year, department, "", status, since)

    old = record("1", "财会学院", StudyStatus.GRADUATED, date(2021, 9, 1))
    new = record("2", "商贸学院", StudyStatus.ENROLLED, date(2019, 9, 1))
    assert department_of({"1": old, "2": new}) == "商贸学院"
    assert department_of({}) == ""
    assert kind_of({"1": old}) is LearnerKind.COMMUNITY


def test_names_and_numbers_show_in_no_representation() -> None:
    shown = repr(registered(person(), None, TODAY)) + repr(person())
    assert "买买提" not in shown
    assert identity(1) not in shown
