"""Planning a rollout by REST: the plan, and nothing created."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_crds import Rollout
from hydracore_crds.base import format_time
from hydracore_kube import Invalid
from tests.api.rollouts.test_rollouts import archive, bury
from tests.api.support.world import START, World

PATH = "/v1/instances/fleet/runtime/rollouts/plan"
BUNDLE = "runtime-expressclaw-1.1.0"
CANARY = {"name": "canary", "count": 1, "bakeSeconds": 60, "approval": True}


def populate(world: World) -> None:
    world.bundle("1.1.0")
    for name in ("a", "b", "c"):
        world.instance(name)
    world.instance("new", status={"state": "provisioning"})
    world.instance("theirs", "other")


async def plan(world: World, **spec: Any) -> dict[str, Any]:
    answer = await world.call("POST", PATH, json={"spec": {"bundleName": BUNDLE, **spec}})
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()
    return dict(found)


async def test_a_plan_tells_waves_skips_and_gates_and_makes_nothing(world: World) -> None:
    populate(world)
    found = await plan(world, strategy={"waves": [CANARY], "maxParallel": 1})
    assert world.kube.of(Rollout) == []
    first, second = found["waves"]
    assert [one["instance_name"] for one in first["targets"]] == ["a"]
    assert [one["instance_name"] for one in second["targets"]] == ["b", "c"]
    assert (first["name"], first["bake_seconds"]) == ("canary", 60)
    assert first["approval"] == f"1@{found['plan_hash']}"
    assert found["skipped"] == [{"instance_name": "new", "reason": "NotRunning"}]
    limits = {"tenant": 2, "rollout": 1, "platform": None, "at_once": 1, "in_flight": 0}
    assert found["limits"] == limits
    assert found["artifact"]["bundle_name"] == BUNDLE
    assert found["waits_for"] is None
    assert found["estimate"]["ends_at"] is None
    assert "nobody knows how long one takes" in found["estimate"]["notes"][0]


async def test_without_a_spec_it_is_the_fleet_rollout_of_every_runtime_type(world: World) -> None:
    populate(world)
    world.bundle("2.0.0", slug="other")
    world.instance("odd", runtimeType="other")
    answer = await world.call("POST", PATH, json={})
    assert [one["artifact"]["version"] for one in answer.json()] == ["1.1.0", "2.0.0"]
    assert [one["total"] for one in answer.json()] == [3, 1]
    assert world.kube.of(Rollout) == []


async def test_a_tenant_without_instances_has_nothing_to_plan(world: World) -> None:
    assert (await world.call("POST", PATH, json={})).json() == []


async def test_without_a_runtime_there_is_no_plan(world: World) -> None:
    world.instance("a")
    for body in ({}, {"spec": {"bundleName": BUNDLE}}):
        answer = await world.call("POST", PATH, json=body)
        assert answer.status_code == 409
        assert "publish" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (
            Invalid("x", causes=[("spec.strategy.waves[0]", "a wave needs exactly one")]),
            {"loc": ["body", "spec", "strategy", "waves[0]"], "msg": "a wave needs exactly one"},
        ),
        (
            Invalid('POST /x: strict decoding error: unknown field "spec.wafes"', status=400),
            {"loc": ["body", "spec"], "msg": 'unknown field "spec.wafes"'},
        ),
    ],
)
async def test_what_the_api_server_would_refuse_is_no_plan(
    world: World, refusal: Invalid, said: dict[str, Any]
) -> None:
    populate(world)
    world.kube.fail.append(refusal)
    answer = await world.call("POST", PATH, json={"spec": {"bundleName": BUNDLE}})
    assert answer.status_code == 422
    (found,) = answer.json()["detail"]
    assert {key: found[key] for key in said} == said


async def test_the_end_is_estimated_from_this_tenants_updates_also_archived_ones(
    world: World,
) -> None:
    populate(world)
    old = world.rollout("old", state="succeeded")
    times = {
        "startedAt": format_time(START - timedelta(hours=1, seconds=90)),
        "completedAt": format_time(START - timedelta(hours=1)),
    }
    world.target(old, 0, world.instance("gone"), "succeeded", **times)
    world.report(old, state="succeeded")
    live = (await plan(world))["estimate"]
    assert (live["seconds_per_target"], live["observed"]) == (90.0, 1)
    assert live["ends_at"] == format_time(world.clock() + timedelta(seconds=2 * 90))
    await archive(world, old)
    bury(world, old)
    assert (await plan(world))["estimate"] == live
