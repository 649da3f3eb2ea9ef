"""Applications: who wants which certificate at which level, and what became of it."""
