"""Making an API key on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from hydracore_api.auth.keys import create_api_key, load_server_secret
from hydracore_cli.connection import open_history
from hydracore_cli.errors import CliError
from hydracore_cli.lookup import server_secret_file
from hydracore_cli.stack.layout import StackLayout


@dataclass(frozen=True, slots=True)
class NewKey:
    """What the key is to be allowed, and for whom."""

    tenant: str
    namespace: str
    name: str
    scopes: tuple[str, ...]
    admin: bool
    tenant_wide: bool


async def create_key(layout: StackLayout, wanted: NewKey) -> tuple[str, str]:
    """Store a new key and return its id and the key itself, which cannot be had again.

    Raises:
        CliError: a scope has another form, or the database is not known.
        ServerSecretError, HistoryError
    """
    secret = load_server_secret(server_secret_file(layout))
    async with open_history(layout) as history:
        try:
            record, key = await create_api_key(
                history,
                secret,
                tenant_id=wanted.tenant,
                namespace=wanted.namespace,
                name=wanted.name,
                scopes=wanted.scopes,
                admin=wanted.admin,
                tenant_wide=wanted.tenant_wide,
                created_by="hydracore-cli",
                at=datetime.now(UTC),
            )
        except ValueError as error:
            raise CliError(str(error)) from error
    return record.id, key
