"""Simulations 测算: what a draft of a conversion rule or policy document would change, before anybody approves it."""
