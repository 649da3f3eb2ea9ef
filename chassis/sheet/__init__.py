"""Tables in and out, done once for all services: read, previewed, committed, given back with a verdict on each row."""
