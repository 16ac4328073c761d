"""Configuration that is applied while the agent runs."""
