"""Certificates: the numbers that passes earned, and those taken back."""
