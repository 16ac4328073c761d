"""``hydracore rollouts …``."""

from __future__ import annotations

from typing import Annotated

import typer

from hydracore_cli.commands.options import StateDir
from hydracore_cli.stack.layout import DEFAULT_STATE_DIR, layout_of

app = typer.Typer(help="Look at rollouts.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keep `rollouts` a group, also while it has one command."""


@app.command()
def watch(
    name: Annotated[
        str | None, typer.Argument(help="Name of the Rollout; default: the newest.")
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            help="The tenant's namespace; default: the kubeconfig's or stack's.",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0, help="Stop watching after so many seconds; 0 never does.")
    ] = 0,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Show a rollout live until it ends; plain lines when the output is no terminal.

    Exit status 1 if the rollout failed, 2 if it is still under way after --timeout.
    """
    import asyncio  # noqa: PLC0415 - commands load what they need when they run

    from hydracore_cli.connection import open_cluster  # noqa: PLC0415
    from hydracore_cli.lookup import tenant_namespace  # noqa: PLC0415
    from hydracore_cli.output import make_console  # noqa: PLC0415
    from hydracore_cli.watch.watching import exit_status, watch_rollout  # noqa: PLC0415

    layout = layout_of(state_dir)
    where = tenant_namespace(layout, namespace)

    async def run() -> int:
        async with open_cluster(layout) as kube:
            view = await watch_rollout(
                kube, where, name, make_console(), timeout_seconds=timeout or None
            )
        return exit_status(view)

    raise typer.Exit(asyncio.run(run()))
