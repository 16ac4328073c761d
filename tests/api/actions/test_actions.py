"""The routes of actions: what they make, what they wait for, what they answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hydracore_crds import Instance, InstanceAction
from hydracore_crds.base import Condition
from tests.api.support.world import RUNNING, World, close_world, make_world

ENDED = {
    "state": "succeeded",
    "startedAt": "2030-01-01T00:00:00Z",
    "completedAt": "2030-01-01T00:00:02Z",
    "durationMs": 2000,
    "message": "done",
    "detail": {"pidBefore": "1"},
}
REPORT = {
    "status": "degraded",
    "checkedAt": "2030-01-01T00:00:00Z",
    "uptimeSeconds": 7,
    "subsystems": {"disk": {"status": "degraded", "message": "full", "latencyUs": 1500}},
}
ROUTES = {
    "power-cycle": "actions/power-cycle",
    "reboot": "actions/reboot",
    "run-diagnostics": "actions/run-diagnostics",
    "clear-circuit-breakers": "actions/clear-circuit-breakers",
    "apply-updates": "updates/apply",
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path, action_wait_seconds=5)
    made.tenant("acme")
    yield made
    await close_world(made)


def uncertain(reason: str) -> dict[str, Any]:
    condition = Condition(
        type="Succeeded", status="Unknown", reason=reason, last_transition_time=datetime.now(UTC)
    )
    return {"state": "uncertain", "message": "who knows", "conditions": [condition.to_wire()]}


def actions(world: World) -> list[InstanceAction]:
    return world.services.cache.actions.all()


async def operated(world: World, call: Any, **status: Any) -> Any:
    """Make a call, and play the operator for the action that it makes."""
    known = {one.metadata.uid for one in actions(world)}
    request = asyncio.ensure_future(call)
    async with asyncio.timeout(5):
        while not (made := [one for one in actions(world) if one.metadata.uid not in known]):
            await asyncio.sleep(0)
            if request.done():
                return await request
    world.kube.change(InstanceAction, made[0].metadata.name, "acme", {"status": status})
    return await request


def path(instance: Instance, action: str) -> str:
    return f"/v1/instances/{instance.spec.id}/{ROUTES[action]}"


async def post(world: World, instance: Instance, action: str, **more: Any) -> Any:
    body = {"json": {}} if action == "apply-updates" else {}
    headers = await world.key(admin=True)
    return await world.call("POST", path(instance, action), **{"headers": headers, **body, **more})


@pytest.mark.parametrize("action", ["power-cycle", "reboot", "clear-circuit-breakers"])
async def test_an_action_is_made_waited_for_and_told(world: World, action: str) -> None:
    ada = world.instance("ada")
    answer = await operated(world, post(world, ada, action), **ENDED)
    (made,) = actions(world)
    assert (made.spec.action, made.spec.instance_name) == (action, "ada")
    assert made.metadata.labels == {"hydracore.io/managed-by": "api"}
    assert (made.spec.requested_by or "").startswith("api-key test (")
    assert answer.status_code == 200
    assert answer.json() == {
        "action": action,
        "action_id": made.metadata.uid,
        "instance_id": ada.spec.id,
        "status": "succeeded",
        "message": "done",
        "duration_ms": 2000,
        "detail": {"pidBefore": "1"},
    }


async def test_a_failed_action_is_an_answer(world: World) -> None:
    ada = world.instance("ada")
    answer = await operated(world, post(world, ada, "power-cycle"), state="failed", message="no")
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")


async def test_one_that_goes_on_is_202_with_the_state_so_far(tmp_path: Path) -> None:
    world = await make_world(tmp_path, action_wait_seconds=0.05)
    world.tenant("acme")
    ada = world.instance("ada")
    answer = await post(world, ada, "power-cycle")
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    world.instance("bob")
    late = await post(world, ada, "run-diagnostics")
    assert late.status_code == 504
    await close_world(world)


@pytest.mark.parametrize(("reason", "status"), [("Interrupted", 202), ("NoEvidence", 200)])
async def test_an_uncertain_one_is_waited_for_while_it_can_be_settled(
    tmp_path: Path, reason: str, status: int
) -> None:
    world = await make_world(tmp_path, action_wait_seconds=0.2)
    world.tenant("acme")
    call = post(world, world.instance("ada"), "power-cycle")
    answer = await operated(world, call, **uncertain(reason))
    assert (answer.status_code, answer.json()["status"]) == (status, "uncertain")
    await close_world(world)


async def test_diagnostics_answer_with_the_report(world: World) -> None:
    ada = world.instance("ada")
    call = post(world, ada, "run-diagnostics")
    answer = await operated(world, call, **ENDED, diagnostics=REPORT)
    assert answer.status_code == 200
    assert answer.json() == {
        "instance_id": ada.spec.id,
        "cached": False,
        "status": "degraded",
        "checked_at": "2030-01-01T00:00:00.000Z",
        "uptime_seconds": 7,
        "subsystems": {"disk": {"status": "degraded", "message": "full", "latency_ms": 1.5}},
    }


async def test_failed_diagnostics_are_502(world: World) -> None:
    call = post(world, world.instance("ada"), "run-diagnostics")
    answer = await operated(world, call, state="failed", message="nothing was sent")
    assert answer.status_code == 502
    assert "nothing was sent" in answer.json()["detail"]


@pytest.mark.parametrize("body", [{}, {"force": True}, {"restart_agent": True}])
async def test_updates_are_applied_with_their_parameters(world: World, body: Any) -> None:
    ada = world.instance("ada")
    answer = await operated(world, post(world, ada, "apply-updates", json=body), **ENDED)
    (made,) = actions(world)
    assert made.spec.parameters is not None
    assert made.spec.parameters.force == body.get("force", False)
    assert made.spec.parameters.restart_agent == body.get("restart_agent", False)
    assert answer.json() == {
        "instance_id": ada.spec.id,
        "status": "succeeded",
        "message": "done",
    }


@pytest.mark.parametrize("body", [{"force": "maybe"}, {"unknown": 1}, [], None])
async def test_bodies_that_do_not_fit_make_nothing(world: World, body: Any) -> None:
    answer = await post(world, world.instance("ada"), "apply-updates", json=body)
    assert answer.status_code == 422
    assert actions(world) == []


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        ({"state": "provisioning"}, set(ROUTES)),
        ({**RUNNING, "state": "failed"}, set(ROUTES)),
        ({**RUNNING, "state": "error"}, set(ROUTES) - {"reboot"}),
        ({**RUNNING, "agentUrl": None}, set(ROUTES)),
    ],
)
async def test_the_instance_must_be_in_a_state_for_it(
    world: World, status: dict[str, Any], refused: set[str]
) -> None:
    ada = world.instance("ada", status=status)
    found = set()
    for action in ROUTES:
        answer = await operated(world, post(world, ada, action), **ENDED, diagnostics=REPORT)
        if answer.status_code == 409:
            found.add(action)
    assert found == refused
    assert {one.spec.action for one in actions(world)} == set(ROUTES) - refused


async def test_the_same_twice_at_once_is_409_and_names_the_first(world: World) -> None:
    ada, bob = world.instance("ada"), world.instance("bob")
    first = world.action("first", ada)
    answer = await post(world, ada, "power-cycle")
    assert answer.status_code == 409
    assert first.metadata.uid in answer.json()["detail"]
    assert (await operated(world, post(world, bob, "power-cycle"), **ENDED)).status_code == 200
    assert (await operated(world, post(world, ada, "reboot"), **ENDED)).status_code == 200


@pytest.mark.parametrize("action", list(ROUTES))
async def test_another_tenant_s_instance_is_like_none_at_all(world: World, action: str) -> None:
    world.tenant("other")
    theirs = world.instance("ada", "other")
    foreign = await post(world, theirs, action)
    unknown = world.instance("ghost")
    world.kube.drop(Instance, "ghost", "acme")
    nowhere = await post(world, unknown, action)
    assert foreign.status_code == 404
    assert (foreign.status_code, foreign.content) == (nowhere.status_code, nowhere.content)
    listed = [
        await world.call("GET", f"/v1/instances/{one.spec.id}/actions") for one in (theirs, unknown)
    ]
    assert listed[0].content == listed[1].content
    assert actions(world) == []


async def test_scopes_and_the_admin(world: World) -> None:
    ada = world.instance("ada")
    reader = await world.key(scopes=("instances:read",))
    writer = await world.key(scopes=("instances:write",), admin=False)
    for action in ROUTES:
        assert (await post(world, ada, action, headers=reader)).status_code == 403
    assert (await post(world, ada, "reboot", headers=writer)).status_code == 403
    call = post(world, ada, "power-cycle", headers=writer)
    assert (await operated(world, call, **ENDED)).status_code == 200
    where = f"/v1/instances/{ada.spec.id}/actions"
    assert (await world.call("GET", where, headers=writer)).status_code == 403
    assert (await world.call("GET", where, headers=reader)).status_code == 200


async def listed(world: World, instance: Instance, limit: int = 20) -> Any:
    where = f"/v1/instances/{instance.spec.id}/actions?limit={limit}"
    answer = await world.call("GET", where)
    assert answer.status_code == 200
    return answer.json()


async def test_the_timeline_has_live_and_archived_ones_newest_first(world: World) -> None:
    ada, bob = world.instance("ada"), world.instance("bob")
    live = world.action(
        "live", ada, metadata={"creationTimestamp": "2031-01-03T00:00:00Z"}, **ENDED
    )
    world.action("bobs", bob)
    for name, day in (("old", "01"), ("older", "02")):
        one = InstanceAction.model_validate(
            {
                "metadata": {
                    "name": name,
                    "namespace": "acme",
                    "uid": str(uuid4()),
                    "creationTimestamp": f"2031-01-{day}T00:00:00Z",
                },
                "spec": {"instanceName": "ada", "action": "run-diagnostics", "requestedBy": "me"},
                "status": {**ENDED, "diagnostics": REPORT},
            }
        )
        await archive(world, one, ada)
    await archive(world, live, ada)
    found = await listed(world, ada)
    assert found["total"] == 3
    days = [one["created_at"][:10] for one in found["actions"]]
    assert days == ["2031-01-03", "2031-01-02", "2031-01-01"]
    assert found["actions"][1]["detail"]["subsystems"]["disk"]["latency_ms"] == 1.5
    assert found["actions"][1]["requested_by"] == "me"
    assert [one["action_id"] for one in (await listed(world, ada, 1))["actions"]] == [
        live.metadata.uid
    ]


async def test_those_of_the_same_second_are_told_apart_by_their_beginning(world: World) -> None:
    ada = world.instance("ada")
    made = {"creationTimestamp": "2031-01-03T00:00:00Z"}
    begun = {"third": "00.900", "first": "00.100", "second": "00.500"}
    names = {}
    for name, at in begun.items():
        status = {**ENDED, "startedAt": f"2031-01-03T00:00:{at}Z"}
        names[world.action(name, ada, metadata=made, **status).metadata.uid] = name
    names[world.action("waiting", ada, metadata=made).metadata.uid] = "waiting"
    shown = (await listed(world, ada))["actions"]
    assert len({one["created_at"] for one in shown}) == 1
    told = [names[one["action_id"]] for one in shown]
    assert told == ["waiting", "third", "second", "first"]


async def archive(world: World, action: InstanceAction, instance: Instance) -> None:
    await world.history.actions.archive(
        action.to_wire(),
        tenant_id="acme",
        namespace="acme",
        uid=action.metadata.uid,
        at=datetime.now(UTC),
        instance_id=instance.spec.id,
    )


async def test_a_namesake_inherits_no_actions(world: World) -> None:
    ada = world.instance("ada")
    world.action("before", ada, metadata={"creationTimestamp": "2020-01-01T00:00:00Z"})
    other = world.action("other", ada)
    world.kube.change(InstanceAction, "other", "acme", {"status": {"instanceId": str(uuid4())}})
    assert other.spec.instance_name == "ada"
    assert await listed(world, ada) == {"actions": [], "total": 0}


@pytest.mark.parametrize("limit", ["0", "101", "x"])
async def test_limits(world: World, limit: str) -> None:
    ada = world.instance("ada")
    answer = await world.call("GET", f"/v1/instances/{ada.spec.id}/actions?limit={limit}")
    assert answer.status_code == 422
