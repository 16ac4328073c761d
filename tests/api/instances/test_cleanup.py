"""Cleaning up broken instances."""

from __future__ import annotations

from typing import Any

import pytest

from hydracore_crds import Instance
from hydracore_kube import Forbidden, NotFound
from tests.api.support.world import RUNNING, World

CLEANUP = "/v1/instances/cleanup"


def broken(state: str) -> dict[str, Any]:
    return RUNNING | {"state": state}


async def cleaned(world: World) -> tuple[int, int]:
    answer = await world.call("POST", CLEANUP)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["message"]
    return found["cleaned"], found["errors"]


def alive(world: World) -> set[str]:
    return {one.metadata.name for one in world.kube.of(Instance) if not one.deleting}


async def test_what_failed_is_deleted_and_all_else_stays(world: World) -> None:
    world.instance("error", status=broken("error"))
    world.instance("failed", status=broken("failed"))
    world.instance("running")
    world.instance("young", status={})
    world.instance("theirs", "other", status=broken("error"))
    assert await cleaned(world) == (2, 0)
    assert alive(world) == {"running", "young", "theirs"}


async def test_again_there_is_nothing_to_do(world: World) -> None:
    world.instance("error", status=broken("error"))
    assert await cleaned(world) == (1, 0)
    assert await cleaned(world) == (0, 0)
    assert world.kube.called("delete", Instance) == 1


async def test_one_that_recovers_just_now_stays(world: World) -> None:
    world.instance("lucky", status=broken("error"))
    recovery = {"status": {"state": "running"}}
    world.kube.before_delete.append(lambda: world.kube.change(Instance, "lucky", "acme", recovery))
    assert await cleaned(world) == (0, 0)
    assert alive(world) == {"lucky"}


async def test_one_that_is_written_meanwhile_is_tried_again(world: World) -> None:
    world.instance("busy", status=broken("error"))
    world.kube.before_delete.append(
        lambda: world.kube.change(Instance, "busy", "acme", {"status": {"errorMessage": "still"}})
    )
    assert await cleaned(world) == (1, 0)
    assert alive(world) == set()


async def test_a_refusal_is_counted_and_the_others_go_on(world: World) -> None:
    for name in ("one", "two", "three"):
        world.instance(name, status=broken("failed"))
    world.kube.fail.append(Forbidden("denied", status=403, reason="Forbidden"))
    assert await cleaned(world) == (2, 1)


async def test_one_that_is_gone_already_is_neither(world: World) -> None:
    world.instance("gone", status=broken("failed"))
    world.kube.fail.append(NotFound("gone", status=404, reason="NotFound"))
    assert await cleaned(world) == (0, 0)


@pytest.mark.parametrize("rights", [{"scopes": ("instances:write",)}, {"admin": False}])
async def test_only_admins_that_may_delete(world: World, rights: dict[str, Any]) -> None:
    world.instance("error", status=broken("error"))
    key = await world.key(**rights)
    assert (await world.call("POST", CLEANUP, headers=key)).status_code == 403
    assert alive(world) == {"error"}
