"""Watching a rollout: what it looks like now, as a table or as lines."""
