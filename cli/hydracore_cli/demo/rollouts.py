"""Publishing a runtime and rolling it out by REST, as all acts do it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from hydracore_artifacts.build.runtime import RuntimeRequest
from hydracore_cli.demo.labels import label_of
from hydracore_cli.demo.scene import TENANT, Scene
from hydracore_cli.demo.waiting import until
from hydracore_cli.errors import CliError
from hydracore_cli.output import describe_seconds
from hydracore_cli.stack.content import build_and_publish, wait_verified
from hydracore_cli.watch.view import RolloutView
from hydracore_cli.watch.watching import Until, watch_rollout
from hydracore_crds.bundle import Bundle
from hydracore_crds.rollout import Rollout

WATCH_SECONDS = 300.0
SEEN_SECONDS = 30.0
ROLLOUTS = "/v1/instances/fleet/runtime/rollouts"
TIMELINES = "/v1/instances/fleet/runtime-rollouts"


@dataclass(frozen=True, slots=True)
class StartedRollout:
    """A rollout started by REST: its id there and its name in the cluster."""

    id: str
    name: str


async def publish(scene: Scene, version: str, plugin: Path, changelog: str) -> Bundle:
    """Build, sign and publish a runtime with a plugin; return it once the operator verified it."""
    with scene.reporter.stage(f"runtime {version}: built, signed, published, verified", 3):
        built = await build_and_publish(
            scene.layout,
            scene.kube,
            scene.store,
            RuntimeRequest(version, plugins=(plugin,)),
            changelog,
        )
        bundle = await wait_verified(scene.kube, built.metadata.name)
    artifact = bundle.spec.artifact
    scene.reporter.line(
        f"       {bundle.metadata.name}: {artifact.size_bytes} bytes, sha256 {artifact.sha256}, "
        f"signed with key {bundle.spec.signature.key_id}"
    )
    return bundle


async def start(scene: Scene) -> StartedRollout:
    """Start a fleet rollout of the newest runtime by REST."""
    answer = await scene.rest.post("/v1/instances/fleet/runtime/rollout")
    scene.reporter.line(
        f"  POST /v1/instances/fleet/runtime/rollout: {answer['message']} "
        f"(enqueued {answer['enqueued']}, skipped {answer['skipped']})"
    )
    if not answer["tasks"]:
        raise CliError(f"the rollout has no targets: {answer['message']}")
    rollout_id = str(answer["tasks"][0]["rollout_id"])
    return StartedRollout(rollout_id, await _name_of(scene, rollout_id))


async def watch(
    scene: Scene,
    rollout: StartedRollout,
    condition: Until,
    waiting_for: str,
    before: RolloutView | None = None,
) -> RolloutView:
    """Show the rollout live until the condition holds.

    Raises:
        CliError: it did not within the time.
    """
    view = await watch_rollout(
        scene.kube,
        TENANT,
        rollout.name,
        scene.reporter.console,
        timeout_seconds=WATCH_SECONDS,
        until=condition,
        before=before,
        labels=await scene.labels(),
    )
    if not condition(view):
        raise CliError(
            f"waited {WATCH_SECONDS:.0f} s for {waiting_for}; the rollout is {view.state}, "
            f"{view.counts}: {view.halt_reason or view.message}"
        )
    return view


async def show_timeline(scene: Scene, rollout: StartedRollout) -> None:
    """Print the rollout's timeline with each target's duration, as REST tells it."""
    found = await scene.rest.get(f"{TIMELINES}/{rollout.id}/timeline")
    table = Table(box=box.SIMPLE_HEAD, title=None)
    labels = {str(i.spec.id): label_of(i) for i in await scene.instances()}
    for column in ("Agent", "Started", "Took", "Status", "Result", "Error"):
        table.add_column(column, overflow="fold")
    for row in found["timeline"]:
        took = row.get("duration_seconds")
        table.add_row(
            labels.get(str(row["instance_id"]), str(row["instance_hostname"])),
            _clock(row.get("started_at")),
            describe_seconds(float(took)) if took is not None else "-",
            str(row["status"]),
            str(row.get("last_result_status") or ""),
            Text(str(row.get("error_message") or "")),
        )
    scene.reporter.console.print(table)
    total = found.get("total_duration_seconds")
    if total is not None:
        scene.reporter.line(
            f"  {found['total_targets']} targets, {describe_seconds(float(total))} from the first "
            "start to the last end"
        )


def _clock(text: Any) -> str:
    return f"{datetime.fromisoformat(text):%H:%M:%S}" if isinstance(text, str) else "-"


async def _name_of(scene: Scene, rollout_id: str) -> str:
    async def look() -> str | None:
        found, _ = await scene.kube.list(Rollout, TENANT)
        return next((r.metadata.name for r in found if r.metadata.uid == rollout_id), None)

    return await until(f"Rollout {rollout_id} in the cluster", look, SEEN_SECONDS)
