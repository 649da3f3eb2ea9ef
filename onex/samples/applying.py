"""Who applies for what, and the roster sheets that say so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from onex.samples import spelling
from onex.samples.annex import Annex
from onex.samples.names import Registry, identity_number, with_wrong_digit
from onex.samples.people import RESIDENT, Person, Record
from onex.samples.sheets import Cell, Line, Sheet, headed

COLLEGE = "4144099999"  # 学校代码, a placeholder
HELD_BACK_STATUS = ("休学", "退学")

ROSTERS: dict[str, tuple[str, str, tuple[tuple[str, str], ...]]] = {
    "机电工程学院": (
        "roster-mechatronics.xlsx",
        "机电工程学院 1+X 证书报名汇总表",
        headed(
            "序号:n 姓名:name 证件类型:document_type 身份证号:document 学校代码:college "
            "学号:number 院系:department 年级:year 专业:programme 班级:class 学籍状态:status "
            "申请证书:scheme 申请等级:level 入学日期:since"
        ),
    ),
    "信息工程学院": (
        "roster-information.csv",
        "",
        headed(
            "姓名:name 证件类型:document_type 证件号码:document 学号:number 系部:department "
            "入学年份:year 专业名称:programme 班级:class 状态:status 联系电话:phone 电子邮箱:email "
            "证书名称:scheme 职业技能等级:level"
        ),
    ),
    "商贸学院": (
        "roster-commerce.gb18030.csv",
        "",
        headed(
            "学号:number 姓名:name 证件号:document 证件类型:document_type 院系:department "
            "专业:programme 年级:year 班级:class 学籍状态:status 申请证书:scheme 等级:level "
            "入学日期:since"
        ),
    ),
    "财会学院": (
        "roster-accounting.xlsx",
        "",
        headed(
            "学校代码:college 院系:department 专业:programme 年级:year 班级:class 学号:number "
            "姓名:name 证件类型:document_type 身份证号码:document 学籍状态:status 入学日期:since "
            "申请证书:scheme 申请等级:level 备注:n"
        ),
    ),
    "公共管理学院": (
        "roster-public-administration.xlsx",
        "公共管理学院第二批1+X证书试点报名表（2020年秋—2021年秋）",
        headed(
            "姓名:name 证件类型:document_type 证件号码:document 学号:number 院系:department "
            "年级:year 专业:programme 班级:class 学籍状态:status 申请证书:scheme 等级:level"
        ),
    ),
    "社会成员": (
        "roster-community.xlsx",
        "社会成员培训报名表",
        headed(
            "姓名:name 证件类型:document_type 证件号码:document 手机:phone 邮箱:email 申请证书:scheme 申请等级:level"
        ),
    ),
}


@dataclass(frozen=True)
class Application:
    """One person, one scheme, one level."""

    person: Person
    scheme: str
    level: int

    @property
    def is_held_back(self) -> bool:
        """Who is suspended or has left is not approved."""
        return self.person.record is not None and self.person.record.status in HELD_BACK_STATUS

    @property
    def key(self) -> tuple[str, str, int]:
        return (self.person.document_number, self.scheme, self.level)


def applications_of(rng: Random, annex: Annex, people: list[Person]) -> list[Application]:
    """What everybody applies for, lower levels first."""
    return [
        Application(person, scheme, level)
        for person in people
        for scheme in wished_schemes(rng, annex, person)
        for level in wished_levels(rng, annex.schemes[scheme].levels, person)
    ]


def wished_schemes(rng: Random, annex: Annex, person: Person) -> list[str]:
    """A student's programme offers one scheme or two; one in eight stays away, one in seven takes both."""
    if person.record is None:
        return [rng.choice(list(annex.schemes))]
    offered = annex.schemes_of[person.record.programme]
    chance = rng.random()
    if chance < 0.12 and not person.is_star and person.record.status == "在读":
        return []
    if person.is_star or chance > 0.86:
        return list(offered)
    return [rng.choice(offered)]


def wished_levels(rng: Random, offered: tuple[int, ...], person: Person) -> list[int]:
    """Some climb: elementary, then intermediate, then advanced."""
    if len(offered) == 1 or person.is_star:
        return list(offered)
    levels = [rng.choices(offered, weights=(50, 38, 12))[0]]
    while levels[-1] < offered[-1] and rng.random() < 0.28:
        levels.append(levels[-1] + 1)
    return levels


def roster_sheets(annex: Annex, people: list[Person], applications: list[Application]) -> list[Sheet]:
    """A sheet for each department and one for the community learners, bad rows among them."""
    sheets = []
    for department, (file, title, columns) in ROSTERS.items():
        sheet = Sheet(file, "rosters", "roster", "enrolment", "demo-registry", columns, title)
        members = [person for person in people if department_of(person) == department]
        sheet.lines = roster_lines(annex, sheet, members, applications)
        sheets.append(sheet)
    add_bad_rows({sheet.file: sheet for sheet in sheets})
    return sheets


def department_of(person: Person) -> str:
    """In whose roster somebody stands."""
    return person.record.department if person.record else "社会成员"


def roster_lines(annex: Annex, sheet: Sheet, members: list[Person], applications: list[Application]) -> list[Line]:
    """One row for each application; who applies for nothing has a row all the same."""
    wished: dict[str, list[Application]] = {}
    for application in applications:
        wished.setdefault(application.person.document_number, []).append(application)
    rows: list[tuple[Person, Record | None, Application | None]] = []
    for person in members:
        rows.extend([(person, person.earlier, None)] if person.earlier else [])
        own: list[Application | None] = [*wished.get(person.document_number, [])]
        rows.extend((person, person.record, application) for application in own or [None])
    return [
        Line(cells_of(n, sheet, person, record) | wish_cells(annex, n, sheet, application))
        for n, (person, record, application) in enumerate(rows)
    ]


def cells_of(n: int, sheet: Sheet, person: Person, record: Record | None) -> dict[str, Cell]:
    """The cells about a person and a student record."""
    cells: dict[str, Cell] = {
        "n": n + 1,
        "name": spelling.name(person, n),
        "document_type": "" if person.document_type == RESIDENT and n % 2 else person.document_type,
        "document": spelling.document_number(person, n),
        "phone": person.phone,
        "email": person.email,
    }
    return cells | (record_cells(n, sheet, record) if record else {})


def record_cells(n: int, sheet: Sheet, record: Record) -> dict[str, Cell]:
    """The cells about a student record."""
    return {
        "college": COLLEGE,
        "number": spelling.wide(record.student_number) if n % 53 == 12 else record.student_number,
        "department": record.department,
        "year": spelling.entry_year(record.entry_year, n),
        "programme": record.programme_name + (" " if n % 31 == 8 else ""),
        "class": record.class_name,
        "status": record.status,
        "since": spelling.day(record.since, n, workbook=sheet.is_workbook),
    }


def wish_cells(annex: Annex, n: int, sheet: Sheet, application: Application | None) -> dict[str, Cell]:
    """The cells about what is applied for, if anything is."""
    if application is None:
        return {}
    return {
        "scheme": scheme_name(annex, application.scheme, n),
        "level": spelling.level(application.level, n, workbook=sheet.is_workbook),
    }


def scheme_name(annex: Annex, code: str, n: int) -> str:
    """A scheme's name, every third time an alias where it has one (失智老人照护)."""
    scheme = annex.schemes[code]
    names = [scheme.name, scheme.name, *scheme.aliases]
    return names[n % len(names)]


def add_bad_rows(sheets: dict[str, Sheet]) -> None:
    """Rows that must be refused, each for one reason; none of these people is anywhere else in the rosters."""
    strangers = strangers_of(8)
    mechatronics, information = sheets["roster-mechatronics.xlsx"], sheets["roster-information.csv"]
    commerce, accounting = sheets["roster-commerce.gb18030.csv"], sheets["roster-accounting.xlsx"]
    public, community = sheets["roster-public-administration.xlsx"], sheets["roster-community.xlsx"]
    wrong = with_wrong_digit(strangers[0].document_number)
    spoil(mechatronics, 31, strangers[0], "identity_check_digit", document=wrong)
    spoil(mechatronics, 77, strangers[1], "programme_unknown", programme="航空发动机维修技术")
    spoil(information, 58, strangers[2], "level_not_offered", level="初级")
    spoil(information, 90, strangers[3], "identity_length", document=strangers[3].document_number[:17])
    spoil(commerce, 44, strangers[4], "scheme_unknown", scheme="直播电商")
    spoil(accounting, 120, strangers[5], "level_unknown", level="特级")
    spoil(public, 66, strangers[6], "identity_date", document=identity_number("440106", "20010230", 77))
    spoil(community, 40, strangers[7], "identity_check_digit", document=with_wrong_digit(strangers[7].document_number))
    for sheet, first in ((mechatronics, 12), (commerce, 25), (community, 17)):
        sheet.lines.append(Line(sheet.lines[first].cells, "repeated_in_file"))


def strangers_of(count: int) -> list[Person]:
    """People whose rows are refused."""
    registry = Registry(Random("onex:strangers"))  # noqa: S311 (a fixed seed is the point)
    names = [f"{registry.name()[0]}{stem}生" for stem in "甲乙丙丁戊己庚辛"[:count]]
    return [Person(name, RESIDENT, registry.number(1999, 2001), 70) for name in names]


def spoil(sheet: Sheet, at: int, person: Person, code: str, **cells: Cell) -> None:
    """Put a row into a sheet that is like its neighbour but for the person and what is wrong."""
    neighbour = next(line for line in sheet.lines[at:] if line.cells.get("scheme"))
    new = {"name": person.name, "document": person.document_number, "document_type": "", "email": "", "phone": ""}
    if sheet.lines[at].cells.get("number"):
        new["number"] = f"2019990{at:03d}"
    sheet.lines.insert(at, replace(neighbour, cells={**neighbour.cells, **new, **cells}, refused=code))


def held_back(applications: list[Application]) -> list[dict[str, object]]:
    """The applications that the registry does not approve, by student number."""
    return [
        {"student_number": item.person.record.student_number, "scheme": item.scheme, "level": item.level}
        for item in applications
        if item.is_held_back and item.person.record
    ]
