"""What the tests of enrolment share: people with sound identity numbers, rosters, and the annex in small."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chassis.bus.outbox import Outbox
from chassis.database import rows_of, run_transaction
from chassis.sheet.kind import Examined, Row
from contracts.terms import Level
from services.enrolment.applications.commands import keep_schemes
from services.enrolment.applications.domain import Offer
from services.enrolment.applications.domain import by_word as offers_by_word
from services.enrolment.applications.roster import Known, roster
from services.enrolment.learners.domain import document_of
from services.enrolment.learners.keyring import Keyring
from services.enrolment.learners.queries import Census
from services.enrolment.programmes.commands import publish_programme
from services.enrolment.programmes.domain import Programme, by_word

KEYRING = Keyring(master=b"m" * 32, pepper=b"pepper")
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
ACCOUNTING = Programme("630302", "会计", (2018, 2019), 14_000, "530302")
SOCIAL_WORK = Programme("690101", "社会工作", (2019, 2021), 14_000)
FINANCE = Offer("smart-finance", "智能财税", (), (Level(1), Level(2), Level(3)))
DEMENTIA = Offer("dementia-care", "失智老年人照护", ("失智老人照护",), (Level(2),))
imports = itertools.count(1)


def identity(serial: int, front: str = "44010619990101") -> str:
    """A sound identity number."""
    body = f"{front}{serial:03d}"
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11]


def student(serial: int = 1, **cells: str) -> dict[str, str]:
    """A roster row of a student who wants 智能财税 初级."""
    return {
        "姓名": f"陈晓岚{serial}",
        "证件类型": "居民身份证",
        "证件号码": identity(serial),
        "学校代码": "4144099999",
        "学号": f"2019040{serial:03d}",
        "院系": "财会学院",
        "年级": "2019级",
        "专业": "会计",
        "班级": "1903班",
        "学籍状态": "在读",
        "申请证书": "智能财税",
        "申请等级": "初级",
    } | cells


def neighbour(serial: int = 900, **cells: str) -> dict[str, str]:
    """A roster row of a community learner who wants 失智老年人照护."""
    return {
        "姓名": "黄玉梅",
        "证件号码": identity(serial, "44010619750820"),
        "手机": "13900000000",
        "邮箱": "yumei@example.cn",
        "申请证书": "失智老人照护",
        "申请等级": "中级",
    } | cells


def rows(*lines: Mapping[str, str]) -> list[Row]:
    """Lines as the sheet's reader hands them over."""
    return [Row(number, dict(line)) for number, line in enumerate(lines, start=2)]


def nobody_yet(*lines: Mapping[str, str]) -> Known:
    """What is known when the annex is in place and no learner is."""
    table = [row for row in rows(*lines) if len(row["证件号码"]) >= 18]
    documents = [document_of(row["证件类型"], row["证件号码"]) for row in table]
    return Known(
        census=Census(blinds={document: KEYRING.blind(document) for document in documents}),
        offers=offers_by_word([FINANCE, DEMENTIA]),
        programmes=by_word([ACCOUNTING, SOCIAL_WORK]),
    )


def open_the_annex() -> None:
    """Two programmes, two schemes."""
    publish_programme(ACCOUNTING)
    publish_programme(SOCIAL_WORK)
    keep_schemes([FINANCE, DEMENTIA])


def preview(*lines: Mapping[str, str]) -> list[Examined]:
    """What the preview says of these rows."""
    kind, table = roster(KEYRING), rows(*lines)
    return kind.examine(table, kind.known(table))


def upload(*lines: Mapping[str, str]) -> list[Examined]:
    """Commit a roster as the sheet jobs do; the verdict on each row."""
    kind, table, number = roster(KEYRING), rows(*lines), next(imports)

    def body() -> list[Examined]:
        examined = kind.examine(table, kind.known(table))
        accepted = [one for one in examined if one.status in {"new", "changed"}]
        for one in accepted:
            one.cause = f"import:enrolment:{number}:{one.row_no}"
        if accepted:
            kind.commit(accepted)
        return examined

    return run_transaction(body)


def statuses(examined: Sequence[Examined]) -> list[str]:
    """The verdicts, refusals by their code."""
    return [one.refusal.code if one.refusal else one.status for one in examined]


def announced(*types: str) -> list[dict[str, Any]]:
    """What was announced, in order, with its type; of some types or of all."""
    found = rows_of(Outbox, {"type": {"$in": list(types)}} if types else {}, sort=[("time", 1), ("key", 1), ("seq", 1)])
    return [{"type": row["type"], "cause": row["cause"], **msgspec.json.decode(row["body"])} for row in found]
