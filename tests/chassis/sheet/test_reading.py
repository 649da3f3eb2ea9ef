"""What colleges send is read; what can't be read is refused with what to do."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from chassis.errors import Refusal
from chassis.sheet import cells
from chassis.sheet.cells import Cell
from chassis.sheet.kind import Row, Upload
from chassis.sheet.read import row_reader, table_of
from tests.chassis.sheet.library import COLUMNS, HEADER, csv, lending, xlsx


def rows_of(content: bytes) -> list[Row]:
    table = table_of(content, COLUMNS)
    read = row_reader(table, COLUMNS, Upload(1, "lending"))
    return [read(number, line)[0] for number, line in table.data_lines()]


def refusal_of(content: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        table_of(content, COLUMNS)
    assert caught.value.sentence("zh")
    assert caught.value.sentence("en")
    return caught.value


LINE = ("黄·玉梅", "110101197503070021", "3", "2020-11-21")
GOOD = xlsx([LINE])
EXPECTED = dict(zip(HEADER, LINE, strict=True))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("comma", [",", ";", "\t"])
def test_csv_is_read_in_each_encoding_and_with_each_delimiter(encoding: str, comma: str) -> None:
    assert [row.cells for row in rows_of(csv([LINE], encoding=encoding, comma=comma))] == [EXPECTED]


def test_a_mark_of_gb18030_is_no_part_of_the_header() -> None:
    content = "\ufeff".encode("gb18030") + csv([LINE], encoding="gb18030")
    assert [row.cells for row in rows_of(content)] == [EXPECTED]


def test_a_cell_of_five_thousand_digits_spoils_its_own_row_alone() -> None:
    table = table_of(csv([LINE, ("甲", LINE[1], "9" * 5_000, ""), LINE]), COLUMNS)
    read = row_reader(table, COLUMNS, Upload(1, "lending"))
    said = [read(number, line)[1] for number, line in table.data_lines()]
    assert [one.code if one else None for one in said] == [None, "cell_too_long", None]


def test_rare_characters_survive_gb18030() -> None:
    (row,) = rows_of(csv([("𠮷㛃䶮", *LINE[1:])], encoding="gb18030"))
    assert row["姓名"] == "𠮷㛃䶮"


def test_a_workbook_with_titles_above_a_decorated_header_is_read() -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["二〇二〇年借阅登记表"])
    sheet.merge_cells("A1:D1")
    sheet.append([])
    sheet.append(["序号", "*名 字", "证号\n（18位）", "册数(本)", "日期【年-月-日】", "备注"])
    sheet.append(
        [1, " 黄·玉梅　", "１１０１０１１９７５０３０７００２１ ", 3, datetime.fromisoformat("2020-11-21"), "好"]
    )
    sheet.append([])
    sheet.append([2, "陈", "E1", 2.0, date(2020, 11, 22), None])
    content = io.BytesIO()
    book.save(content)
    table = table_of(content.getvalue(), COLUMNS)
    rows = rows_of(content.getvalue())
    assert (table.header_line, table.ignored) == (3, ("序号", "备注"))
    assert [row.number for row in rows] == [4, 6]
    assert rows[0].cells == EXPECTED
    assert rows[1].cells == {"姓名": "陈", "借书证号": "E1", "册数": "2", "日期": "2020-11-22"}


def test_the_first_visible_sheet_with_the_header_is_taken() -> None:
    book = Workbook()
    cover = book.active
    assert cover is not None
    cover.append(["说明"])
    hidden = book.create_sheet("旧")
    hidden.sheet_state = "hidden"
    for sheet in (hidden, book.create_sheet("名单")):
        sheet.append(HEADER)
    book["名单"].append(LINE)
    content = io.BytesIO()
    book.save(content)
    assert [row.cells for row in rows_of(content.getvalue())] == [EXPECTED]


def test_a_number_that_excel_shortened_is_refused_and_not_guessed() -> None:
    table = table_of(xlsx([("黄", 110101197503070021, 3, "2020-11-21"), ("陈", 13800138000, 3, "")]), COLUMNS)
    read = row_reader(table, COLUMNS, Upload(1, "lending"))
    (_, wrong), (fine, nothing) = [read(number, line) for number, line in table.data_lines()]
    assert wrong is not None
    assert wrong.code == "number_damaged"
    assert wrong.zh.startswith("借书证号：")
    assert (fine["借书证号"], nothing) == ("13800138000", None)


@pytest.mark.parametrize(
    ("reader", "written", "expected"),
    [
        (cells.integer, "８８", "88"),
        (cells.integer, 88.0, "88"),
        (cells.integer, "88.0", "88"),
        (cells.integer, " ", ""),
        (cells.integer, None, ""),
        (cells.code, "20190001 ", "20190001"),
        (cells.code, 20190001.0, "20190001"),
        (cells.code, "'0012", "0012"),
        (cells.code, "１２３ｘ", "123x"),
        (cells.code, True, "True"),
        (cells.day, "2020/1/2", "2020-01-02"),
        (cells.day, "2020年11月21日", "2020-11-21"),
        (cells.day, "20201121", "2020-11-21"),
        (cells.day, 20201121.0, "2020-11-21"),
        (cells.day, "2020-11-21 00:00:00", "2020-11-21"),
        (cells.day, "２０２０．１．２", "2020-01-02"),
        (cells.day, datetime.fromisoformat("2020-01-02T08:00"), "2020-01-02"),
        (cells.instant, "2020-11-21 18:30", "2020-11-21T18:30:00+08:00"),
        (cells.instant, "2020-11-21T10:30:00Z", "2020-11-21T10:30:00+00:00"),
        (cells.instant, "2020年11月21日", "2020-11-21T00:00:00+08:00"),
        (cells.instant, datetime.fromisoformat("2020-01-02T08:00"), "2020-01-02T08:00:00+08:00"),
        (cells.text, "\u3000 黄\u200b玉 \ufeff梅 ", "黄玉 梅"),
        (cells.text, 1.5, "1.5"),
        (cells.text, "（1）班", "（1）班"),
    ],
)
def test_cells_are_read_as_meant(reader: cells.Reader, written: Cell, expected: str) -> None:
    assert reader(written) == expected


@pytest.mark.parametrize(
    ("reader", "written", "code"),
    [
        (cells.integer, "八", "not_a_whole_number"),
        (cells.integer, 88.5, "not_a_whole_number"),
        (cells.day, "2020-02-30", "not_a_date"),
        (cells.day, "明天", "not_a_date"),
        (cells.day, "20201", "not_a_date"),
        (cells.instant, "昨天", "not_an_instant"),
        (cells.instant, "0001-01-01T00:00:00+14:00", "not_an_instant"),
        (cells.instant, "9999-12-31T23:59:59-12:00", "not_an_instant"),
        (cells.code, "1.10101E+17", "number_damaged"),
        (cells.code, 1.1e17, "number_damaged"),
    ],
)
def test_cells_that_say_nothing_sure_are_refused(reader: cells.Reader, written: Cell, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        reader(written)
    assert caught.value.code == code


@given(
    st.one_of(
        st.text(), st.integers(), st.floats(allow_nan=False), st.dates(), st.datetimes(), st.none(), st.booleans()
    )
)
def test_whatever_a_cell_holds_it_is_read_or_refused_and_reading_again_changes_nothing(cell: Cell) -> None:
    for reader in (cells.text, cells.code, cells.integer, cells.day, cells.instant):
        try:
            once = reader(cell)
        except Refusal:
            continue
        assert reader(once) == once


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file_empty"),
        (b"\xef\xbb\xbf \r\n", "file_empty"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\x00", "not_a_sheet"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not_a_sheet"),
        (bytes(range(256)) * 40, "not_a_sheet"),
        (b"PK\x03\x04" + b"\x00" * 400, "workbook_broken"),
        (xlsx([LINE])[:3000], "workbook_broken"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 512, "workbook_old"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "workbook_locked"),
        ("今天天气很好".encode(), "header_missing"),
        (xlsx([], header=None), "file_empty"),
        (xlsx([("a", "b")], header=("x", "y")), "header_missing"),
        (xlsx([("黄", 3)], header=("姓名", "册数")), "columns_missing"),
        (xlsx([("黄", "1", "2")], header=("姓名", "借书证号", "证号")), "header_repeated"),
        (xlsx([]), "sheet_without_rows"),
        (xlsx([("", " ", None, "")]), "sheet_without_rows"),
        (csv([('"黄' + "x" * 140_000, "1", 2, "")]), "csv_malformed"),
        (xlsx([LINE], header=(*HEADER, *(f"列{i}" for i in range(70)))), "too_many_columns"),
        (csv([LINE], header=(*HEADER, *(f"列{i}" for i in range(70)))), "too_many_columns"),
    ],
)
def test_what_is_no_such_sheet_is_refused(content: bytes, code: str) -> None:
    assert refusal_of(content).code == code


def test_missing_columns_are_named() -> None:
    refusal = refusal_of(xlsx([(3, "2020-11-21")], header=("册数", "日期")))
    assert refusal.sentence("zh") == "缺少以下列：姓名、借书证号。请在第 1 行表头中补充后重新上传。"


def packed(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in members.items():
            package.writestr(name, text)
    return content.getvalue()


def repacked(change: Callable[[bytes], bytes]) -> bytes:
    """A workbook whose sheet was altered as text."""
    with zipfile.ZipFile(io.BytesIO(GOOD)) as package:
        members = {name: package.read(name) for name in package.namelist()}
    members["xl/worksheets/sheet1.xml"] = change(members["xl/worksheets/sheet1.xml"])
    return packed(members)


def test_an_unchanged_repacked_workbook_is_read() -> None:
    assert [row.cells for row in rows_of(repacked(lambda text: text))] == [EXPECTED]


def test_a_zip_that_is_no_workbook_is_refused() -> None:
    assert refusal_of(packed({"readme.txt": b"hello"})).code == "not_a_sheet"


def test_a_zip_bomb_is_refused_before_it_is_opened() -> None:
    bomb = packed({"xl/workbook.xml": b"<workbook/>", "xl/worksheets/sheet1.xml": b"0" * 60_000_000})
    assert len(bomb) < 100_000
    assert peak_of(lambda: refusal_of(bomb)) == "unpacks_too_large"
    strings = packed({"xl/workbook.xml": b"<workbook/>", "xl/sharedStrings.xml": b"0" * 20_000_000})
    assert peak_of(lambda: refusal_of(strings)) == "unpacks_too_large"


def peak_of(refused: Callable[[], Refusal], most_bytes: int = 8_000_000) -> str:
    """The code of a refusal that cost little memory."""
    tracemalloc.start()
    try:
        code = refused().code
        assert tracemalloc.get_traced_memory()[1] < most_bytes
    finally:
        tracemalloc.stop()
    return code


def test_a_directory_that_lies_about_sizes_is_refused() -> None:
    honest = packed({"xl/workbook.xml": b"<workbook/>", "xl/sharedStrings.xml": b"0123456789" * 2_000_000})
    with zipfile.ZipFile(io.BytesIO(honest)) as package:
        size = package.getinfo("xl/sharedStrings.xml").file_size
    lying = honest.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert refusal_of(lying).code == "unpacks_too_large"


FAR = b'<row r="%s"><c r="%s" t="n"><v>1</v></c></row></sheetData>'


@pytest.mark.parametrize(
    ("row", "cell", "code"),
    [
        (b"1048576", b"A1048576", "too_many_rows"),
        (b"3", b"XFD3", "too_many_columns"),
        (b"3", b"DA3", "too_many_columns"),
        (b"3", b"xfd3", "too_many_columns"),
        (b"3", b"A1048576", "too_many_rows"),
        (b"200001", b"A3", "too_many_rows"),
    ],
)
@pytest.mark.parametrize("quote", [b'"', b"'", b' = "'])
def test_a_far_off_cell_does_not_span_its_rectangle(row: bytes, cell: bytes, code: str, quote: bytes) -> None:
    def change(text: bytes) -> bytes:
        end = FAR % (row, cell)
        if quote != b'"':
            end = end.replace(b'="', b"=" + quote) if quote == b"'" else end.replace(b'="', quote)
            end = end.replace(b'"', b"'") if quote == b"'" else end
        return text.replace(b"</sheetData>", end)

    assert refusal_of(repacked(change)).code == code


def test_two_hundred_thousand_rows_are_refused_before_they_cost_memory() -> None:
    text = csv(lending(200_000))
    assert peak_of(lambda: refusal_of(text)) == "too_many_rows"
    row = b"<row><c t='n'><v>1</v></c></row>" * 200_000
    content = repacked(lambda text: text.replace(b"</sheetData>", row + b"</sheetData>"))
    assert peak_of(lambda: refusal_of(content)) == "too_many_rows"


def test_one_hundred_thousand_rows_are_read() -> None:
    table = table_of(csv(lending(100_000)), COLUMNS)
    assert sum(1 for _ in table.data_lines()) == 100_000
    assert refusal_of(csv(lending(100_031))).code == "too_many_rows"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_workbook_is_read_or_refused_and_never_breaks(data: st.DataObject) -> None:
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        rows_of(bytes(content))
    except Refusal:
        return


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_xml_is_read_or_refused_and_never_breaks(data: st.DataObject) -> None:
    def change(text: bytes) -> bytes:
        altered = bytearray(text)
        for _ in range(data.draw(st.integers(1, 6))):
            altered[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.sampled_from(b"<>/\"'=rc0A9 &;\xff"))
        return bytes(altered)

    try:
        rows_of(repacked(change))
    except Refusal:
        return


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for given_bytes in (content, csv([LINE]) + b"\r\n" + content):
        try:
            rows_of(given_bytes)
        except Refusal:
            continue
