"""Notify tells learners what happened: in their mailbox on the portal, and by e-mail where there is an address."""
