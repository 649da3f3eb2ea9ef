"""What happened at the gate."""
