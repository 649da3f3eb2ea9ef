"""The web: how a service is spoken to, and how it speaks to another."""
