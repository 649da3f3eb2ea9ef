"""A statement on paper: PDF in Chinese and English, with the font that is vendored beside this file."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.enums import TableBordersLayout, TextEmphasis
from fpdf.fonts import FontFace

from chassis.clock import CAMPUS
from contracts.terms import level_words

FONT = Path(__file__).with_name("fonts") / "OneXSans-Regular.ttf"
FAMILY = "OneX Sans"
GETA = "〓"  # stands for a character that the font does not have, as printers have it
MARGIN_MM, LINE_MM = 18, 7
TITLE, HEADING, TEXT, SMALL = 18, 12, 10, 8  # points
BRAND, SOFT = (11, 94, 87), (90, 105, 102)
TITLES = {
    "title": "学分账户对账单 Statement of Account",
    "name": "姓名 Name",
    "learner_id": "账户 Account",
    "made_at": "出具时间 Made at",
    "available": "可用积分 Available points",
    "provisional": "公示中积分 Provisional points",
    "head": "末笔摘要 Hash of the last entry",
    "holdings": "证书积分 Holdings",
    "entries": "账户明细 Entries",
    "hint": "100 积分为 1 学分。 100 points are 1 credit.",
}
HOLDING_HEADS = ("证书 Certificate", "等级 Level", "可用 Available", "公示中 Provisional", "占用 Held", "已用 Spent")
ENTRY_HEADS = ("序号 No.", "时间 Time", "事项 What", "证书 Certificate", "公示中 Provisional", "可用 Available")
WORDS = {
    "ResultPublicised": "成绩公示 Result publicised",
    "ResultFinalised": "成绩生效 Result final",
    "ResultCorrected": "成绩更正 Result corrected",
    "ResultAnnulled": "成绩作废 Result annulled",
    "CertificateIssued": "证书入库 Certificate recorded",
    "CertificateRevoked": "证书撤销 Certificate revoked",
    "TrainingCompleted": "培训结业 Training completed",
    "OutcomeSubmitted": "成果认定 Outcome recognised",
    "OldOutcomeSubmitted": "成果认定 Outcome recognised",
    "OutcomeWithdrawn": "成果撤回 Outcome withdrawn",
    "LearnersMerged": "账户合并 Accounts merged",
    "AccountFrozen": "账户冻结 Account frozen",
    "AccountUnfrozen": "账户解冻 Account unfrozen",
}


class Sheet(FPDF):
    """A4 with page numbers; everything in one family."""

    def __init__(self) -> None:
        super().__init__(unit="mm", format="A4")
        self.add_font(FAMILY, fname=FONT)
        self.set_margins(MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=MARGIN_MM)
        self.set_font(FAMILY, size=TEXT)
        self.add_page()

    def footer(self) -> None:
        self.set_y(-MARGIN_MM + LINE_MM / 2)
        self.write_line(f"{self.page_no()} / {{nb}}", SMALL, SOFT, align="C")

    def write_line(self, text: str, points: int, colour: tuple[int, int, int] = (0, 0, 0), align: str = "L") -> None:
        """A line of its own."""
        self.set_font(FAMILY, size=points)
        self.set_text_color(*colour)
        self.multi_cell(0, LINE_MM, text, align=align, new_x="LMARGIN", new_y="NEXT")
        self.set_text_color(0, 0, 0)

    def write_table(self, heads: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[int]) -> None:
        """A table whose heads stand on every page."""
        self.set_font(FAMILY, size=SMALL)
        heading = FontFace(emphasis=TextEmphasis.NONE, color=SOFT)
        with self.table(
            col_widths=tuple(widths),
            headings_style=heading,
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            line_height=LINE_MM - 2,
            padding=1,
        ) as table:
            table.row(tuple(heads))
            for row in rows:
                table.row(tuple(row))
        self.ln(LINE_MM)


def printed(statement: Mapping[str, Any]) -> bytes:
    """A statement as PDF."""
    sheet = Sheet()
    sheet.set_title(TITLES["title"])
    sheet.set_creation_date(statement["made_at"])
    sheet.write_line(TITLES["title"], TITLE, BRAND)
    for name, text in _facts(statement):
        sheet.write_line(f"{TITLES[name]}： {text}", TEXT)
    sheet.write_line(TITLES["hint"], SMALL, SOFT)
    sheet.write_line(TITLES["holdings"], HEADING, BRAND)
    sheet.write_table(HOLDING_HEADS, map(_holding, statement["holdings"]), (34, 20, 14, 14, 9, 9))
    sheet.write_line(TITLES["entries"], HEADING, BRAND)
    sheet.write_table(ENTRY_HEADS, map(_entry, statement["entries"]), (8, 20, 30, 22, 10, 10))
    return bytes(sheet.output())


def printable(text: str) -> str:
    """A text with a mark where the font has no character, which some names need; JSON has them all."""
    return "".join(one if ord(one) in _characters() else GETA for one in text)


@functools.cache
def _characters() -> frozenset[int]:
    with TTFont(FONT, lazy=True) as font:
        return frozenset(font["cmap"].getBestCmap())


def _facts(statement: Mapping[str, Any]) -> list[tuple[str, str]]:
    balances = statement["balances"]
    return [
        ("name", printable(statement["name"])),
        ("learner_id", statement["learner_id"]),
        ("made_at", _moment(statement["made_at"])),
        ("available", str(balances["available"])),
        ("provisional", str(balances["provisional"])),
        ("head", statement["head"]),
    ]


def _holding(one: Mapping[str, Any]) -> tuple[str, ...]:
    points = (str(one[f"{pocket}_points"]) for pocket in ("available", "provisional", "held", "spent"))
    return (printable(one["scheme_name"]), _level(one), *points)


def _entry(one: Mapping[str, Any]) -> tuple[str, ...]:
    certificate = (
        f"{printable(one['scheme_name'])} {level_words(one['scheme'], one['level'])[0]}".rstrip()
        if one["scheme"]
        else "—"
    )
    points = (f"{one[name]:+d}" for name in ("provisional_points", "available_points"))
    return (str(one["number"]), _moment(one["at"]), WORDS.get(one["what"], one["what"]), certificate, *points)


def _level(one: Mapping[str, Any]) -> str:
    return " ".join(level_words(one["scheme"], one["level"])).strip() or "—"


def _moment(at: datetime) -> str:
    return at.astimezone(CAMPUS).strftime("%Y-%m-%d %H:%M")
