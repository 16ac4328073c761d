"""Deletion on the real API server: no server without an owner, nothing forgotten too early."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
import pytest

from hydracore_crds import Instance, RolloutTarget
from hydracore_crds.names import FINALIZER, TENANT_LABEL
from hydracore_kube import NotFound
from hydracore_operator.providers.errors import AuthError
from tests.operator.instances.world import World, reason, server_id

pytestmark = pytest.mark.cluster


async def gone(world: World, name: str = "ada") -> bool:
    try:
        await world.instance(name)
    except NotFound:
        return True
    return False


async def test_deletion_removes_the_server_and_leaves_a_tombstone(world: World) -> None:
    seen = await world.ready()
    instance_id = seen.spec.id or ""
    await world.admin.delete(Instance, "ada", world.namespace)
    await world.once("ada")
    assert await gone(world)
    assert world.provider.servers == {}
    history = world.ctx.history
    stone = await history.tombstones.get(instance_id)
    assert stone is not None
    assert (stone.tenant_id, stone.name) == (world.namespace, "ada")
    assert stone.snapshot["spec"]["id"] == instance_id
    assert stone.snapshot["status"]["provider"]["serverId"] == server_id(seen)
    assert "hcb_" not in json.dumps(stone.snapshot)
    assert await history.credentials.get(instance_id) is None
    assert await history.health.get(instance_id) is None
    log = await history.provision_log.list(instance_id)
    assert log[-1].message == "deleted: its server is gone"


async def test_a_server_whose_id_was_never_stored_is_found_by_label(world: World) -> None:
    world.provider.lose_replies = 1
    made = await world.create()
    await world.once("ada")
    await world.once("ada")
    assert len(world.provider.of(made.metadata.uid)) == 1
    assert server_id(await world.instance("ada")) is None
    await world.admin.delete(Instance, "ada", world.namespace)
    await world.once("ada")
    assert await gone(world)
    assert world.provider.servers == {}


async def test_before_anything_was_ordered(world: World) -> None:
    await world.create(className="no-such-class")
    await world.once("ada")
    await world.admin.delete(Instance, "ada", world.namespace)
    await world.once("ada")
    assert await gone(world)
    assert world.provider.count("delete") == 0


async def test_a_server_that_is_gone_already_does_not_hold_it(world: World) -> None:
    await world.ready()
    world.provider.servers.clear()
    await world.admin.delete(Instance, "ada", world.namespace)
    await world.once("ada")
    assert await gone(world)


async def test_refused_credentials_keep_the_finalizer_and_say_why(world: World) -> None:
    seen = await world.ready()
    await world.admin.delete(Instance, "ada", world.namespace)
    world.provider.fail_next("delete", AuthError("token refused"), AuthError("token refused"))
    await world.once("ada")
    waiting = await world.instance("ada")
    assert FINALIZER in waiting.metadata.finalizers
    assert (waiting.status.state, reason(waiting)) == ("deleting", "ProviderUnauthorized")
    assert "token refused" in (waiting.status.error_message or "")
    await world.once("ada")
    again = await world.instance("ada")
    assert again.metadata.resource_version == waiting.metadata.resource_version
    assert await world.ctx.history.tombstones.get(seen.spec.id or "") is None
    await world.once("ada")
    assert await gone(world)
    assert world.provider.servers == {}


@asynccontextmanager
async def locked(world: World) -> AsyncIterator[None]:
    """Hold the database's write lock, as a backup tool gone wild would."""
    path = world.ctx.settings.database_url.removeprefix("sqlite+aiosqlite:///")
    async with aiosqlite.connect(path) as lock:
        await lock.execute("BEGIN EXCLUSIVE")
        yield
        await lock.rollback()


async def test_without_sql_it_waits(world: World) -> None:
    await world.ready()
    await world.admin.delete(Instance, "ada", world.namespace)
    async with locked(world):
        await world.once("ada")
        waiting = await world.instance("ada")
        assert reason(waiting) == "HistoryUnavailable"
        assert FINALIZER in waiting.metadata.finalizers
    assert world.provider.servers == {}
    await world.once("ada")
    assert await gone(world)


async def test_a_push_is_stopped_first_but_not_waited_for_without_end(world: World) -> None:
    seen = await world.ready()
    await put_target(world, seen)
    await world.admin.delete(Instance, "ada", world.namespace)
    await world.once("ada")
    waiting = await world.instance("ada")
    assert reason(waiting) == "PushInProgress"
    assert len(world.provider.servers) == 1
    world.later(seconds=62)
    await world.once("ada")
    assert await gone(world)
    assert world.provider.servers == {}


async def put_target(world: World, instance: Instance) -> None:
    body: dict[str, Any] = {
        "metadata": {"name": "push-00000", "namespace": world.namespace},
        "spec": {
            "rolloutName": "push",
            "instanceName": "ada",
            "instanceId": instance.spec.id,
            "bundleHash": world.digest,
            "order": 0,
        },
    }
    await world.admin.create(RolloutTarget.model_validate(body))
    status = {"status": {"state": "in_progress"}}
    await world.admin.patch(
        RolloutTarget, "push-00000", world.namespace, status, subresource="status"
    )


async def test_finalizer_stripped_by_hand_comes_back(world: World) -> None:
    await world.ready()
    await world.admin.patch(Instance, "ada", world.namespace, {"metadata": {"finalizers": None}})
    await world.once("ada")
    assert (await world.instance("ada")).metadata.finalizers == [FINALIZER]


async def test_a_foreign_finalizer_is_left_on(world: World) -> None:
    await world.ready()
    both = {"metadata": {"finalizers": [FINALIZER, "example.com/backup"]}}
    await world.admin.patch(Instance, "ada", world.namespace, both)
    await world.admin.delete(Instance, "ada", world.namespace)
    await world.once("ada")
    left = await world.instance("ada")
    assert left.metadata.finalizers == ["example.com/backup"]
    calls = len(world.provider.calls)
    await world.once("ada")
    assert len(world.provider.calls) == calls
    await world.admin.patch(Instance, "ada", world.namespace, {"metadata": {"finalizers": None}})
    assert await gone(world)


async def test_a_deleted_namespace_goes_with_all_its_servers(world: World) -> None:
    world.namespace += "-x"  # the fixture's own is removed by the fixture
    place = f"/api/v1/namespaces/{world.namespace}"
    labels = {TENANT_LABEL: world.namespace}
    await world.admin.create_raw(
        "/api/v1/namespaces", {"metadata": {"name": world.namespace, "labels": labels}}
    )
    await world.publish()
    await world.sell()
    names = [f"i{number}" for number in range(6)]
    for name in names[:4]:
        await world.ready(name)
    for name in names[4:]:  # caught in the middle of being ordered
        await world.create(name)
        await world.once(name)
    await world.admin.delete_raw(place)
    await asyncio.gather(*(until_gone(world, name) for name in names))
    assert world.provider.servers == {}
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            await world.admin.get_raw(place)
        except NotFound:
            return
        await asyncio.sleep(0.2)
    pytest.fail("the namespace is still there")


async def until_gone(world: World, name: str) -> None:
    """Reconcile until the Instance is gone; the namespace controller deletes it in its time."""
    deadline = time.monotonic() + 30
    while not await gone(world, name):
        assert time.monotonic() < deadline, f"{name} is still there"
        await world.once(name)
        await asyncio.sleep(0.1)
