"""Mnemo: what the agent remembers across conversations."""
