"""Assessment plans, who may be registered in one, and who is."""
