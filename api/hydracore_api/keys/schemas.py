"""Wire forms of an API key."""

from __future__ import annotations

from pydantic import Field

from hydracore_api.wire import UtcTime, View


class ApiKeyContext(View):
    """The key that asks, without its secret part."""

    id: str
    name: str
    prefix: str = Field(description="How the key begins, to tell it from others.")
    tenant_id: str
    scopes: list[str] = Field(description="<resource>:<read|write|delete|*>.")
    admin: bool = Field(description="Whether it passes the admin routes.")
    tenant_wide: bool = Field(description="Whether it may override the maintenance window.")
    created_at: UtcTime
    last_used_at: UtcTime | None = Field(description="Noted once a minute at most.")
    expires_at: UtcTime | None = Field(
        description="When it stops working, because it has a successor; null: it has no end."
    )
