"""The sample generator: sheets as colleges send them, and what must come of them, by its own reasoning.

A witness: it reads the annex in `deploy/catalogue` as data and shares no code with what it judges.
"""
