"""What can go wrong between HydraCore and the API server, typed; mapped in one place.

A ``Status`` object (metav1.Status) names the reason; where a proxy answers something else, the
HTTP status alone decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MAX_MESSAGE = 1024


class KubeError(Exception):
    """The API server refused, or could not be asked.

    Attributes:
        status: HTTP status; 0 where no answer came.
        reason: Reason of the ``Status`` object, e.g. ``Conflict``.
        message: What happened, for people.
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


class NotFound(KubeError):  # noqa: N818 - the API server's own word
    """There is no such object, or no such kind."""


class Conflict(KubeError):  # noqa: N818
    """A precondition (uid or resourceVersion) no longer holds: read again, decide again."""


class AlreadyExists(KubeError):  # noqa: N818
    """An object of this name is there already."""


class Invalid(KubeError):  # noqa: N818
    """The object breaks its schema or a CEL rule.

    Attributes:
        causes: ``(field, message)`` of each breach, in the API server's order.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 422,
        reason: str = "Invalid",
        causes: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message, status=status, reason=reason)
        self.causes = tuple(causes)


class Forbidden(KubeError):  # noqa: N818
    """RBAC, admission or a terminating namespace refuses (401 and 403)."""

    @property
    def terminating(self) -> bool:
        """Whether the namespace is being deleted, so that nothing can be created in it."""
        return self.reason == "NamespaceTerminating"


class Gone(KubeError):  # noqa: N818
    """The resourceVersion is too old: list again (410)."""


class Unavailable(KubeError):  # noqa: N818
    """No answer, or one that says to come back: 429, 5xx, broken connection, timeout.

    After a write its outcome is unknown, unless the status is 429.

    Attributes:
        retry_after: Seconds that the server asks to wait, if it said so.
    """

    def __init__(
        self, message: str, *, status: int = 0, reason: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, status=status, reason=reason)
        self.retry_after = retry_after


class Malformed(KubeError):  # noqa: N818
    """The answer is not what the API promises, e.g. an object that its model cannot read."""


class KubeconfigError(KubeError):
    """The configuration of the connection cannot be used; the message names file and fault."""


_BY_STATUS: dict[int, type[KubeError]] = {
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
}
_INVALID = (400, 422)
_TOO_MANY = 429
_SERVER_ERROR = 500


def error_from_status(
    status: int, body: Any, *, what: str, retry_after: float | None = None
) -> KubeError:
    """Build the typed error of an answer that is not a success.

    Args:
        status: HTTP status, or ``code`` of a watch's ERROR event.
        body: The decoded body; anything but a ``Status`` object counts as empty.
        what: What was asked, e.g. ``PATCH /apis/…``.
        retry_after: The answer's ``Retry-After`` in seconds.
    """
    info: dict[str, Any] = body if isinstance(body, dict) else {}
    reason = str(info.get("reason") or "")
    details = info.get("details") if isinstance(info.get("details"), dict) else {}
    causes = _causes(details)
    text = str(info.get("message") or f"HTTP status {status}")[:MAX_MESSAGE]
    message = f"{what}: {text}"
    if any(field == "metadata.uid" for field, _ in causes):
        # A merge patch that names another uid is "invalid" to the server; to us it is a namesake.
        return Conflict(message, status=status, reason=reason)
    if status in _INVALID:
        return Invalid(message, status=status, reason=reason or "Invalid", causes=causes)
    if status == _TOO_MANY or status >= _SERVER_ERROR:
        return Unavailable(message, status=status, reason=reason, retry_after=retry_after)
    if reason == "AlreadyExists":
        return AlreadyExists(message, status=status, reason=reason)
    if reason == "Expired":
        return Gone(message, status=status, reason=reason)
    if any(kind == "NamespaceTerminating" for kind in _cause_reasons(details)):
        reason = "NamespaceTerminating"
    return _BY_STATUS.get(status, KubeError)(message, status=status, reason=reason)


def _entries(details: Any) -> list[dict[str, Any]]:
    found = details.get("causes") if isinstance(details, dict) else None
    return [c for c in found if isinstance(c, dict)] if isinstance(found, list) else []


def _causes(details: Any) -> list[tuple[str, str]]:
    return [(str(c.get("field") or ""), str(c.get("message") or "")) for c in _entries(details)]


def _cause_reasons(details: Any) -> list[str]:
    return [str(c.get("reason") or "") for c in _entries(details)]
