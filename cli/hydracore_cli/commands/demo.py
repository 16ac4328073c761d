"""``hydracore demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the state folder with all logs afterwards.")
    ] = False,
    state_dir: Annotated[
        Path | None,
        typer.Option(help="State folder; default: a temporary one, so nothing else is touched."),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="History database to use, such as postgresql+psycopg://user:password@host/name; "
            "the demo leaves its rows there. Default: an embedded one of its own.",
        ),
    ] = None,
) -> None:
    """Run HydraCore's main job once, with real processes, and check the outcome.

    Exit status 0 if every check holds, 1 if not, with the reason.
    """
    from hydracore_cli.demo.run import run_demo  # noqa: PLC0415 - commands load what they need

    raise typer.Exit(run_demo(state_dir, keep=keep, database=database))
