"""The fault suite: a steady flow, what breaks while it goes on, and a checker that shares no code with the services."""
