"""Starts the agent, watches it, tries new releases and goes back where they fail.

Imports nothing but the standard library and the parts of the agent that do the same.
"""
