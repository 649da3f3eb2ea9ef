"""Outcomes 学习成果 of every kind but X certificates, as their senders submit them: by HTTP, by sheet."""
