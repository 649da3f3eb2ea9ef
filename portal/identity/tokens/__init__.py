"""Tokens, issued and published."""
