"""The API key that a stack hands to the person who started it."""

from __future__ import annotations

from datetime import UTC, datetime

from hydracore_api.auth.keys import create_api_key, hash_key, load_server_secret
from hydracore_cli.stack.database import database_url
from hydracore_cli.stack.env_file import read_env
from hydracore_cli.stack.layout import StackLayout
from hydracore_history import History

KEY_NAME = "hydracore up"
SCOPES = ("instances:*",)


async def ensure_api_key(layout: StackLayout, tenant: str) -> str:
    """Return the key of the env file while it holds, else a new one.

    It is an admin's, tenant-wide, of the tenant whose namespace has the same name.

    Raises:
        ServerSecretError, HistoryUnavailable
    """
    secret = load_server_secret(layout.server_secret)
    history = History(database_url(layout))
    try:
        known = read_env(layout.env).get("HYDRACORE_API_KEY")
        if known and await _holds(history, known, secret, tenant):
            return known
        return await create_admin_key(history, secret, tenant)
    finally:
        await history.close()


async def create_admin_key(
    history: History, secret: bytes, tenant: str, name: str = KEY_NAME
) -> str:
    """Make an admin's key of the tenant whose namespace has the same name, and return it."""
    _, key = await create_api_key(
        history,
        secret,
        tenant_id=tenant,
        namespace=tenant,
        name=name,
        scopes=SCOPES,
        admin=True,
        tenant_wide=True,
        created_by="hydracore-cli",
        at=datetime.now(UTC),
    )
    return key


async def _holds(history: History, key: str, secret: bytes, tenant: str) -> bool:
    found = await history.keys.by_hash(hash_key(key, secret))
    return found is not None and found.revoked_at is None and found.tenant_id == tenant
