"""Curricula: what may be exempt, what was passed already, who studies what, and which days deadlines count."""
