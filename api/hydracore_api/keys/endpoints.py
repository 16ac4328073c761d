"""``/v1/mcp/api-key-context``: which key is this, and what may it do."""

from __future__ import annotations

from fastapi import APIRouter

from hydracore_api.auth.dependencies import AnyKey
from hydracore_api.keys import views
from hydracore_api.keys.schemas import ApiKeyContext
from hydracore_api.responses import V1

router = APIRouter(prefix="/v1/mcp", tags=["API keys"], responses=V1)


@router.get("/api-key-context", summary="Get the key's own context")
async def get_api_key_context(principal: AnyKey) -> ApiKeyContext:
    """Return tenant, scopes and rights of the key that asks; every valid key may."""
    return views.context(principal.key)
