"""Conversion 转换: what a programme and entry year lets credits excuse from, by which policy, and who is excused."""
