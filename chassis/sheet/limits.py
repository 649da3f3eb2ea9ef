"""How large a sheet may be. All of it is checked before a sheet is loaded."""

from __future__ import annotations

from chassis.errors import Ground

MAX_ROWS = 100_000
HEADER_WITHIN_LINES = 30
MAX_LINES = MAX_ROWS + HEADER_WITHIN_LINES
MAX_COLUMNS = 64
MAX_CELLS = 4_000_000
MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_UNPACKED_BYTES = 320 * 1024 * 1024
MAX_RATIO = 100  # real workbooks unpack to 5 to 30 times their size
RATIO_FROM_BYTES = 8 * 1024 * 1024  # small members may be repetitive
MAX_MEMBERS = 1_000
MAX_CELL_CHARACTERS = 2_000

TOO_MANY_ROWS = Ground(
    "too_many_rows",
    en=f"The sheet has more than {MAX_ROWS:,} rows (empty rows that are formatted count). Split it into several files.",
    zh=f"表格超过 {MAX_ROWS:,} 行（含带格式的空行）。请拆分为多个文件后分别上传。",
    status=413,
)
TOO_MANY_COLUMNS = Ground(
    "too_many_columns",
    en="The sheet has {columns} columns; at most {limit} are read. Delete those to the right of the table.",
    zh="表格有 {columns} 列，最多可读取 {limit} 列。请删除表格右侧多余的列。",
)
UNPACKS_TOO_LARGE = Ground(
    "unpacks_too_large",
    en="This workbook unpacks to far more than its size allows and was not opened. Copy the table into a new one.",
    zh="该工作簿解压后过大，未予打开。请仅将表格内容复制到新的工作簿后上传。",
    status=413,
)
