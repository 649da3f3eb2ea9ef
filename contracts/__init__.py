"""The published language: what each service announces, and the words all five share."""
