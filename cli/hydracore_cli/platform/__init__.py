"""Freeze and cap of the platform, by the command line."""
