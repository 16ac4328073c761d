"""``hydracore migrate``."""

from __future__ import annotations

import typer

from hydracore_cli.commands.options import StateDir
from hydracore_cli.stack.layout import DEFAULT_STATE_DIR, layout_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(migrate)


def migrate(state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Bring the history database to this version; safe to repeat.

    The database is that of HYDRACORE_DATABASE_URL, else the one of the stack in the state folder.
    """
    import asyncio  # noqa: PLC0415 - commands load what they need when they run

    from hydracore_cli.connection import open_history  # noqa: PLC0415

    async def run() -> str:
        async with open_history(layout_of(state_dir)) as history:
            await history.migrate()
            await history.check()
            return history.shown_url

    typer.echo(f"{asyncio.run(run())} is at this version")
