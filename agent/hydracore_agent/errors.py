"""Errors that more than one part of the agent raises, and the exit codes that stand for them."""

from __future__ import annotations

EXIT_CONFIG = 78
"""user-data.json or the folder is not usable (EX_CONFIG)."""
EXIT_LOCKED = 75
"""Another launcher already serves this folder (EX_TEMPFAIL)."""
EXIT_PORT_TAKEN = 98
"""The address of listen.host:port belongs to another program (EADDRINUSE)."""
EXIT_RETRY = 69
"""The control plane could not be reached or refused; trying again later can help."""


class AgentError(Exception):
    """Base of the agent's own errors; the text is for people and holds no secrets."""


class SettingsError(AgentError):
    """user-data.json is missing, unreadable or holds a wrong value."""


class StateError(AgentError):
    """A file below ``state/`` is damaged; going on could forget an order or an epoch."""


class PortTakenError(AgentError):
    """listen.host:port cannot be bound because another program has it."""


def describe_os_error(error: OSError) -> str:
    """Return why the operating system refused, in words, without the path."""
    return error.strerror or type(error).__name__
