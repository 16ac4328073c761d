"""Retrying one target."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest

from hydracore_crds import Instance, Rollout, RolloutTarget
from hydracore_crds.base import format_time
from hydracore_crds.names import RETRIED_BY_ANNOTATION
from tests.api.rollouts.test_control import control
from tests.api.rollouts.test_rollouts import FLEET, half_done
from tests.api.support.world import START, World


async def retry(world: World, order: int) -> Any:
    target = world.kube.of(RolloutTarget)[order]
    return await control(world, f"targets/{target.metadata.uid}/retry")


def attempts(world: World) -> list[int]:
    return [one.spec.attempt for one in world.kube.of(RolloutTarget)]


async def test_a_failed_target_is_retried_once(world: World) -> None:
    half_done(world)
    answer = await retry(world, 1)
    assert answer.status_code == 200
    assert answer.json()["id"] == world.kube.of(Rollout)[0].metadata.uid
    assert attempts(world) == [1, 2, 1, 1]
    by = [
        one.metadata.annotations.get(RETRIED_BY_ANNOTATION) for one in world.kube.of(RolloutTarget)
    ]
    assert [bool(name) for name in by] == [False, True, False, False]
    assert (by[1] or "").startswith("api-key test (")
    again = await retry(world, 1)
    assert again.status_code == 409
    assert "already" in again.json()["detail"]
    assert attempts(world) == [1, 2, 1, 1]


@pytest.mark.parametrize("order", [0, 2, 3])
async def test_only_failed_or_uncertain_ones(world: World, order: int) -> None:
    half_done(world)
    answer = await retry(world, order)
    assert answer.status_code == 409
    assert "failed or uncertain" in answer.json()["detail"]
    assert attempts(world) == [1, 1, 1, 1]


async def test_an_uncertain_target_of_an_ended_or_halted_rollout(world: World) -> None:
    rollout = half_done(world)
    (target,) = world.kube.of(RolloutTarget)[1:2]
    change = {"status": {"state": "uncertain"}}
    world.kube.change(RolloutTarget, target.metadata.name, "acme", change)
    world.report(rollout, state="paused", haltReason="Halted")
    assert (await retry(world, 1)).status_code == 200


async def test_many_retries_at_once_are_one(world: World) -> None:
    half_done(world)
    answers = await asyncio.gather(*(retry(world, 1) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
    assert attempts(world)[1] == 2


async def test_a_cancelled_rollout_retries_nothing(world: World) -> None:
    half_done(world)
    await control(world, "cancel")
    answer = await retry(world, 1)
    assert answer.status_code == 409
    assert "cancelled" in answer.json()["detail"]


async def test_no_retry_once_a_newer_rollout_touched_the_instance(world: World) -> None:
    half_done(world)
    instance = world.kube.of(Instance)[1]
    newer = world.kube.put(
        Rollout.model_validate(
            {
                "metadata": {
                    "name": "zz",
                    "namespace": "acme",
                    "creationTimestamp": "2099-01-01T00:00:00Z",
                    "finalizers": ["hydracore.io/operator"],
                },
                "spec": {"bundleName": "runtime-expressclaw-1.2.0", "scope": "fleet"},
                "status": {
                    "artifact": {
                        "bundleName": "runtime-expressclaw-1.2.0",
                        "slug": "expressclaw",
                        "version": "1.2.0",
                        "sha256": "c" * 64,
                        "sizeBytes": 9,
                        "keyId": "k",
                        "signature": "s",
                    }
                },
            }
        )
    )
    world.target(newer, 0, instance, "succeeded", completedAt=format_time(START + timedelta(1)))
    world.report(newer, state="succeeded")
    old = next(one for one in world.kube.of(Rollout) if one.metadata.name == "r1")
    target = world.kube.of(RolloutTarget)[1]
    path = f"{FLEET}/{old.metadata.uid}/targets/{target.metadata.uid}/retry"
    answer = await world.call("POST", path)
    assert answer.status_code == 409
    assert "newer rollout" in answer.json()["detail"]


async def test_the_target_must_be_of_that_rollout(world: World) -> None:
    half_done(world)
    assert (await control(world, f"targets/{uuid.uuid4()}/retry")).status_code == 404
    other = half_done(world, name="r2")
    foreign = world.services.cache.targets_by_rollout.get("acme", "r1")[0]
    path = f"{FLEET}/{other.metadata.uid}/targets/{foreign.metadata.uid}/retry"
    assert (await world.call("POST", path)).status_code == 404
