"""The auditor: reads what the services say of each learner and demands that it agrees. It shares no code with them."""
