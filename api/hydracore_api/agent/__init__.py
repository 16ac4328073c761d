"""``/agent/v1``: what servers and agents call."""
