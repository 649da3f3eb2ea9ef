"""The published language: it only grows, what was ever announced can be read, and somebody listens."""
