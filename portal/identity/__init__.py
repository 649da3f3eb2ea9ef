"""Identity: people, machines, the tokens they get, and a record of both."""
