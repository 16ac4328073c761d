"""Rotating an agent's key: it ends at once, and another is issued once."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from hydracore_api.auth.agents import hash_token
from hydracore_api.instances.lookup import NOT_FOUND
from hydracore_crds import Instance
from hydracore_crds.names import WAKE_ANNOTATION
from tests.api.support.world import World

TOKEN = "hcb_" + "t" * 43
IDENTITY, ANOTHER = "A" * 43 + "=", "B" * 43 + "="


@pytest.fixture
async def instance(world: World) -> Instance:
    found = world.instance("one")
    assert found.spec.id is not None
    await world.history.credentials.arm(
        found.spec.id, namespace="acme", name="one", token_hash=hash_token(TOKEN)
    )
    return found


async def rotate(world: World, id_: str | None) -> httpx.Response:
    return await world.call("POST", f"/v1/instances/admin/{id_}/rotate-key")


async def enrol(world: World, id_: str | None, identity: str = IDENTITY) -> httpx.Response:
    body = {"instance_id": id_, "public_key": identity}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return await world.call("POST", "/agent/v1/secrets", headers=headers, json=body)


def key_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    (key,) = (value for value in found.values() if str(value).startswith("hca_"))
    return str(key)


async def beat(world: World, id_: str | None, key: str) -> int:
    body = {"instance_id": id_, "uptime_seconds": 1, "health_status": "healthy", "versions": {}}
    headers = {"Authorization": f"Bearer {key}"}
    answer = await world.call("POST", "/agent/v1/heartbeat", headers=headers, json=body)
    assert answer.status_code in {200, 401}, answer.text
    return answer.status_code


async def test_the_old_key_ends_and_a_new_one_is_issued_once(
    world: World, instance: Instance
) -> None:
    id_ = instance.spec.id
    old = key_of(await enrol(world, id_))
    assert await beat(world, id_, old) == 200
    assert (await enrol(world, id_)).status_code == 401, "the token ended with the first heartbeat"
    answer = await rotate(world, id_)
    assert (answer.status_code, answer.json()) == (200, {"instance_id": id_, "status": "rotated"})
    assert await beat(world, id_, old) == 401
    new = key_of(await enrol(world, id_))
    assert (await enrol(world, id_)).status_code == 409
    assert new != old
    assert await beat(world, id_, new) == 200
    assert (await enrol(world, id_)).status_code == 401


async def test_asking_twice_is_asking_once(world: World, instance: Instance) -> None:
    id_ = instance.spec.id
    key_of(await enrol(world, id_))
    assert (await rotate(world, id_)).content == (await rotate(world, id_)).content
    key_of(await enrol(world, id_))


async def test_a_heartbeat_of_the_old_key_on_its_way_does_not_end_the_token(
    world: World, instance: Instance
) -> None:
    id_ = str(instance.spec.id)
    old = key_of(await enrol(world, id_))
    assert (await rotate(world, id_)).status_code == 200
    await world.history.credentials.disarm(id_, world.clock(), key_hash=hash_token(old))
    key_of(await enrol(world, id_))


async def test_the_operator_hears_of_another_identity_only(
    world: World, instance: Instance
) -> None:
    id_ = instance.spec.id
    key_of(await enrol(world, id_))
    await rotate(world, id_)
    key_of(await enrol(world, id_))
    assert not world.kube.called("patch", Instance)
    await rotate(world, id_)
    key_of(await enrol(world, id_, ANOTHER))
    (stored,) = world.kube.of(Instance)
    assert stored.metadata.annotations[WAKE_ANNOTATION].startswith("identity-")


async def test_without_a_server_there_is_nothing_to_rotate(world: World) -> None:
    answer = await rotate(world, world.instance("young", status={}).spec.id)
    assert answer.status_code == 409
    assert "no server yet" in answer.json()["detail"]


async def test_one_that_is_being_deleted_keeps_its_end(world: World, instance: Instance) -> None:
    await world.call("DELETE", f"/v1/instances/{instance.spec.id}")
    assert (await rotate(world, instance.spec.id)).status_code == 409


async def test_another_tenants_is_as_an_unknown_one(world: World) -> None:
    theirs = await rotate(world, world.instance("theirs", "other").spec.id)
    unknown = await rotate(world, str(uuid.uuid4()))
    assert (theirs.status_code, theirs.content) == (unknown.status_code, unknown.content)
    assert (unknown.status_code, unknown.json()) == (404, {"detail": NOT_FOUND})


async def test_only_admins(world: World, instance: Instance) -> None:
    key = await world.key(admin=False)
    path = f"/v1/instances/admin/{instance.spec.id}/rotate-key"
    assert (await world.call("POST", path, headers=key)).status_code == 403
