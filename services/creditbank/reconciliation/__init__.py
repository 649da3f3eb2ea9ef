"""Reconciliation 对账: what a TEO reports, what assessment announced and what the ledger shows, compared row by row."""
