"""What the object store has of an Instance goes with it: on a folder and on a real S3 server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hydracore_artifacts.instances import InstanceArtifacts
from hydracore_artifacts.store import ArtifactStore
from hydracore_crds import Instance
from hydracore_crds.names import FINALIZER
from hydracore_kube import NotFound
from tests.operator.instances.world import World, reason
from tests.support.s3.server import S3Server

pytestmark = pytest.mark.cluster

OTHER = "0d5f4a1c-5b7e-4c7e-9a53-3f1f6f0f8b11"
NUMBER = 1203


@pytest.fixture(params=["folder", "s3"])
def stored(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> InstanceArtifacts:
    """The artifacts that the operator sees."""
    if request.param == "folder":
        store = ArtifactStore((tmp_path / "artifacts").as_uri())
    else:
        server: S3Server = request.getfixturevalue("s3")
        store = ArtifactStore(f"s3://{server.bucket()}/cluster", server.access)
    world.artifacts.instances = store.instances
    return store.instances


async def fill(stored: InstanceArtifacts, instance_id: str, number: int) -> None:
    for begin in range(0, number, 50):
        names = [f"logs/{index}" for index in range(begin, min(begin + 50, number))]
        await asyncio.gather(*(stored.put(instance_id, name, b"x") for name in names))


async def count(stored: InstanceArtifacts, instance_id: str) -> int:
    return len([one async for one in stored.objects(instance_id)])


async def gone(world: World) -> bool:
    try:
        await world.instance("ada")
    except NotFound:
        return True
    return False


async def test_all_of_it_goes_and_nothing_of_others(
    world: World, stored: InstanceArtifacts
) -> None:
    """More than S3 lists in one answer, and killed in between."""
    instance_id = (await world.ready()).spec.id or ""
    await fill(stored, instance_id, NUMBER)
    await fill(stored, OTHER, 3)
    await world.admin.delete(Instance, "ada", world.namespace)
    real, killed = stored._delete, []

    async def once(keys: list[str]) -> None:
        if killed:
            raise asyncio.CancelledError
        await real(keys)
        killed.append(len(keys))

    stored._delete = once  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await world.once("ada")
    left = await count(stored, instance_id)
    assert 0 < left < NUMBER
    assert FINALIZER in (await world.instance("ada")).metadata.finalizers
    assert await world.ctx.history.tombstones.get(instance_id) is None

    stored._delete = real  # type: ignore[method-assign]
    world.restart()
    await world.once("ada")
    assert await gone(world)
    assert await count(stored, instance_id) == 0
    assert await count(stored, OTHER) == 3
    assert await world.ctx.history.tombstones.get(instance_id) is not None


async def test_one_with_another_s_id_takes_nothing_along(
    world: World, stored: InstanceArtifacts
) -> None:
    instance_id = (await world.ready()).spec.id or ""
    await fill(stored, instance_id, 2)
    await world.create("eve", id=instance_id)
    await world.once("eve")
    assert reason(await world.instance("eve")) == "DuplicateId"
    await world.admin.delete(Instance, "eve", world.namespace)
    await world.once("eve")
    with pytest.raises(NotFound):
        await world.instance("eve")
    assert await count(stored, instance_id) == 2


async def test_while_the_store_is_away_it_waits_and_says_so(world: World, own_s3: S3Server) -> None:
    stored = ArtifactStore(f"s3://{own_s3.bucket()}", own_s3.access).instances
    world.artifacts.instances = stored
    instance_id = (await world.ready()).spec.id or ""
    await fill(stored, instance_id, 2)
    await world.admin.delete(Instance, "ada", world.namespace)
    own_s3.stop()
    for _ in range(2):
        await world.once("ada")
    waiting = await world.instance("ada")
    assert FINALIZER in waiting.metadata.finalizers
    assert (waiting.status.state, reason(waiting)) == ("deleting", "StoreUnavailable")
    said = waiting.status.error_message or ""
    assert "its artifacts are not deleted yet" in said
    assert "the connection was refused" in said
    assert own_s3.credentials.access_key_id not in waiting.model_dump_json()
    assert world.provider.servers == {}, "the server does not wait for the store"
    assert await world.ctx.history.tombstones.get(instance_id) is None
    own_s3.start()
    await world.once("ada")
    assert await gone(world)
    assert await count(stored, instance_id) == 0
