"""The stack on one machine: what docker-compose.yml describes, run under supervisor with real engines from wheels."""
