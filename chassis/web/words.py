"""What marshmallow says about a field, in Chinese."""

from __future__ import annotations

import re

CHINESE = [
    (re.compile(pattern), chinese)
    for pattern, chinese in (
        (r"Missing data for required field\.", "缺少必填项。"),
        (r"Unknown field\.", "不接受此字段。"),
        (r"Field may not be null\.", "不能为空值。"),
        (r"Not a valid integer\.", "应为整数。"),
        (r"Not a valid number\.", "应为数字。"),
        (r"Not a valid string\.", "应为文本。"),
        (r"Not a valid boolean\.", "应为 true 或 false。"),
        (r"Not a valid list\.", "应为列表。"),
        (r"Not a valid mapping type\.", "应为对象。"),
        (r"Invalid input type\.", "类型不正确。"),
        (r"Invalid type\.", "类型不正确。"),
        (r"Not a valid (?:naive |aware )?datetime\.", "不是有效的日期时间（ISO 8601，带时区）。"),
        (r"Not a valid date\.", "不是有效日期（如 2020-11-21）。"),
        (r"Not a valid email address\.", "不是有效的邮箱地址。"),
        (r"Must be one of: (.*)\.", r"应为以下之一：\1。"),
        (r"Must be greater than or equal to (\S+) and less than or equal to (\S+)\.", r"应在 \1 至 \2 之间。"),
        (r"Must be greater than or equal to (\S+)\.", r"不得小于 \1。"),
        (r"Must be less than or equal to (\S+)\.", r"不得大于 \1。"),
        (r"Length must be between (\d+) and (\d+)\.", r"长度应在 \1 至 \2 之间。"),
        (r"Length must be (\d+)\.", r"长度应为 \1。"),
        (r"Shorter than minimum length (\d+)\.", r"长度不得少于 \1。"),
        (r"Longer than maximum length (\d+)\.", r"长度不得超过 \1。"),
        (r"String does not match expected pattern\.", "格式不正确。"),
        (r"Too far from today\.", "日期超出可用范围。"),
        (r"Not a cursor of this list\.", "不是本列表的游标，请从第一页重新开始。"),
    )
]


def in_chinese(message: str) -> str:
    """The message in Chinese; one that is not known here keeps its own words behind a Chinese frame."""
    for pattern, chinese in CHINESE:
        if found := pattern.fullmatch(message):
            return found.expand(chinese)
    return f"此项不符合要求（{message}）"
