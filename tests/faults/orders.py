"""Instances ordered by hand, and the provider's own ledger of what became of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hydracore_cli.stack.content import CLASS_NAME, REGION
from hydracore_crds import Instance, ObjectMeta
from hydracore_crds.base import find
from hydracore_crds.instance import InstanceSpec
from hydracore_crds.names import INSTANCE_ID_LABEL
from hydracore_kube import NotFound
from hydracore_operator.providers.local.processes import members
from hydracore_operator.providers.local.record import ServerRecord, records
from tests.faults.fleet import READY_SECONDS, TENANT
from tests.faults.plane import Plane
from tests.faults.proxy import Call
from tests.faults.waiting import until

GONE_SECONDS = 60.0


async def order(plane: Plane, name: str, namespace: str = TENANT) -> Instance:
    """Create an Instance of the local class."""
    meta = ObjectMeta(name=name, namespace=namespace)
    spec = InstanceSpec(class_name=CLASS_NAME, region_id=REGION)
    return await plane.admin.create(Instance(metadata=meta, spec=spec))


async def ready(plane: Plane, name: str, namespace: str = TENANT) -> Instance:
    """Wait until an Instance is Ready."""

    async def look() -> Instance | None:
        plane.revive()
        found = await plane.admin.get(Instance, name, namespace)
        condition = find(found.status.conditions, "Ready")
        return found if condition is not None and condition.status == "True" else None

    what = f"{name} to be Ready"
    return await until(look, what, READY_SECONDS, every=0.2, state=plane.describe_operators)


async def absent(plane: Plane, name: str, namespace: str = TENANT) -> None:
    """Wait until an Instance is not there any more."""

    async def look() -> bool:
        plane.revive()
        try:
            await plane.admin.get(Instance, name, namespace)
        except NotFound:
            return True
        return False

    await until(look, f"{name} to be gone", GONE_SECONDS, state=plane.describe_operators)


def servers_of(plane: Plane, instance_id: str) -> list[tuple[Path, ServerRecord]]:
    """Return the servers that the provider has for this id: never more than one."""
    return [
        (folder, record)
        for folder, record in records(plane.layout.servers)
        if record.labels.get(INSTANCE_ID_LABEL) == instance_id
    ]


def server_of(plane: Plane, instance_id: str) -> ServerRecord:
    """Return the one server of this id; its processes run."""
    ((_, record),) = servers_of(plane, instance_id)
    assert members(record)
    return record


async def server_gone(plane: Plane, record: ServerRecord) -> None:
    """Wait until neither a folder nor a process is left of a server."""

    def look() -> bool:
        known = {found.id for _, found in records(plane.layout.servers)}
        return record.id not in known and not members(record)

    what = f"the server {record.name} to be gone"
    await until(look, what, GONE_SECONDS, every=0.2, state=plane.describe_operators)


def stores_the_server(name: str) -> Callable[[Call], bool]:
    """Match the write by which an operator stores the id of an Instance's server."""
    path = f"/namespaces/{TENANT}/instances/{name}/status"
    return lambda call: call.path.endswith(path) and b"serverId" in call.body
