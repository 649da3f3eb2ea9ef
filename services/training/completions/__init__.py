"""Who completed the training they had a place for."""
