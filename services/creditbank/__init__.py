"""The credit bank: what results are worth, and the accounts on which it is kept."""
