"""Learners: people, their identity documents, their student records, their keys."""
