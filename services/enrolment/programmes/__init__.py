"""Programmes: the courses of study that lead to a diploma, by entry year."""
