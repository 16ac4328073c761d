"""``hydracore platform …``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hydracore_cli.commands.options import StateDir
from hydracore_cli.stack.layout import DEFAULT_STATE_DIR, layout_of

if TYPE_CHECKING:
    from hydracore_kube import KubeClient

T = TypeVar("T")

app = typer.Typer(
    help="Freeze all tenants, or bound what is in flight over all of them.", no_args_is_help=True
)


@app.command()
def show(state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Show whether the platform is frozen and why, the cap, and what is in flight."""
    from datetime import UTC, datetime  # noqa: PLC0415 - commands load what they need when they run

    from hydracore_cli.platform import policy  # noqa: PLC0415

    for line in _run(state_dir, lambda kube: policy.show(kube, datetime.now(UTC))):
        typer.echo(line)


@app.command()
def freeze(
    reason: Annotated[str, typer.Option(help="Why; all tenants read it.")],
    until: Annotated[
        str | None,
        typer.Option(help="When it ends by itself (RFC 3339); default: when it is taken away."),
    ] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Let no update start in any tenant; what is in flight ends normally."""
    from datetime import UTC, datetime  # noqa: PLC0415 - commands load what they need when they run

    from hydracore_cli.platform import policy  # noqa: PLC0415

    if not 1 <= len(reason) <= 512:  # noqa: PLR2004 - the definition's own bounds
        raise typer.BadParameter("--reason needs 1 to 512 characters")
    ends = policy.read_time(until) if until is not None else None
    now = datetime.now(UTC)
    typer.echo(_run(state_dir, lambda kube: policy.freeze(kube, reason, ends, now)))


@app.command()
def unfreeze(state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Take the freeze away."""
    from hydracore_cli.platform import policy  # noqa: PLC0415 - as above

    typer.echo(_run(state_dir, policy.unfreeze))


@app.command()
def cap(
    limit: Annotated[
        int | None, typer.Argument(min=1, max=10_000, help="How many may be in flight at once.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Take the cap away.")] = False,  # noqa: FBT002
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Bound how many updates are in flight over all tenants, or with --none do not."""
    from hydracore_cli.platform import policy  # noqa: PLC0415 - as above

    if (limit is None) == (not none):
        raise typer.BadParameter("give a number, or --none")
    typer.echo(_run(state_dir, lambda kube: policy.cap(kube, limit)))


def _run(state_dir: Path, work: Callable[[KubeClient], Awaitable[T]]) -> T:
    """Do something with the cluster that the kubeconfig names."""
    import asyncio  # noqa: PLC0415 - as above

    from hydracore_cli.connection import open_cluster  # noqa: PLC0415

    async def run() -> T:
        async with open_cluster(layout_of(state_dir)) as kube:
            return await work(kube)

    return asyncio.run(run())
