"""Notices: one for each thing that happened, in the mailbox and by e-mail."""
