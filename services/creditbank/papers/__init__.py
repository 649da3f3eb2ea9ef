"""Papers that travel 凭证: credentials that others can verify without asking, and their revocation."""
