"""Machines with a secret."""
