"""A tenant's webhook: where to tell of its rollouts, and of what."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hydracore_crds.base import Rule, Slug, Wire, rules

NotificationEvent = Literal[
    "halted", "awaiting_approval", "rolling_back", "succeeded", "failed", "cancelled"
]

MAX_WEBHOOKS = 4

_URL = r"^https?://[^/?#@\\s]+([/?][^#@\\s]*)?$"


class Webhook(Wire):
    """An HTTPS address that is told of rollouts by signed POST requests."""

    model_config = rules(
        [
            Rule(
                f"self.url.matches('{_URL}')",
                "url must be https://host[:port]/path without user, '@', '#' and blanks: put what "
                "tells callers apart into the path",
            ).to_schema(),
        ]
    )

    name: Slug = Field(description="For people, and for what was delivered; unique in the list.")
    url: Annotated[str, StringConstraints(min_length=8, max_length=1024)] = Field(
        description="Plain http only where the operator's settings allow it.",
    )
    events: list[NotificationEvent] | None = Field(
        default=None,
        min_length=1,
        max_length=6,
        description="What to tell of; absent means everything.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )

    def wants(self, event: NotificationEvent) -> bool:
        """Whether it is to be told of this event."""
        return self.events is None or event in self.events
