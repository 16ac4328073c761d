"""How a task can end before its switch."""

from __future__ import annotations


class TaskEnded(Exception):  # noqa: N818 - an outcome, not a failure
    """The task ends now; the text is the report's message."""

    state = "rejected"


class Rejected(TaskEnded):
    """The bundle cannot be had or must not be installed."""


class Expired(TaskEnded):
    """The order's ``notAfter`` has come."""

    state = "expired"


class Aborted(TaskEnded):
    """The control plane took the order back."""

    state = "aborted"
