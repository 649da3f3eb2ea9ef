"""Courses of the programmes: what enrolment says of them, and the marks of those who sat them."""
