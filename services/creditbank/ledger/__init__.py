"""The ledger: accounts, what moved on them and why, and the only place that moves anything."""
