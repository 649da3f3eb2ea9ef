"""Results: recorded, judged, publicised, final; corrected or annulled with a reason."""
