"""``hydracore rollouts …``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hydracore_cli.commands.options import StateDir
from hydracore_cli.stack.layout import DEFAULT_STATE_DIR, layout_of

app = typer.Typer(help="Plan, watch, approve and take back rollouts.", no_args_is_help=True)

NOT_APPROVED = 2

Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace", "-n", help="The tenant's namespace; default: the kubeconfig's or stack's."
    ),
]


@app.command()
def watch(
    name: Annotated[
        str | None, typer.Argument(help="Name of the Rollout; default: the newest.")
    ] = None,
    namespace: Namespace = None,
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


@app.command()
def plan(
    name: Annotated[str | None, typer.Argument(help="Name of a Rollout that exists.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Manifest of one that does not; - reads stdin."),
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
    namespace: Namespace = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Show what a rollout will do, with nothing created: the very plan that will run."""
    import asyncio  # noqa: PLC0415 - commands load what they need when they run

    from hydracore_cli.connection import open_cluster  # noqa: PLC0415
    from hydracore_cli.lookup import tenant_namespace  # noqa: PLC0415
    from hydracore_cli.output import make_console  # noqa: PLC0415
    from hydracore_cli.rollouts import plan as plans  # noqa: PLC0415
    from hydracore_cli.rollouts.plan_text import plan_text  # noqa: PLC0415
    from hydracore_core.rollouts.preview_model import RolloutPreview  # noqa: PLC0415

    if (name is None) == (file is None):
        raise typer.BadParameter("give the NAME of a Rollout, or a manifest with --file")
    if output not in {"table", "json"}:
        raise typer.BadParameter("--output is table or json")
    layout = layout_of(state_dir)
    manifest = plans.read_file(file) if file is not None else None
    inside = manifest["metadata"].get("namespace") if manifest is not None else None
    where = tenant_namespace(layout, namespace or inside)

    async def run() -> RolloutPreview:
        async with open_cluster(layout) as kube:
            if manifest is not None:
                return await plans.of_manifest(kube, where, manifest)
            return await plans.of_existing(kube, where, name or "")

    found = asyncio.run(run())
    if output == "json":
        typer.echo(found.model_dump_json(indent=2))
    else:
        make_console().print(plan_text(found))


@app.command()
def approve(
    name: Annotated[str, typer.Argument(help="Name of the Rollout.")],
    token: Annotated[
        str | None,
        typer.Argument(help="What is approved, <wave>@<plan>; without it, it is only shown."),
    ] = None,
    namespace: Namespace = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Let a rollout go on to its next wave; without TOKEN show what that would mean.

    Exit status 2 if nothing was approved because there was no TOKEN.
    """
    import asyncio  # noqa: PLC0415 - commands load what they need when they run

    from hydracore_cli.connection import open_cluster  # noqa: PLC0415
    from hydracore_cli.lookup import tenant_namespace  # noqa: PLC0415
    from hydracore_cli.rollouts import approve as approvals  # noqa: PLC0415

    layout = layout_of(state_dir)
    where = tenant_namespace(layout, namespace)

    async def run() -> list[str]:
        async with open_cluster(layout) as kube:
            if token is None:
                return await approvals.describe(kube, where, name)
            return [await approvals.approve(kube, where, name, token)]

    for line in asyncio.run(run()):
        typer.echo(line)
    raise typer.Exit(0 if token is not None else NOT_APPROVED)


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="Name of the Rollout.")],
    namespace: Namespace = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Take back what a rollout has updated; there is no way back from it but a new rollout."""
    import asyncio  # noqa: PLC0415 - commands load what they need when they run

    from hydracore_cli.connection import open_cluster  # noqa: PLC0415
    from hydracore_cli.lookup import tenant_namespace  # noqa: PLC0415
    from hydracore_cli.rollouts import rollback as rollbacks  # noqa: PLC0415

    layout = layout_of(state_dir)
    where = tenant_namespace(layout, namespace)

    async def run() -> str:
        async with open_cluster(layout) as kube:
            return await rollbacks.rollback(kube, where, name)

    typer.echo(asyncio.run(run()))
