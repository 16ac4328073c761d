"""Reads a rollout again and again and shows it until it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live

from hydracore_cli.errors import CliError
from hydracore_cli.watch.render import changes, summary, table
from hydracore_cli.watch.view import RolloutView, make_view
from hydracore_crds.rollout import Rollout
from hydracore_crds.rollout_target import RolloutTarget
from hydracore_kube import KubeClient, NotFound, Unavailable

POLL_SECONDS = 0.5
AWAY_SECONDS = 60.0
"""How long the API server may be away before watching ends."""
Until = Callable[[RolloutView], bool]


async def read_view(
    kube: KubeClient, namespace: str, name: str, labels: Mapping[str, str] | None = None
) -> RolloutView:
    """Return the rollout as it is now; ``labels`` says what people call the instances.

    Raises:
        CliError: there is no such rollout.
        KubeError: the API server refuses or is away.
    """
    try:
        rollout = await kube.get(Rollout, name, namespace)
    except NotFound:
        raise CliError(
            f"there is no Rollout {name} in namespace {namespace}: see `kubectl -n {namespace} "
            "get rollouts`"
        ) from None
    targets, _ = await kube.list(
        RolloutTarget, namespace, field_selector=f"spec.rolloutName={name}"
    )
    return make_view(rollout, targets, datetime.now(UTC), labels)


async def newest_rollout(kube: KubeClient, namespace: str) -> str:
    """Return the name of the namespace's newest rollout.

    Raises:
        CliError: there is none.
    """
    rollouts, _ = await kube.list(Rollout, namespace)
    if not rollouts:
        raise CliError(
            f"namespace {namespace} has no Rollout yet: start one by REST (POST "
            "/v1/instances/fleet/runtime/rollout) or with kubectl"
        )
    epoch = datetime.fromtimestamp(0, UTC)
    newest = max(rollouts, key=lambda rollout: rollout.metadata.creation_timestamp or epoch)
    return newest.metadata.name


async def watch_rollout(
    kube: KubeClient,
    namespace: str,
    name: str | None,
    console: Console,
    *,
    timeout_seconds: float | None = None,
    until: Until = lambda view: view.final,
    before: RolloutView | None = None,
    labels: Mapping[str, str] | None = None,
) -> RolloutView:
    """Show the rollout until the condition holds, and return its last view.

    Args:
        kube: Who to ask.
        namespace: The tenant's namespace.
        name: The rollout; None for the newest.
        console: A live table on a terminal, else a line for everything that happens.
        timeout_seconds: Return after this time at the latest; None for no limit.
        until: When to stop; the default is the rollout's end.
        before: What was shown already, by an earlier call.
        labels: What people call the instances, by their names.

    Raises:
        CliError: there is no such rollout.
        KubeError: the API server refuses, or was away for too long.
    """
    name = name or await newest_rollout(kube, namespace)
    deadline = time.monotonic() + timeout_seconds if timeout_seconds is not None else None
    with Live(console=console, auto_refresh=False) as live:
        while True:
            view = await _read_patiently(kube, namespace, name, labels)
            show(live, before, view)
            before = view
            if until(view) or (deadline is not None and time.monotonic() > deadline):
                break
            await asyncio.sleep(POLL_SECONDS)
    if not console.is_terminal:
        console.print(f"  {summary(view)}", markup=False)
    return view


async def _read_patiently(
    kube: KubeClient, namespace: str, name: str, labels: Mapping[str, str] | None
) -> RolloutView:
    """Read the view; the API server may restart under a watch that goes on for hours."""
    deadline = time.monotonic() + AWAY_SECONDS
    while True:
        try:
            return await read_view(kube, namespace, name, labels)
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(POLL_SECONDS)


def show(live: Live, before: RolloutView | None, view: RolloutView) -> None:
    """Draw the table, or print what changed where there is no terminal."""
    if live.console.is_terminal:
        live.update(table(view), refresh=True)
        return
    for line in changes(before, view):
        live.console.print(f"  {datetime.now(UTC):%H:%M:%S} {line}", markup=False)


def exit_status(view: RolloutView) -> int:
    """Return the command's exit status: 0 succeeded, 1 ended otherwise, 2 not ended."""
    if not view.final:
        return 2
    return 0 if view.state == "succeeded" else 1
