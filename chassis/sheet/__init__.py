"""Tables in and out, done once for all services: read, previewed, committed, and given back with a verdict on each row."""
