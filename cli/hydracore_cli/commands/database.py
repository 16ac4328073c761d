"""``hydracore migrate``."""

from __future__ import annotations

from typing import Annotated

import typer

from hydracore_cli.commands.options import StateDir
from hydracore_cli.stack.layout import DEFAULT_STATE_DIR, layout_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(migrate)


def migrate(
    state_dir: StateDir = DEFAULT_STATE_DIR,
    grant_to: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE",
            help="PostgreSQL: also give this role what operator, API and CLI need, and no more.",
        ),
    ] = None,
) -> None:
    """Bring the history database to this version; safe to repeat.

    The database is that of HYDRACORE_DATABASE_URL, else the one of the stack in the state folder.
    """
    import asyncio  # noqa: PLC0415 - commands load what they need when they run

    from hydracore_cli.connection import open_history  # noqa: PLC0415
    from hydracore_cli.errors import CliError  # noqa: PLC0415

    async def run() -> str:
        async with open_history(layout_of(state_dir)) as history:
            await history.migrate()
            await history.check()
            if grant_to is not None:
                try:
                    await history.grant(grant_to)
                except ValueError as error:
                    raise CliError(f"--grant-to: {error}") from error
            return history.shown_url

    typer.echo(f"{asyncio.run(run())} is at this version")
