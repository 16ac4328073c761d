"""Which notifications a tenant's webhooks are due, what they say, and when to try again. Pure."""
