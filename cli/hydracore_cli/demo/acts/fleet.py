"""Act 1: five instances by REST and one by kubectl, from nothing to Ready."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import yaml
from rich import box
from rich.table import Table

from hydracore_cli.demo.labels import label_of
from hydracore_cli.demo.scene import TENANT, Scene, names
from hydracore_cli.demo.waiting import until
from hydracore_cli.errors import CliError
from hydracore_cli.output import describe_seconds
from hydracore_cli.stack.content import CLASS_NAME, REGION
from hydracore_crds import Instance, conditions
from hydracore_crds.base import API_VERSION, find

BY_REST = ("ada", "alan", "barbara", "edsger", "grace")
BY_KUBECTL = "linus"
READY_SECONDS = 240.0
KUBECTL_SECONDS = 30.0


async def play(scene: Scene) -> None:
    """Create six instances, wait until all are Ready, and ask each agent who it is."""
    scene.reporter.heading("A fleet: five instances by REST, one by kubectl")
    for agent_name in BY_REST:
        await _create_by_rest(scene, agent_name)
    await _create_by_kubectl(scene)
    fleet = await _wait_ready(scene)
    scene.reporter.console.print(_fleet_table(fleet))
    statuses = await scene.agents.statuses(fleet)
    wanted = scene.first.spec.artifact.sha256
    right = [
        name for name, status in statuses.items() if status.healthy and status.bundle_hash == wanted
    ]
    scene.check(
        f"six agents answer with proof of who they are and run {scene.first.spec.version}",
        holds=len(right) == len(BY_REST) + 1,
        found=names(right),
    )


async def _create_by_rest(scene: Scene, agent_name: str) -> None:
    answer = await scene.rest.post(
        "/v1/instances",
        {
            "tier_id": CLASS_NAME,
            "region_id": REGION,
            "agent_name": agent_name.capitalize(),
            "idempotency_key": f"demo-{agent_name}",
        },
    )
    scene.reporter.line(f"  POST /v1/instances  {agent_name}: {answer['instance_id']}")


async def _create_by_kubectl(scene: Scene) -> None:
    if scene.record.kubectl is None:
        raise CliError("no kubectl was found: put one on PATH")
    manifest = scene.layout.root / f"{BY_KUBECTL}.yaml"
    await asyncio.to_thread(_write_manifest, manifest)
    process = await asyncio.create_subprocess_exec(
        scene.record.kubectl,
        f"--kubeconfig={scene.record.kubeconfig}",
        "apply",
        "-f",
        str(manifest),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), KUBECTL_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise CliError(f"kubectl apply did not end within {KUBECTL_SECONDS:.0f} s") from None
    said = output.decode(errors="replace").strip()
    if process.returncode != 0:
        raise CliError(f"kubectl apply -f {manifest} failed: {said}")
    scene.reporter.line(f"  kubectl apply       {said}")


def _write_manifest(path: Path) -> None:
    instance = {
        "apiVersion": API_VERSION,
        "kind": Instance.KIND.kind,
        "metadata": {"name": BY_KUBECTL, "namespace": TENANT},
        "spec": {
            "className": CLASS_NAME,
            "regionId": REGION,
            "agentName": BY_KUBECTL.capitalize(),
        },
    }
    path.write_text(yaml.safe_dump(instance, sort_keys=False))


async def _wait_ready(scene: Scene) -> list[Instance]:
    """Return the fleet once every instance is Ready."""
    last = ""

    async def look() -> list[Instance] | None:
        nonlocal last
        fleet = await scene.instances()
        waiting = [f"{label_of(i)} {stage(i)}" for i in fleet if not is_ready(i)]
        last = ", ".join(waiting) or "all are ready"
        scene.reporter.update(last)
        complete = len(fleet) == len(BY_REST) + 1
        return fleet if complete and not waiting else None

    total = len(BY_REST) + 1
    with scene.reporter.stage(f"{total} instances from ordered to Ready", 15):
        return await until("all instances to be Ready", look, READY_SECONDS, lambda: last)


def is_ready(instance: Instance) -> bool:
    """Whether the instance's Ready condition is True."""
    found = find(instance.status.conditions, conditions.READY)
    return found is not None and found.status == "True"


def stage(instance: Instance) -> str:
    """Return how far the instance is, with what is wrong where something is."""
    status = instance.status
    if status.error_message:
        return f"{status.state} ({status.error_message})"
    return status.provisioning_stage or status.state or "new"


def _fleet_table(fleet: Sequence[Instance]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("Agent", "Instance", "Agent's address", "Ready after"):
        table.add_column(column)
    for instance in fleet:
        status = instance.status
        table.add_row(
            label_of(instance),
            instance.metadata.name,
            status.agent_url,
            _time_to_ready(instance),
        )
    return table


def _time_to_ready(instance: Instance) -> str:
    created, ready = instance.metadata.creation_timestamp, instance.status.ready_at
    if created is None or ready is None:
        return "unknown"
    return describe_seconds((ready - created).total_seconds())
