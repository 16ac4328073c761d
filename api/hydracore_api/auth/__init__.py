"""Who calls, and what they may do: API keys, scopes, tenants, the ops token, agents."""
