"""Enrolment: who the learners are, where they study, and what they apply for."""
