"""Proposals 议案: how what is recognised changes: drafted, simulated, approved by two, carried out."""
