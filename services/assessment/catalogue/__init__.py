"""Who assesses what, by which rule, and on which days the field works."""
