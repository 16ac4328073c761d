"""``hydracore keys …``: API keys of tenants."""

from __future__ import annotations

from typing import Annotated

import typer

from hydracore_cli.commands.options import StateDir
from hydracore_cli.stack.layout import DEFAULT_STATE_DIR, layout_of

app = typer.Typer(help="Create, list, rotate and revoke API keys.", no_args_is_help=True)

Tenant = Annotated[str, typer.Option(help="Id of the tenant (label hydracore.io/tenant-id).")]


@app.command()
def create(
    tenant: Tenant,
    name: Annotated[str, typer.Option(help="What people call the key.")],
    namespace: Annotated[
        str | None, typer.Option(help="The tenant's namespace; default: the tenant's id.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="<resource>:<read|write|delete|*>, repeated; default instances:*."),
    ] = None,
    *,
    admin: Annotated[bool, typer.Option("--admin", help="May use the admin routes.")] = False,
    tenant_wide: Annotated[
        bool, typer.Option("--tenant-wide", help="May override the maintenance window.")
    ] = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Create an API key and print it, this once; only its hash is stored."""
    import asyncio  # noqa: PLC0415 - commands load what they need when they run

    from hydracore_cli.new_key import NewKey, create_key  # noqa: PLC0415

    wanted = NewKey(
        tenant=tenant,
        namespace=namespace or tenant,
        name=name,
        scopes=tuple(scope or ("instances:*",)),
        admin=admin,
        tenant_wide=tenant_wide,
    )
    key_id, key = asyncio.run(create_key(layout_of(state_dir), wanted))
    typer.echo(f"key {key_id} of tenant {tenant}; it is shown only now:", err=True)
    typer.echo(key)


@app.command(name="list")
def list_keys(tenant: Tenant, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """List a tenant's keys, revoked ones too, newest first."""
    import asyncio  # noqa: PLC0415 - commands load what they need when they run
    from datetime import UTC, datetime  # noqa: PLC0415

    from hydracore_cli.connection import open_history  # noqa: PLC0415
    from hydracore_cli.keys_table import keys_table  # noqa: PLC0415
    from hydracore_cli.output import make_console  # noqa: PLC0415
    from hydracore_history import ApiKey  # noqa: PLC0415

    async def run() -> list[ApiKey]:
        async with open_history(layout_of(state_dir)) as history:
            return await history.keys.list(tenant)

    make_console().print(keys_table(asyncio.run(run()), datetime.now(UTC)))


@app.command()
def rotate(
    name_or_id: Annotated[str, typer.Argument(help="Name or id of the key.")],
    overlap: Annotated[
        str, typer.Option(help="How long the old key works beside its successor: 90s, 30m, 24h, 7d")
    ] = "24h",
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Make a key's successor with the same rights and print it, this once."""
    import asyncio  # noqa: PLC0415 - commands load what they need when they run

    from hydracore_cli.rotated_key import rotate_key  # noqa: PLC0415

    rotated = asyncio.run(rotate_key(layout_of(state_dir), name_or_id, overlap))
    typer.echo(
        f"key {rotated.record.id} of tenant {rotated.record.tenant_id} follows; the old one works "
        f"until {rotated.expires_at:%Y-%m-%d %H:%M:%SZ}. It is shown only now:",
        err=True,
    )
    typer.echo(rotated.key)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key, as `keys list` shows it.")],
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Revoke a key; it stops working within seconds."""
    import asyncio  # noqa: PLC0415 - commands load what they need when they run
    from datetime import UTC, datetime  # noqa: PLC0415

    from hydracore_cli.connection import open_history  # noqa: PLC0415
    from hydracore_cli.errors import CliError  # noqa: PLC0415

    async def run() -> bool:
        async with open_history(layout_of(state_dir)) as history:
            return await history.keys.revoke(key_id, datetime.now(UTC))

    if not asyncio.run(run()):
        raise CliError(
            f"no key {key_id} is in use: it is unknown or was revoked before; see `hydracore keys "
            "list`"
        )
    typer.echo(f"revoked {key_id}")
