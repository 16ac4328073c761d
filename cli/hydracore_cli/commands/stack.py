"""``hydracore up`` and ``hydracore down``."""

from __future__ import annotations

from typing import Annotated

import typer

from hydracore_cli.commands.options import StateDir
from hydracore_cli.stack.layout import DEFAULT_STATE_DIR, layout_of


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)


def up(
    state_dir: StateDir = DEFAULT_STATE_DIR,
    api_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the API; 0 takes a free one.")
    ] = 0,
    database: Annotated[
        str | None,
        typer.Option(
            envvar="HYDRACORE_DATABASE_URL",
            metavar="URL",
            help="History database, such as postgresql+psycopg://user:password@host/name, or "
            "sqlite for the embedded one; it is remembered. Others on this machine may see "
            "arguments: a password is better off in the variable.",
        ),
    ] = None,
) -> None:
    """Start HydraCore on this machine and return when all is ready."""
    import time  # noqa: PLC0415 - commands load what they need when they run

    from hydracore_cli.output import Reporter, describe_seconds, make_console  # noqa: PLC0415
    from hydracore_cli.signals import interrupt_when_told_to_end  # noqa: PLC0415
    from hydracore_cli.stack.options import StackOptions  # noqa: PLC0415
    from hydracore_cli.stack.summary import summary_lines  # noqa: PLC0415
    from hydracore_cli.stack.up import start_stack  # noqa: PLC0415

    interrupt_when_told_to_end()
    reporter = Reporter(make_console())
    layout = layout_of(state_dir)
    began = time.monotonic()
    started = start_stack(layout, StackOptions(api_port=api_port), reporter, database=database)
    if started.already:
        reporter.line("HydraCore is already up.")
    else:
        reporter.line(f"HydraCore is up ({describe_seconds(time.monotonic() - began)}).")
    for line in summary_lines(layout, started.record):
        reporter.line(line)


def down(
    state_dir: StateDir = DEFAULT_STATE_DIR,
    *,
    purge: Annotated[
        bool, typer.Option("--purge", help="Also remove the stack's data and keys.")
    ] = False,
) -> None:
    """Stop everything of the stack, local servers too; says what was stopped."""
    from hydracore_cli.output import Reporter, make_console  # noqa: PLC0415
    from hydracore_cli.stack.down import stop_stack  # noqa: PLC0415
    from hydracore_cli.stack.summary import stopped_lines  # noqa: PLC0415

    reporter = Reporter(make_console())
    layout = layout_of(state_dir)
    with reporter.stage("stopping"):
        stopped = stop_stack(layout, purge=purge)
    for line in stopped_lines(layout, stopped):
        reporter.line(line)
