"""The certificate report of a TEO as the bank takes it: read, matched with learners, kept for comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from chassis.errors import Ground, Refusal
from chassis.sheet import cells
from chassis.sheet.kind import Column, Examined, Row, SheetKind, Status, Upload, refused
from chassis.sheet.read import plain_header
from chassis.web.access import OUTSIDE_YOUR_SCOPE
from contracts.terms import Role, level_of, mask, plain
from services.creditbank.conversion.domain import SchemeLevels
from services.creditbank.conversion.queries import schemes
from services.creditbank.reconciliation import commands, models
from services.creditbank.reconciliation.domain import ReportRow
from services.creditbank.reconciliation.runs import Profile
from services.creditbank.register import (
    DOCUMENT,
    DOCUMENT_ALIASES,
    PERSON_COLUMNS,
    Register,
    document_of,
    match_learners,
)

SCHEME, LEVEL, NUMBER, ISSUED_ON, STATUS = "证书名称", "职业技能等级", "证书编号", "发证日期", "证书状态"
TEO, ISSUED_FROM, ISSUED_UNTIL = "teo", "issued_from", "issued_until"
KIND = "certificate-report"
TEO_MISSING = Ground(
    "report_without_teo",
    en="Say whose report this is: add teo=<unified social credit code> to the upload.",
    zh="请注明报表所属的评价组织：上传时加上 teo=<统一社会信用代码>。",
)
STATUS_UNKNOWN = Ground(
    "certificate_status_unknown",
    en="'{text}' is no status of a certificate known here. Write 有效 or 撤销, or leave it empty.",
    zh="“{text}”不是可识别的证书状态，请填写有效或撤销，或留空。",
)
NUMBER_MALFORMED = Ground(
    "report_number_malformed",
    en="A certificate number has 1 to 64 characters; this one has {length}.",
    zh="证书编号应为 1 至 64 个字符，此处为 {length} 个。",
)
HEADER_TAKEN = Ground(
    "report_header_taken",
    en="'{header}' is the header of another column already. Name each header once.",
    zh="“{header}”已是另一列的列名，每个列名只能填写一次。",
)
VALID = {"", "有效", "正常", "在用", "valid"}
REVOKED = {"撤销", "已撤销", "注销", "已注销", "作废", "无效", "revoked"}
MOST_CHARACTERS = 64

COLUMNS = (
    *PERSON_COLUMNS,
    Column(
        DOCUMENT,
        DOCUMENT_ALIASES,
        required=True,
        filled=True,
        read=cells.code,
        personal=True,
        mask=mask,
        examples=("11010519491231002X",),
        note_zh="请设为文本格式",
        note_en="format the column as text",
    ),
    Column("所在单位", ("工作单位", "单位"), examples=("广州城市职业学院",)),
    Column("学校代码", read=cells.code, examples=("12060",)),
    Column("学号", read=cells.code, personal=True, examples=("2019040117",)),
    Column(SCHEME, ("证书", "职业技能等级证书"), required=True, filled=True, examples=("智能财税",)),
    Column(LEVEL, ("等级", "证书等级"), required=True, filled=True, examples=("初级",)),
    Column("准考证号", read=cells.code, examples=("002012120007",)),
    Column(NUMBER, ("证书编码", "证书号"), required=True, filled=True, read=cells.code, examples=("SF20210100017",)),
    Column(
        ISSUED_ON,
        ("发证时间", "颁证日期"),
        required=True,
        filled=True,
        read=cells.day,
        examples=("2021-01-15",),
    ),
    Column(
        STATUS,
        ("状态",),
        examples=("有效",),
        note_zh="有效或撤销，空白视为有效",
        note_en="有效 valid or 撤销 revoked; empty: valid",
    ),
    Column("评价机构", ("评价组织",), examples=("中联集团教育科技有限公司",)),
    Column("发证机构", examples=("中联集团教育科技有限公司",)),
)
OPTIONS = (
    Column(
        TEO, read=cells.code, note_zh="报表所属评价组织的代码", note_en="whose report it is; by default a TEO's own"
    ),
    Column(ISSUED_FROM, read=cells.day, note_zh="报表起始日", note_en="the report speaks for certificates since"),
    Column(ISSUED_UNTIL, read=cells.day, note_zh="报表截止日", note_en="… and until; else as its rows say"),
)


@dataclass(frozen=True)
class Known:
    """Schemes by the words people write for them, and what earlier reports said of the same numbers."""

    codes: Mapping[str, str]
    earlier: Mapping[tuple[str, str], ReportRow]


def report_sheet(register: Register) -> SheetKind[Known]:
    """The report of a bank that finds learners in this register."""
    return SheetKind(
        name=KIND,
        title_zh="证书数据对账表",
        title_en="Certificate report to reconcile",
        columns=COLUMNS,
        options=OPTIONS,
        resolve=partial(match_learners, register, KIND),
        known=known,
        examine=examine,
        commit=commit,
        roles=(Role.TEO, Role.REGISTRY, Role.OPERATOR),
        repeats_allowed=True,  # a number that comes twice is a discrepancy to be told, not a row to be dropped
        columns_for=columns_for,
        is_strict=True,
    )


def columns_for(upload: Upload) -> tuple[Column, ...]:
    """The columns as a TEO heads them, and those it sends besides, which are not read."""
    return profiled(models.find_profile(teo_of(upload)))


def profiled(profile: Profile) -> tuple[Column, ...]:
    """The columns with a TEO's further headers, and its further columns."""
    read = [replace(one, aliases=(*one.aliases, *profile.headers.get(one.name, ()))) for one in COLUMNS]
    return (*read, *(Column(header, personal=True) for header in profile.left_out))


def check_profile(profile: Profile) -> None:
    """Refuse a header that would be read as two columns, or hide one that is read."""
    said = [{plain_header(word) for word in (one.name, *one.aliases)} for one in profiled(profile)]
    for header, times in Counter(word for words in said for word in words).items():
        if times > 1:
            raise HEADER_TAKEN(header=header)


def teo_of(upload: Upload) -> str:
    """Whose report an upload is: as it says, else the caller's own; Refusal where that is nobody's or another's."""
    own = sorted(upload.owns.get("teo", ()))
    teo = upload.options.get(TEO) or (own[0] if len(own) == 1 else "")
    if not teo:
        raise TEO_MISSING()
    if upload.owns and teo not in own:
        raise OUTSIDE_YOUR_SCOPE()
    return teo


def known(rows: Sequence[Row]) -> Known:
    """The schemes, and what earlier reports said of the numbers in these rows."""
    earlier = models.earlier_rows({(teo_of(row.upload), row[NUMBER]) for row in rows})
    return Known(by_words(schemes()), {(one.teo, one.certificate_number): one for one in earlier})


def by_words(found: Sequence[SchemeLevels]) -> dict[str, str]:
    """The codes of schemes by all that people call them."""
    return {word_key(word): one.code for one in found for word in (*one.aliases, one.code, one.name)}


def word_key(text: str) -> str:
    """A name without what people vary in it: width, spaces, case."""
    return "".join(plain(text).lower().split())


def examine(rows: Sequence[Row], known: Known) -> list[Examined]:
    """Judge whether rows can be compared; what they say is compared later, and repeats are told then."""
    return [_examined(row, known) for row in rows]


def _examined(row: Row, known: Known) -> Examined:
    try:
        said = report_row(row, known.codes)
    except Refusal as refusal:
        return refused(row, refusal)
    before = known.earlier.get((said.teo, said.certificate_number))
    status: Status = "new" if before is None else "unchanged" if says(before) == says(said) else "changed"
    return Examined(row.number, status, value=(said, row.upload), renews=True)


def says(row: ReportRow) -> tuple[object, ...]:
    """What a row says, apart from its place."""
    return row.scheme, row.level, row.issued_on, row.learner_id, row.is_revoked


def report_row(row: Row, codes: Mapping[str, str]) -> ReportRow:
    """What a row reports; refused where that cannot be read. What is merely wrong is compared and told."""
    document_of(row)
    if not 1 <= len(row[NUMBER]) <= MOST_CHARACTERS:
        raise NUMBER_MALFORMED(length=len(row[NUMBER]))
    return ReportRow(
        report=row.upload.number,
        row=row.number,
        teo=teo_of(row.upload),
        scheme=codes.get(word_key(row[SCHEME]), plain(row[SCHEME])[:MOST_CHARACTERS]),
        level=int(level_of(row[LEVEL])),
        certificate_number=row[NUMBER],
        issued_on=date.fromisoformat(row[ISSUED_ON]),
        learner_id=row.resolved.get("learner_id") or "",
        is_revoked=is_revoked(row[STATUS]),
    )


def is_revoked(text: str) -> bool:
    """Read a certificate's status as people write it."""
    word = word_key(text)
    if word not in VALID | REVOKED:
        raise STATUS_UNKNOWN(text=text)
    return word in REVOKED


def commit(examined: Sequence[Examined]) -> None:
    """Keep rows for comparison."""
    upload: Upload = examined[0].value[1]
    commands.take_rows(upload, [one.value[0] for one in examined])
