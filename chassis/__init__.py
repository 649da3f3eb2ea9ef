"""The chassis: what every service stands on. Not one word of the field in here."""
