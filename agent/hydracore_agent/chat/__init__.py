"""Chat over server-sent events."""
