"""The bus: announcements leave through the outbox, arrive in waves, and count once."""
