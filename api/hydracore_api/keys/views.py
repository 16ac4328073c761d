"""API keys as answers."""

from __future__ import annotations

from hydracore_api.keys.schemas import ApiKeyContext
from hydracore_history import ApiKey


def context(key: ApiKey) -> ApiKeyContext:
    """Return what a key may know of itself."""
    return ApiKeyContext(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        tenant_id=key.tenant_id,
        scopes=list(key.scopes),
        admin=key.admin,
        tenant_wide=key.tenant_wide,
        created_at=key.created_at,
        last_used_at=key.last_used_at,
        expires_at=key.expires_at,
    )
