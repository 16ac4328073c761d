"""Act 5: one instance is deleted, and nothing of it is left on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hydracore_cli.demo.labels import label_of
from hydracore_cli.demo.scene import TENANT, Scene
from hydracore_cli.demo.waiting import until
from hydracore_crds import Instance
from hydracore_kube import NotFound
from hydracore_operator.providers.local.processes import members

GONE_SECONDS = 60.0
NOT_FOUND = 404


async def play(scene: Scene) -> None:
    """Delete the last instance by REST and look for its processes, port and folder."""
    scene.reporter.heading("One instance is deleted")
    instance = (await scene.instances())[-1]
    folder, record = scene.agents.server(instance)
    processes = members(record)
    numbers = ", ".join(str(pid) for pid in processes)
    scene.reporter.line(
        f"  {label_of(instance)}: processes {numbers}, port {record.port}, folder {folder.name}"
    )
    path = f"/v1/instances/{instance.spec.id}"
    answer = await scene.rest.delete(path)
    scene.reporter.line(f"  DELETE {path}: {answer['message']}")
    with scene.reporter.stage("deletion", 5):
        await until("the Instance to be gone", lambda: _gone(scene, instance), GONE_SECONDS)
    left = members(record)
    listens = await _listens(record.host, record.port)
    exists = await asyncio.to_thread(_exists, folder)
    status = await scene.rest.status_of(path)
    scene.check(
        "of the deleted instance no process, port or folder is left, and REST answers 404",
        holds=bool(processes) and not (left or listens or exists) and status == NOT_FOUND,
        found=f"processes {left or 'none'}, port {'taken' if listens else 'free'}, "
        f"folder {'there' if exists else 'gone'}, GET {status}",
    )


async def _gone(scene: Scene, instance: Instance) -> bool | None:
    try:
        await scene.kube.get(Instance, instance.metadata.name, TENANT)
    except NotFound:
        return True
    return None


async def _listens(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


def _exists(folder: Path) -> bool:
    return folder.exists()
