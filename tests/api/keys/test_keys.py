"""What a key may know of itself, and how it is followed by another."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hydracore_api.auth.keys import Rotated, rotate_api_key
from tests.api.support.files import SECRET
from tests.api.support.world import World

CONTEXT = "/v1/mcp/api-key-context"
LIST = "/v1/instances"


async def test_a_key_reads_its_own_context(world: World) -> None:
    headers = await world.key(scopes=("instances:read",), admin=False, tenant_wide=True)
    (record,) = await world.history.keys.list("acme")
    answer = await world.call("GET", CONTEXT, headers=headers)
    assert answer.status_code == 200
    assert answer.json() == {
        "id": record.id,
        "name": "test",
        "prefix": headers["X-Api-Key"][:14],
        "tenant_id": "acme",
        "scopes": ["instances:read"],
        "admin": False,
        "tenant_wide": True,
        "created_at": "2030-05-01T12:00:00.000Z",
        "last_used_at": None,
        "expires_at": None,
    }
    assert headers["X-Api-Key"] not in answer.text
    assert record.key_hash not in answer.text


async def rotated(world: World, overlap: timedelta) -> Rotated | None:
    (old,) = await world.history.keys.list("acme")
    return await rotate_api_key(
        world.history, SECRET, old, overlap=overlap, created_by="tests", at=world.clock()
    )


async def test_a_rotated_key_works_for_the_overlap_and_its_successor_from_the_start(
    world: World,
) -> None:
    old = await world.key(scopes=("instances:read",), admin=False)
    found = await rotated(world, timedelta(hours=24))
    assert found is not None
    new = {"X-Api-Key": found.key}
    for headers in (old, new):
        assert (await world.call("GET", LIST, headers=headers)).status_code == 200
    told = (await world.call("GET", CONTEXT, headers=old)).json()
    assert told["expires_at"] == "2030-05-02T12:00:00.000Z"
    told = (await world.call("GET", CONTEXT, headers=new)).json()
    assert (told["scopes"], told["admin"], told["expires_at"]) == (["instances:read"], False, None)
    world.clock.forward(hours=24, seconds=-1)
    assert (await world.call("GET", LIST, headers=old)).status_code == 200
    # To the second, also for what stands in the cache.
    world.clock.forward(seconds=1)
    assert (await world.call("GET", LIST, headers=old)).status_code == 401
    assert (await world.call("GET", LIST, headers=new)).status_code == 200


async def test_without_an_overlap_the_old_key_ends_within_the_cache_time(world: World) -> None:
    old = await world.key()
    assert (await world.call("GET", LIST, headers=old)).status_code == 200
    assert await rotated(world, timedelta(0)) is not None
    world.clock.forward(seconds=6)
    assert (await world.call("GET", LIST, headers=old)).status_code == 401


@pytest.mark.parametrize("ended", ["revoked", "rotated"])
async def test_a_key_that_ends_gets_no_successor(world: World, ended: str) -> None:
    await world.key()
    (old,) = await world.history.keys.list("acme")
    if ended == "revoked":
        await world.history.keys.revoke(old.id, world.clock())
    else:
        await rotated(world, timedelta(hours=1))
    before = await world.history.keys.list("acme")
    again = await rotate_api_key(
        world.history, SECRET, old, overlap=timedelta(0), created_by="t", at=world.clock()
    )
    assert again is None
    assert await world.history.keys.list("acme") == before
