"""What can go wrong at a provider: typed here, at the seam, with reason and retry in one place."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from hydracore_crds import conditions


class ProviderError(Exception):
    """A provider call did not succeed.

    Attributes:
        reason: The condition reason that it becomes.
        retry_after: When the same call is worth another try.
        hint: What a person can do about it; empty where waiting is all there is to do.
    """

    reason: ClassVar[str] = conditions.PROVIDER_ERROR
    retry_after: ClassVar[timedelta] = timedelta(seconds=30)
    hint: ClassVar[str] = ""

    def explain(self) -> str:
        """Return one sentence for people: what happened and what to do."""
        text = str(self) or type(self).__name__
        return f"{text}. {self.hint}" if self.hint else text


class ServerNotFoundError(ProviderError):
    """The provider answers, and has no such server."""

    reason = conditions.SERVER_LOST


class NameConflictError(ProviderError):
    """The server's name is held by something that is not ours; it is never touched."""

    reason = conditions.SERVER_NAME_TAKEN
    retry_after = timedelta(minutes=5)
    hint = (
        "Remove or rename that server at the provider, "
        "or delete this Instance and create it under another name"
    )


class CapacityError(ProviderError):
    """The provider has no room for a server of this type in this location."""

    reason = conditions.NO_CAPACITY
    retry_after = timedelta(minutes=2)
    hint = "It is tried again; another region or class may have room"


class QuotaError(ProviderError):
    """The provider refuses because of a limit; never to be read as "there is none"."""

    reason = conditions.QUOTA_EXCEEDED
    retry_after = timedelta(minutes=1)
    hint = "It is tried again; raise the provider's limit if this stays"


class AuthError(ProviderError):
    """The provider does not accept our credentials, or they may not do this."""

    reason = conditions.PROVIDER_UNAUTHORIZED
    retry_after = timedelta(minutes=1)
    hint = "Check the provider's credentials of the operator; it is tried again"


class TransientError(ProviderError):
    """The provider did not do it, and may do it soon."""

    reason = conditions.PROVIDER_UNAVAILABLE
    retry_after = timedelta(seconds=5)
    hint = "It is tried again"


class TooLateError(ProviderError):
    """The call came after the time until which it was wanted; nothing was done."""

    hint = "Ask again if it is still wanted"


class UnknownOutcomeError(ProviderError):
    """The call may have been carried out: look before another try."""

    reason = conditions.OUTCOME_UNKNOWN
    retry_after = timedelta(seconds=2)
    hint = "The server is looked up by its labels before another try"
