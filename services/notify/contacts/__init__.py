"""How learners are reached: sealed, as enrolment announced it, and in which language."""
