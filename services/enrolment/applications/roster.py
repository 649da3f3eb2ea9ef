"""The roster sheet: who studies here, who else wants to learn, and what they apply for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from chassis import clock
from chassis.errors import Ground, Refusal, sift
from chassis.sheet import cells
from chassis.sheet.imports import Sheets
from chassis.sheet.kind import Column, Examined, Row, SheetKind, refused
from chassis.sheet.read import CELL_TOO_LONG
from contracts.terms import Role, mask, mask_name, name_of, plain
from services.enrolment.applications import queries
from services.enrolment.applications.commands import Entry, take_roster
from services.enrolment.applications.domain import (
    APPLICATION_WITHDRAWN,
    Offer,
    State,
    Wish,
    application_id,
    wish_of,
)
from services.enrolment.learners.domain import (
    Document,
    Particulars,
    Person,
    Registration,
    Study,
    changed_records,
    check_numbers,
    document_of,
    entry_year_of,
    is_email,
    is_same_self,
    record_key,
    registered,
    status_of,
)
from services.enrolment.learners.keyring import Keyring
from services.enrolment.learners.queries import Census, census_of
from services.enrolment.programmes.domain import Programme, by_word, programme_of
from services.enrolment.programmes.queries import programmes
from services.enrolment.programmes.sheet import CURRICULA_SHEET

EMAIL_LEFT_OUT = Ground(
    "email_left_out",
    en="'{hint}' is no e-mail address and was left out.",
    zh="“{hint}”不是有效邮箱，未予登记。",
)
ENTRY_YEAR_UNPUBLISHED = Ground(
    "entry_year_unpublished",
    en="{programme} has no entry year {year} here yet; credit cannot be converted until it is published.",
    zh="{programme}尚未发布 {year} 级，发布前不能转换学分。",
)

NAME, DOCUMENT_TYPE, DOCUMENT = "姓名", "证件类型", "证件号码"
COLLEGE, NUMBER, DEPARTMENT, YEAR = "学校代码", "学号", "院系", "年级"
PROGRAMME, CLASS, STATUS, SINCE = "专业", "班级", "学籍状态", "入学日期"
PHONE, EMAIL, CERTIFICATE, LEVEL = "手机", "邮箱", "申请证书", "申请等级"

COLUMNS = (
    Column(NAME, required=True, filled=True, personal=True, mask=mask_name, examples=("陈晓岚", "黄玉梅")),
    Column(
        DOCUMENT_TYPE, read=cells.code, examples=("居民身份证", "护照"),
        note_zh="空白视为居民身份证", note_en="empty means the resident's identity card",
    ),
    Column(
        DOCUMENT, aliases=("证件号", "身份证号", "身份证号码"), required=True, filled=True, read=cells.code,
        personal=True, mask=mask, examples=("11010519491231002X", "E12345678"),
        note_zh="请设为文本格式", note_en="format the column as text",
    ),
    Column(COLLEGE, read=cells.code, examples=("4144012345", "")),
    Column(
        NUMBER, read=cells.code, examples=("2019040117", ""),
        note_zh="社会成员留空", note_en="empty for community learners",
    ),
    Column(DEPARTMENT, aliases=("系部",), examples=("财会学院", "")),
    Column(YEAR, aliases=("入学年份",), read=cells.code, examples=("2019级", "")),
    Column(PROGRAMME, aliases=("专业名称",), examples=("会计", "")),
    Column(CLASS, examples=("会计1903班", "")),
    Column(STATUS, aliases=("状态",), read=cells.code, examples=("在读", ""), note_zh="在读、休学、退学、毕业"),
    Column(
        PHONE, aliases=("手机号", "联系电话"), read=cells.code, personal=True,
        examples=("13800000000", "13900000000"),
    ),
    Column(EMAIL, aliases=("电子邮箱", "E-mail"), personal=True, examples=("xiaolan@example.cn", "")),
    Column(
        CERTIFICATE, aliases=("证书名称",), examples=("智能财税", "母婴护理"),
        note_zh="空白则只登记人员", note_en="empty: the person is registered only",
    ),
    Column(LEVEL, aliases=("等级", "职业技能等级"), read=cells.code, examples=("初级", "2")),
    Column(SINCE, read=cells.day, examples=("2019-09-01", "")),
)  # fmt: skip

LONGEST_CELL = 100
LONGEST = {EMAIL: 254}


@dataclass(frozen=True)
class Known:
    """What enrolment knows that bears on some rows."""

    census: Census = field(default_factory=Census)
    applications: Mapping[str, State] = field(default_factory=dict)
    offers: Mapping[str, Offer] = field(default_factory=dict)
    programmes: Mapping[str, Programme] = field(default_factory=dict)
    today: date = field(default_factory=clock.today)


@dataclass
class Seen:
    """People, by learner or by blind index, and holders of student numbers as the rows before have left them."""

    persons: dict[str, Person]
    owners: dict[str, object]


def roster(keyring: Keyring) -> SheetKind[Known]:
    """The roster sheet of a service that has this keyring."""
    return SheetKind(
        name="roster",
        title_zh="学生名册与证书报名",
        title_en="Roster and applications",
        columns=COLUMNS,
        known=lambda rows: known(rows, keyring),
        examine=examine,
        commit=lambda examined: commit(examined, keyring),
        roles=(Role.REGISTRY,),
        whole_college=True,
    )


def known(rows: Sequence[Row], keyring: Keyring) -> Known:
    """Read what is known about the people, numbers and names in some rows, in a handful of queries."""
    readable = [document for _, document in sift(_document, rows).accepted]
    census = census_of(readable, [record_key(plain(row[COLLEGE]), plain(row[NUMBER])) for row in rows], keyring)
    return Known(
        census=census,
        applications=queries.states_of({person.learner_id for person in census.persons.values()}),
        offers=queries.offers_by_word(),
        programmes=by_word(programmes()),
    )


def examine(rows: Sequence[Row], known: Known) -> list[Examined]:
    """Judge rows in their order, each as if those before it were committed."""
    seen = Seen({one.learner_id: one for one in known.census.persons.values()}, dict(known.census.owners))
    return [_examined(row, known, seen) for row in rows]


def commit(examined: Sequence[Examined], keyring: Keyring) -> None:
    """Register and keep what these rows say."""
    take_roster([(one.value, one.cause) for one in examined], keyring)


def _examined(row: Row, known: Known, seen: Seen) -> Examined:
    try:
        return _judged(row, known, seen)
    except Refusal as refusal:
        return refused(row, refusal)


def _judged(row: Row, known: Known, seen: Seen) -> Examined:
    registration = registration_of(row, known.programmes)
    wish = wish_of(row[CERTIFICATE], row[LEVEL], known.offers)
    person = known.census.persons.get(registration.document)
    slot = person.learner_id if person else known.census.blinds[registration.document]
    before = seen.persons.get(slot)
    after = registered(registration, before, known.today)
    check_numbers(before, after, seen.owners)
    seen.persons[slot] = after
    seen.owners.update(dict.fromkeys(after.records, slot))
    state = _state_of(person, wish, known)
    is_new = before is None or (wish is not None and state is None)
    is_same = is_same_self(before, after) and not changed_records(before, after)
    return Examined(
        row_no=row.number,
        status="new" if is_new else "unchanged" if is_same else "changed",
        value=Entry(registration, person, wish),
        identity=identity_of(registration, wish, known),
        notes=tuple(_notes(row, registration, state, known)),
    )


def _state_of(person: Person | None, wish: Wish | None, known: Known) -> State | None:
    if person is None or wish is None:
        return None
    return known.applications.get(application_id(person.learner_id, wish))


def identity_of(registration: Registration, wish: Wish | None, known: Known) -> str:
    """What makes two rows of a file the same: the person, by blind index, the student number, the wish."""
    number = registration.study.student_number if registration.study else ""
    wished = f"{wish.scheme}:{wish.level:d}" if wish else ""
    return f"{known.census.blinds[registration.document]}:{number}:{wished}"


def _notes(row: Row, registration: Registration, state: State | None, known: Known) -> list[Refusal]:
    notes = []
    if state is State.WITHDRAWN:
        notes.append(APPLICATION_WITHDRAWN())
    if row[EMAIL] and registration.particulars.email is None:
        notes.append(EMAIL_LEFT_OUT(hint=row[EMAIL][:1] + "…"))
    study = registration.study
    programme = known.programmes.get(study.programme) if study else None
    if study and programme and study.entry_year and study.entry_year not in programme.entry_years:
        notes.append(ENTRY_YEAR_UNPUBLISHED(programme=programme.name, year=study.entry_year))
    return notes


def registration_of(row: Row, known: Mapping[str, Programme]) -> Registration:
    """What a row says about a person; refuses what cannot be."""
    for column, text in row.cells.items():
        limit = LONGEST.get(column, LONGEST_CELL)
        if len(text) > limit:
            raise CELL_TOO_LONG(column=column, length=len(text), limit=limit)
    email = plain(row[EMAIL])
    return Registration(
        document=_document(row),
        particulars=Particulars(
            name=name_of(row[NAME]),
            phone=plain(row[PHONE]) or None,
            email=email if is_email(email) else None,
        ),
        study=_study(row, known) if plain(row[NUMBER]) else None,
    )


def _document(row: Row) -> Document:
    return document_of(row[DOCUMENT_TYPE], row[DOCUMENT])


def _study(row: Row, known: Mapping[str, Programme]) -> Study:
    programme = programme_of(row[PROGRAMME], known)
    return Study(
        student_number=plain(row[NUMBER]),
        college=plain(row[COLLEGE]),
        programme=programme.code if programme else "",
        entry_year=entry_year_of(row[YEAR]),
        department=row[DEPARTMENT],
        class_name=row[CLASS],
        status=status_of(row[STATUS]),
        since=date.fromisoformat(row[SINCE]) if row[SINCE] else None,
    )


def sheets(keyring: Keyring) -> Sheets:
    """All sheets that enrolment takes."""
    return Sheets(service="enrolment", kinds=(roster(keyring), CURRICULA_SHEET), master=keyring.master)
