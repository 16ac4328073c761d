"""What can go wrong between the control plane and an agent, typed."""

from __future__ import annotations


class AgentError(Exception):
    """The agent could not be asked, or its answer cannot be used.

    Attributes:
        message: What happened, for people; bounded, without secrets.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Unreachable(AgentError):  # noqa: N818 - named for what a condition then says
    """No connection: refused, reset, no route, or an address that is not to be used."""


class NoConnection(Unreachable):
    """There was no connection at all: the agent has seen nothing of the request."""


class Timeout(AgentError):  # noqa: N818
    """No complete answer within the deadline; whether the agent acted is unknown."""


class InvalidAnswer(AgentError):  # noqa: N818
    """An answer that is not the protocol: too large, a redirect, no JSON, fields amiss."""


class WrongIdentity(AgentError):  # noqa: N818
    """Whoever answered did not prove to be that instance, for this very request."""


class Refused(AgentError):  # noqa: N818
    """The agent, its identity proved, declined.

    Attributes:
        code: The agent's code, e.g. ``stale_epoch``, ``busy``, ``expired``, ``invalid_order``.
        status: HTTP status.
    """

    def __init__(self, code: str, message: str, *, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class UnknownTask(Refused):
    """The agent, its identity proved, never saw that task."""


class KeyFileError(Exception):
    """The control plane's key cannot be used; the message names file and fault."""
