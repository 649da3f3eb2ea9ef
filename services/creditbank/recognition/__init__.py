"""Recognition 认定: what an outcome is worth, for any learner, in any programme or none."""
