"""The outcomes sheet: what learners have reached, by whom it is known; judged by the same rules as over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial

from chassis.clock import CAMPUS
from chassis.errors import Ground, Refusal, sift
from chassis.sheet import cells
from chassis.sheet.kind import Column, Examined, Row, SheetKind, Status, Upload, refused
from contracts.terms import (
    LEARNER_UNKNOWN,
    Role,
    mask,
)
from services.creditbank.curricula.queries import holders_of
from services.creditbank.outcomes import commands
from services.creditbank.outcomes.domain import Intake, Item, Sender, Weighed, kind_in_words, state_in_words
from services.creditbank.outcomes.domain import Known as Judged
from services.creditbank.outcomes.senders import sender_of
from services.creditbank.register import (
    DOCUMENT,
    DOCUMENT_ALIASES,
    PERSON_COLUMNS,
    Register,
    document_of,
    match_learners,
)

EXTERNAL_ID, KIND, CODE, TITLE, LEVEL = "成果编号", "成果类别", "成果代码", "成果名称", "等级"
STUDENT_NUMBER = "学号"
DAY, STATE, AS_OF, EVIDENCE = "取得日期", "状态", "数据时间", "证明材料"
PURPOSE = "outcomes sheet"
PERSON_MISSING = Ground(
    "person_missing",
    en="The row says nobody. Fill in the identity document's number or the student number.",
    zh="该行未注明人员，请填写证件号码或学号。",
)
NUMBER_NOT_HERE = Ground(
    "student_number_not_here",
    en="No student with the number {number} is known here. Check it, or fill in the identity document's number.",
    zh="系统中没有学号 {number}，请核对，或填写证件号码。",
)
NUMBER_OF_SEVERAL = Ground(
    "student_number_of_several",
    en="Several students have the number {number}. Fill in the identity document's number.",
    zh="学号 {number} 对应多名学生，请填写证件号码。",
)
PERSONS_DIFFER = Ground(
    "persons_differ",
    en="The document and the student number {number} are two different people's. Correct one of them.",
    zh="证件号码与学号 {number} 不是同一人，请更正其一。",
)

COLUMNS = (
    Column(
        EXTERNAL_ID,
        ("外部编号", "记录编号", "证书编号"),
        required=True,
        filled=True,
        read=cells.code,
        examples=("ZG-2021-000017",),
        note_zh="在提交单位内唯一，用于更正和撤回",
        note_en="unique within its sender; by it an outcome is corrected and withdrawn",
    ),
    Column(KIND, ("类别", "成果类型"), required=True, filled=True, examples=("职业资格证书",)),
    Column(
        CODE, ("代码", "职业代码", "课程代码"), required=True, filled=True, read=cells.code, examples=("electrician",)
    ),
    Column(TITLE, ("名称", "证书名称", "课程名称", "职业名称"), examples=("电工",)),
    Column(
        LEVEL,
        ("级别", "职业资格等级", "技能等级", "学历层次"),
        examples=("四级/中级工",),
        note_zh="职业资格：初级为五级，高级技师为一级",
        note_en="of licences 初级 is 五级, the lowest",
    ),
    *PERSON_COLUMNS,
    Column(
        DOCUMENT,
        DOCUMENT_ALIASES,
        read=cells.code,
        personal=True,
        mask=mask,
        examples=("11010519491231002X",),
        note_zh="与学号至少填一项；请设为文本格式",
        note_en="this or the student number; format the column as text",
    ),
    Column(STUDENT_NUMBER, read=cells.code, examples=("2019040117",)),
    Column(DAY, ("日期", "发证日期", "完成日期"), required=True, filled=True, read=cells.day, examples=("2021-01-15",)),
    Column(
        STATE,
        ("成果状态",),
        examples=("有效",),
        note_zh="公示、有效或撤回；空白视为有效",
        note_en="公示 provisional, 有效 final, 撤回 withdrawn; empty: final",
    ),
    Column(
        AS_OF,
        ("更新时间",),
        read=cells.instant,
        examples=("2021-01-20 18:00",),
        note_zh="空白视为取得日期",
        note_en="when it stood so; empty: the day it was reached",
    ),
    Column(
        EVIDENCE,
        ("佐证材料", "证明"),
        examples=("",),
        note_zh="先前学习成果必填：材料说明或链接",
        note_en="of prior learning: what shows it, or where it is found",
    ),
)
OPTIONS = (Column("as_of", read=cells.instant), Column("sender", read=cells.code))


@dataclass(frozen=True)
class Known:
    """What some rows are judged against, and whose student numbers they give."""

    judged: Judged
    holders: Mapping[str, Sequence[str]]


def outcomes_sheet(register: Register, old_after_days: int) -> SheetKind[Known]:
    """The outcomes sheet of a bank that finds learners in this register."""
    return SheetKind(
        name="outcomes",
        title_zh="学习成果表",
        title_en="Outcomes",
        columns=COLUMNS,
        resolve=partial(match_learners, register, PURPOSE),
        known=partial(known, old_after_days),
        examine=examine,
        commit=commit,
        roles=(Role.REGISTRY, Role.TEO, Role.OPERATOR),
        options=OPTIONS,
        repeats_allowed=True,
    )


def known(old_after_days: int, rows: Sequence[Row]) -> Known:
    """The submissions, sources and student numbers that bear on some rows, in a handful of queries."""
    holders = holders_of({row[STUDENT_NUMBER] for row in rows if row[STUDENT_NUMBER]})
    items = [item for _, item in sift(partial(item_of, holders), rows).accepted]
    sender = next((one for _, one in sift(sender_in, [row.upload for row in rows[:1]]).accepted), Sender())
    return Known(commands.known_of(items, sender, old_after_days), holders)


def sender_in(upload: Upload) -> Sender:
    """Whose external ids an upload gives; Refusal for one that may speak for nobody."""
    return sender_of(upload.options.get("sender", ""), upload.owns)


def examine(rows: Sequence[Row], known: Known) -> list[Examined]:
    """Judge rows in their order, each as if those before it were kept."""
    intake = Intake(known.judged)
    return [_examined(row, known.holders, intake) for row in rows]


def commit(examined: Sequence[Examined]) -> None:
    """Keep what the rows say, and have it recognised."""
    commands.keep_weighed([_caused(one) for one in examined])


def item_of(holders: Mapping[str, Sequence[str]], row: Row) -> Item:
    """The outcome a row tells of."""
    as_of = row[AS_OF] or row.upload.options.get("as_of", "")
    day = date.fromisoformat(row[DAY])
    return Item(
        external_id=row[EXTERNAL_ID],
        kind=kind_in_words(row[KIND]),
        code=row[CODE].lower(),
        learner_id=learner_in(holders, row),
        day=day,
        state=state_in_words(row[STATE]),
        as_of=datetime.fromisoformat(as_of or cells.aware(datetime(day.year, day.month, day.day, tzinfo=CAMPUS))),
        level=row[LEVEL],
        title=row[TITLE],
        evidence=row[EVIDENCE],
    )


def learner_in(holders: Mapping[str, Sequence[str]], row: Row) -> str:
    """Whose outcome it is, by document or student number; both have to be one person's."""
    number = row[STUDENT_NUMBER]
    if not row[DOCUMENT] and not number:
        raise PERSON_MISSING()
    if not row[DOCUMENT]:
        return _by_number(holders, number)
    document_of(row)
    learner_id = row.resolved.get("learner_id")
    if learner_id is None:
        raise LEARNER_UNKNOWN()
    if number and holders.get(number) and learner_id not in holders[number]:
        raise PERSONS_DIFFER(number=number)
    return str(learner_id)


def _by_number(holders: Mapping[str, Sequence[str]], number: str) -> str:
    found = holders.get(number, ())
    if len(found) != 1:
        raise (NUMBER_OF_SEVERAL if found else NUMBER_NOT_HERE)(number=number)
    return found[0]


def _examined(row: Row, holders: Mapping[str, Sequence[str]], intake: Intake) -> Examined:
    try:
        weighed = intake.weigh(item_of(holders, row), sender_in(row.upload))
    except Refusal as refusal:
        return refused(row, refusal)
    status: Status = "unchanged" if not weighed.is_change else "new" if weighed.before is None else "changed"
    return Examined(row.number, status, value=weighed, identity=weighed.after.place, renews=weighed.renews)


def _caused(one: Examined) -> Weighed:
    weighed: Weighed = one.value
    return replace(weighed, after=replace(weighed.after, submitted_by=one.cause)) if weighed.is_change else weighed
