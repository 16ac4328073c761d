"""Wire forms of the platform's policy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from hydracore_api.wire import Body, UtcTime, View
from hydracore_crds.platform_policy import MAX_CAP, UNTIL_PATTERN, FreezeReason


def _readable(text: str) -> str:
    """Refuse what has the form of a time and is none, and what UTC cannot express."""
    try:
        fits = datetime.fromisoformat(text).astimezone(UTC).year >= 2000  # noqa: PLR2004
    except (ValueError, OverflowError):
        fits = False
    if not fits:
        raise ValueError("is no time: write RFC 3339 with a zone, for example 2027-01-02T06:00:00Z")
    return text


UntilText = Annotated[
    str, StringConstraints(pattern=UNTIL_PATTERN, max_length=64), AfterValidator(_readable)
]


class FreezeView(View):
    """A freeze, as it was asked for."""

    reason: str
    until: UtcTime | None = None


class FreezeWish(Body):
    """A freeze, as it shall be."""

    reason: FreezeReason = Field(description="Why, for the tenants: they all read it.")
    until: UntilText | None = Field(
        default=None,
        description="When it ends by itself (RFC 3339 with a zone); null: when it is taken away.",
    )


class PlatformPolicyView(View):
    """What those who run the platform want, and what holds by it now."""

    freeze: FreezeView | None
    max_parallel_rollouts: int | None = Field(description="Null: as many as tenants' limits allow.")
    frozen: bool = Field(description="Whether the freeze holds now; false once its end has passed.")
    message: str | None = Field(description="What tenants are told while it is frozen.")
    in_flight: int | None = Field(
        description="Targets in flight over all tenants; null where no operator has counted yet."
    )
    generation: int = Field(description="Rises with each change; 0 while nothing was ever set.")
    set_by: str | None = Field(
        description="Who set it as it is, by REST; null where that was done by another door."
    )


class PlatformPolicyWish(Body):
    """The whole policy as it shall be. Both fields are required: nothing ends by leaving it out."""

    freeze: FreezeWish | None = Field(description="Null: not frozen.")
    max_parallel_rollouts: Annotated[int, Field(ge=1, le=MAX_CAP, strict=True)] | None = Field(
        description="How many targets may be in flight over all tenants; null: no such cap."
    )
