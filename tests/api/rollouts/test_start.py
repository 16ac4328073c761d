"""Starting rollouts, of the fleet and of one instance."""

from __future__ import annotations

import asyncio

from hydracore_api.rollouts.start import from_plan
from hydracore_crds import Bundle, Instance, ObjectMeta, Rollout, RolloutTarget
from hydracore_crds.names import (
    MANAGED_BY_LABEL,
)
from hydracore_crds.rollout import RolloutSpec
from tests.api.support.world import RUNNING, World, condition

START_PATH = "/v1/instances/fleet/runtime/rollout"


async def admit(world: World) -> None:
    """Do what the operator does with a new rollout: make targets, then say they are all."""
    assert await world.services.cache.until(lambda: bool(world.kube.of(Rollout)), 5)
    (rollout,) = world.kube.of(Rollout)
    for order, one in enumerate(world.kube.of(Instance)[:2]):
        world.target(rollout, order, one)
    world.report(rollout, state="queued", skipped={"count": 1, "reasons": {"NotRunning": 1}})


async def test_who_rolls_out_a_bundle_in_quarantine_is_told_so_and_why(world: World) -> None:
    bundle = world.bundle("1.1.0")
    world.instance("a")
    good, _ = await asyncio.gather(world.call("POST", START_PATH), admit(world))
    assert good.json()["warnings"] == []
    shut = {**condition("Quarantined", true=True), "reason": "RolloutHalted", "message": "1 halted"}
    conditions = [*bundle.status.to_wire()["conditions"], shut]
    world.kube.change(Bundle, bundle.metadata.name, None, {"status": {"conditions": conditions}})
    answer = await world.call("POST", START_PATH)
    assert answer.status_code == 202
    found = answer.json()
    said = f"bundle {bundle.metadata.name} is in quarantine (RolloutHalted): 1 halted"
    assert found["warnings"] == [said]
    assert found["message"].endswith(f"; {said}")


async def test_a_fleet_rollout_answers_with_the_operators_targets(world: World) -> None:
    world.bundle("1.0.0")
    bundle = world.bundle("1.1.0")
    world.bundle("1.2.0", ready=False)
    for name in ("a", "b", "c"):
        world.instance(name)
    answer, _ = await asyncio.gather(world.call("POST", START_PATH), admit(world))
    assert answer.status_code == 202
    found = answer.json()
    assert (found["total"], found["enqueued"], found["skipped"]) == (3, 2, 1)
    assert "expressclaw 1.1.0" in found["message"]
    (rollout,) = world.kube.of(Rollout)
    targets = {one.metadata.uid: one for one in world.kube.of(RolloutTarget)}
    assert {task["target_id"] for task in found["tasks"]} == set(targets)
    task = found["tasks"][0]
    assert task == {
        "rollout_id": rollout.metadata.uid,
        "target_id": task["target_id"],
        "instance_id": targets[task["target_id"]].spec.instance_id,
        "hostname": f"{targets[task['target_id']].spec.instance_name}.local",
        "task_id": None,
        "scheduled_countdown_seconds": 0,
    }
    spec = rollout.spec
    assert (spec.bundle_name, spec.scope, spec.override_window) == (
        bundle.metadata.name,
        "fleet",
        False,
    )
    assert rollout.metadata.labels == {MANAGED_BY_LABEL: "api"}
    assert spec.initiated_by is not None
    assert spec.initiated_by.startswith("api-key test (")
    assert spec.initiated_from_ip == "198.51.100.7"
    assert len(rollout.metadata.name) <= 57


async def test_the_plan_shows_the_countdowns_that_the_targets_will_have(world: World) -> None:
    bundle = world.bundle("1.1.0")
    for name in ("a", "b", "c"):
        world.instance(name)
    spec = RolloutSpec(bundle_name=bundle.metadata.name, strategy={"staggerSeconds": 90})
    rollout = Rollout(metadata=ObjectMeta(name="r1", namespace="acme"), spec=spec)
    tasks = await from_plan(world.services, rollout)
    assert [task.scheduled_countdown_seconds for task in tasks] == [0, 90, 180]


async def test_without_an_operator_the_plan_answers(world: World) -> None:
    world.bundle("1.1.0")
    world.instance("a")
    world.instance("b", status={**RUNNING, "state": "failed"})
    world.instance("c", updatePolicy={"runtime": "disabled"})
    found = (await world.call("POST", START_PATH)).json()
    assert (found["total"], found["enqueued"], found["skipped"]) == (3, 1, 2)
    assert found["tasks"][0]["target_id"] is None
    assert "operator has not taken it up" in found["message"]


async def test_several_runtime_types_get_a_rollout_each(world: World) -> None:
    world.bundle("1.1.0")
    world.bundle("2.0.0", slug="otherclaw")
    world.instance("a")
    world.instance("b", runtimeType="otherclaw")
    world.instance("c", runtimeType="nobodys")
    found = (await world.call("POST", START_PATH)).json()
    assert (found["total"], found["enqueued"], found["skipped"]) == (3, 2, 1)
    assert len({task["rollout_id"] for task in found["tasks"]}) == 2


async def test_nothing_to_roll_out(world: World) -> None:
    empty = await world.call("POST", START_PATH)
    assert (empty.status_code, empty.json()["total"]) == (202, 0)
    world.instance("a")
    world.bundle("1.1.0", ready=False)
    world.bundle("1.2.0", yanked=True)
    world.bundle("1.3.0-rc.1")
    none = await world.call("POST", START_PATH)
    assert none.status_code == 409
    assert "publish" in none.json()["detail"]
    assert world.kube.of(Rollout) == []


async def test_the_window_is_overridden_only_tenant_wide(world: World) -> None:
    world.bundle("1.1.0")
    world.instance("a")
    path = START_PATH + "?override_window=true"
    refused = await world.call("POST", path)
    assert refused.status_code == 403
    assert world.kube.of(Rollout) == []
    allowed = await world.call("POST", path, headers=await world.key(tenant_wide=True))
    assert allowed.status_code == 202
    assert world.kube.of(Rollout)[0].spec.override_window is True


async def test_redeploy(world: World) -> None:
    world.bundle("1.1.0")
    one = world.instance("one")
    answer = await world.call("POST", f"/v1/instances/{one.spec.id}/runtime/redeploy")
    assert answer.status_code == 202
    (rollout,) = world.kube.of(Rollout)
    assert answer.json()["task_id"] == rollout.metadata.uid
    assert answer.json()["instance_id"] == one.spec.id
    assert rollout.spec.to_wire() | {"initiatedBy": "", "strategy": {}} == {
        "bundleName": "runtime-expressclaw-1.1.0",
        "scope": "instance",
        "instanceNames": ["one"],
        "dynamic": False,
        "force": True,
        "onlyAuto": False,
        "overrideWindow": False,
        "paused": False,
        "initiatedBy": "",
        "initiatedFromIP": "198.51.100.7",
        "strategy": {},
    }


async def test_redeploy_needs_a_running_instance_and_a_bundle(world: World) -> None:
    one = world.instance("one")
    path = f"/v1/instances/{one.spec.id}/runtime/redeploy"
    assert (await world.call("POST", path)).status_code == 409
    world.bundle("1.1.0")
    world.kube.change(Instance, "one", "acme", {"status": {"state": "provisioning"}})
    answer = await world.call("POST", path)
    assert answer.status_code == 409
    assert "not running" in answer.json()["detail"]


async def test_a_bundle_that_goes_meanwhile_leaves_nothing_planned(world: World) -> None:
    bundle = world.bundle("1.1.0")
    world.instance("a")

    async def unpublish() -> None:
        assert await world.services.cache.until(lambda: bool(world.kube.of(Rollout)), 5)
        world.kube.drop(Bundle, bundle.metadata.name, None)

    answer, _ = await asyncio.gather(world.call("POST", START_PATH), unpublish())
    assert answer.status_code == 202
    assert (answer.json()["enqueued"], answer.json()["tasks"]) == (0, [])
