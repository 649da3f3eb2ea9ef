"""The certificate report of a TEO: which numbers its passes got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from chassis.errors import Refusal, sift
from chassis.sheet import cells
from chassis.sheet.imports import Sheets
from chassis.sheet.kind import Column, Examined, Row, SheetKind, refused
from chassis.web.access import OUTSIDE_YOUR_SCOPE
from contracts.terms import LEARNER_UNKNOWN, SCHEME_UNKNOWN, Role, level_of
from services.assessment.catalogue import queries as catalogue
from services.assessment.catalogue.domain import Scheme, by_words, check_level, key_word
from services.assessment.certificates.commands import forgotten_certificates, issue
from services.assessment.certificates.domain import Archive, Report
from services.assessment.certificates.queries import archive_of
from services.assessment.plans.domain import SCHEME_MISMATCH
from services.assessment.plans.sheet import (
    ADMISSION,
    DOCUMENT,
    PERSON_COLUMNS,
    Register,
    candidates_sheet,
    document_of,
    match_learners,
    may_touch,
)
from services.assessment.results.sheet import RESULTS_SHEET

SCHEME, LEVEL, NUMBER, ISSUED_ON, TEO = "证书名称", "职业技能等级", "证书编号", "发证日期", "评价机构"
COLUMNS = (
    *PERSON_COLUMNS,
    Column("学校代码", read=cells.code, examples=("12060",)),
    Column("学号", read=cells.code, examples=("2019040117",)),
    Column(SCHEME, required=True, filled=True, examples=("智能财税",)),
    Column(LEVEL, ("等级",), required=True, filled=True, examples=("初级",)),
    Column(ADMISSION, read=cells.code, examples=("002012120007",)),
    Column(NUMBER, required=True, filled=True, read=cells.code, examples=("SF20210100017",)),
    Column(ISSUED_ON, required=True, filled=True, read=cells.day, examples=("2021-01-15",)),
    Column(TEO, examples=("中联集团教育科技有限公司",)),
    Column("发证机构", examples=("中联集团教育科技有限公司",)),
)


@dataclass(frozen=True)
class Words:
    """Schemes and organisations by the words people write for them."""

    schemes: Mapping[str, Scheme]
    codes: Mapping[str, str]
    teos: Mapping[str, str]


@dataclass(frozen=True)
class Known:
    words: Words
    archive: Archive


def certificates_sheet(register: Register) -> SheetKind[Known]:
    """The certificates sheet of a service that finds learners in this register."""
    return SheetKind(
        name="certificates",
        title_zh="证书数据上报表",
        title_en="Certificates",
        columns=COLUMNS,
        resolve=partial(match_learners, register),
        known=known,
        examine=examine,
        commit=commit,
        roles=(Role.TEO, Role.EXAM_OFFICE),
    )


def known(rows: Sequence[Row]) -> Known:
    """The certificates, candidates and passes that bear on some rows."""
    schemes = catalogue.schemes()
    words = Words(schemes, by_words(schemes.values()), by_words(catalogue.teos()))
    reports = [report for _, report in sift(partial(report_of, words), rows).accepted]
    return Known(words, archive_of(reports, forgotten_certificates()))


def examine(rows: Sequence[Row], known: Known) -> list[Examined]:
    """Judge rows in their order, each as if those before it were on record."""
    archive = known.archive.copy()
    return [_examined(row, known.words, archive) for row in rows]


def commit(examined: Sequence[Examined]) -> None:
    """Put the accepted ones on record."""
    issue([replace(one.value, submitted_by=one.cause) for one in examined])


def report_of(words: Words, row: Row) -> Report:
    """What a row reports; refused if it speaks of another organisation's certificates."""
    scheme = _scheme_of(words, row)
    level = level_of(row[LEVEL])
    check_level(scheme, level)
    if row[DOCUMENT]:
        document_of(row)
        if row.resolved.get("learner_id") is None:
            raise LEARNER_UNKNOWN()
    return Report(
        scheme=scheme,
        level=level,
        number=row[NUMBER],
        issued_on=date.fromisoformat(row[ISSUED_ON]),
        admission_number=row[ADMISSION],
        learner_id=row.resolved.get("learner_id"),
    )


def _scheme_of(words: Words, row: Row) -> Scheme:
    code = words.codes.get(key_word(row[SCHEME]))
    if code is None:
        raise SCHEME_UNKNOWN(text=row[SCHEME])
    scheme = words.schemes[code]
    if words.teos.get(key_word(row[TEO]), scheme.teo) != scheme.teo:
        raise SCHEME_MISMATCH(scheme=scheme.code, teo=row[TEO])
    if not may_touch(row.upload, scheme.teo):
        raise OUTSIDE_YOUR_SCOPE()
    return scheme


def _examined(row: Row, words: Words, archive: Archive) -> Examined:
    try:
        certificate, is_new = archive.issue(report_of(words, row))
    except Refusal as refusal:
        return refused(row, refusal)
    identity = f"{certificate.id}:{certificate.result_id}"
    return Examined(row.number, "new" if is_new else "unchanged", value=certificate, identity=identity)


def sheets(register: Register, master: bytes) -> Sheets:
    """The sheets that assessment takes; `master` wraps the key of each import."""
    return Sheets("assessment", (candidates_sheet(register), RESULTS_SHEET, certificates_sheet(register)), master)
