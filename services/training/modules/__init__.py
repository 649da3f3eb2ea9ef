"""Modules of the certificates' trainings, and who is excused from which because of a course they passed."""
