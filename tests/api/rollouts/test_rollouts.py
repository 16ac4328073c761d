"""Reading rollouts: live and archived, paused and cancelled, timelines."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from hydracore_crds import ObjectMeta, Rollout, RolloutTarget
from hydracore_crds.base import format_time
from hydracore_crds.names import CANCEL_ANNOTATION, PAUSED_BY_ANNOTATION
from tests.api.support.world import START, World

FLEET = "/v1/instances/fleet/runtime/rollouts"
TIMELINE = "/v1/instances/fleet/runtime-rollouts"


def half_done(world: World, tenant: str = "acme", name: str = "r1") -> Rollout:
    """A rollout of four: succeeded, failed, in progress, queued."""
    rollout = world.rollout(name, tenant, initiatedBy="me", initiatedFromIP="192.0.2.1")
    task = str(uuid.uuid4())
    runs: list[dict[str, Any]] = [
        {
            "state": "succeeded",
            "taskId": task,
            "startedAt": format_time(START),
            "completedAt": format_time(START + timedelta(seconds=2.5)),
            "lastResultStatus": "activated",
            "hostname": "a.local",
            "detail": {"from": "1.0.0"},
        },
        {
            "state": "failed",
            "taskId": task,
            "startedAt": format_time(START + timedelta(seconds=1)),
            "completedAt": format_time(START + timedelta(seconds=9)),
            "lastResultStatus": "rolled_back",
            "errorMessage": "ImportError: boom",
        },
        {
            "state": "in_progress",
            "taskId": task,
            "startedAt": format_time(START + timedelta(seconds=3)),
        },
        {"state": "queued", "taskId": task},
    ]
    for order, status in enumerate(runs):
        world.target(rollout, order, world.instance(f"{name}-i{order}", tenant), **status)
    return world.report(
        rollout,
        state="in_progress",
        startedAt=format_time(START),
        skipped={"count": 1, "reasons": {"NotRunning": 1}},
        artifact={
            "bundleName": "runtime-expressclaw-1.1.0",
            "slug": "expressclaw",
            "version": "1.1.0",
            "sha256": "a" * 64,
            "sizeBytes": 9,
            "keyId": "k",
            "signature": "s",
        },
    )


def adds_up(summary: dict[str, Any]) -> bool:
    names = ("queued", "in_progress", "succeeded", "failed", "uncertain")
    total = sum(summary[f"{name}_targets"] for name in names)
    return bool(total + summary["metadata_json"]["cancelled"] == summary["total_targets"])


async def test_a_summary(world: World) -> None:
    rollout = half_done(world)
    (found,) = (await world.call("GET", FLEET)).json()
    metadata = found.pop("metadata_json")
    assert found.pop("created_at").endswith("Z")
    assert found == {
        "id": rollout.metadata.uid,
        "scope": "fleet",
        "status": "in_progress",
        "total_targets": 4,
        "queued_targets": 1,
        "in_progress_targets": 1,
        "succeeded_targets": 1,
        "failed_targets": 1,
        "uncertain_targets": 0,
        "initiated_from_ip": "192.0.2.1",
        "completed_at": None,
    }
    assert metadata == {
        "bundle": "runtime-expressclaw-1.1.0",
        "version": "1.1.0",
        "override_window": False,
        "initiated_by": "me",
        "paused_by": None,
        "skipped": 1,
        "skipped_reasons": {"NotRunning": 1},
        "cancelled": 0,
        "halt_reason": None,
        "message": None,
        "plan_hash": None,
        "wave": None,
        "waves": None,
    }


async def test_waves_are_shown_with_what_they_wait_for(world: World) -> None:
    baking = {"planned": 1, "name": "canary", "state": "baking"}
    waves = [{**baking, "bakesUntil": "2030-05-01T12:09:00.000Z"}, {"planned": 3}]
    rollout = world.report(half_done(world), planHash="abc", wave=1, waves=waves)
    answer = await world.call("GET", f"{FLEET}/{rollout.metadata.uid}")
    shown = answer.json()["rollout"]["metadata_json"]
    unknown = {"approval": None, "approved_by": None, "passed_at": None}
    assert (shown["plan_hash"], shown["wave"]) == ("abc", 1)
    assert shown["waves"] == [
        {"number": 1, **baking, "bakes_until": "2030-05-01T12:09:00.000Z", **unknown},
        {
            "number": 2,
            "name": None,
            "planned": 3,
            "state": "waiting",
            "bakes_until": None,
            **unknown,
        },
    ]


async def test_one_that_the_operator_has_not_seen(world: World) -> None:
    rollout = world.rollout("r1")
    found = (await world.call("GET", f"{FLEET}/{rollout.metadata.uid}")).json()
    assert (found["rollout"]["status"], found["rollout"]["total_targets"]) == ("queued", 0)
    assert found["targets"] == []


async def test_a_detail(world: World) -> None:
    rollout = half_done(world)
    found = (await world.call("GET", f"{FLEET}/{rollout.metadata.uid}")).json()
    assert [one["status"] for one in found["targets"]] == [
        "succeeded",
        "failed",
        "in_progress",
        "queued",
    ]
    first, failed, _, queued = found["targets"]
    assert first["rollout_id"] == rollout.metadata.uid
    assert (first["rollout_scope"], first["rollout_status"]) == ("fleet", "in_progress")
    assert first["detail_json"] == {"from": "1.0.0"}
    assert (first["bundle_hash"], first["last_result_status"]) == ("a" * 64, "activated")
    assert first["celery_task_id"]
    assert queued["celery_task_id"] is None
    assert failed["error_message"] == "ImportError: boom"
    assert failed["started_at"] == "2030-05-01T12:00:01.000Z"


async def test_targets_of_a_deleted_namesake_are_left_out(world: World) -> None:
    rollout = half_done(world)
    old = Rollout(metadata=ObjectMeta(name="r1", namespace="acme", uid="old"), spec=rollout.spec)
    world.target(old, 77, world.instance("ghost"))
    found = (await world.call("GET", f"{FLEET}/{rollout.metadata.uid}")).json()
    assert len(found["targets"]) == 4


async def test_a_timeline(world: World) -> None:
    rollout = half_done(world)
    found = (await world.call("GET", f"{TIMELINE}/{rollout.metadata.uid}/timeline")).json()
    assert (found["total_targets"], found["total_duration_seconds"]) == (4, 9.0)
    assert [one["duration_seconds"] for one in found["timeline"]] == [2.5, 8.0, None, None]
    assert found["timeline"][0]["instance_hostname"] == "a.local"
    assert [one["status"] for one in found["timeline"]][-1] == "queued"


async def test_while_paused_the_waiting_show_as_cancelled(world: World) -> None:
    rollout = half_done(world)
    annotated = {"metadata": {"annotations": {PAUSED_BY_ANNOTATION: "me"}}}
    for change in (annotated, {"spec": {"paused": True}}):
        world.kube.change(Rollout, "r1", "acme", change)
        found = (await world.call("GET", f"{FLEET}/{rollout.metadata.uid}")).json()
        assert found["rollout"]["status"] == "paused"
        assert found["rollout"]["queued_targets"] == 0
        assert found["rollout"]["metadata_json"]["cancelled"] == 1
        assert adds_up(found["rollout"])
        assert [one["status"] for one in found["targets"]][-1] == "cancelled"
        undo = {"metadata": {"annotations": None}, "spec": {"paused": False}}
        world.kube.change(Rollout, "r1", "acme", undo)
    found = (await world.call("GET", f"{FLEET}/{rollout.metadata.uid}")).json()
    assert found["rollout"]["queued_targets"] == 1
    assert adds_up(found["rollout"])


async def test_a_halted_one_is_paused_and_says_why(world: World) -> None:
    rollout = half_done(world)
    world.report(rollout, state="paused", haltReason="Halted: 1 of 2 failed")
    (found,) = (await world.call("GET", FLEET)).json()
    assert (found["status"], found["queued_targets"]) == ("paused", 0)
    assert found["metadata_json"]["halt_reason"] == "Halted: 1 of 2 failed"


async def test_a_cancel_shows_before_the_operator_settled_it(world: World) -> None:
    half_done(world)
    body = {"metadata": {"annotations": {CANCEL_ANNOTATION: "Graceful"}}}
    world.kube.change(Rollout, "r1", "acme", body)
    (found,) = (await world.call("GET", FLEET)).json()
    assert (found["status"], found["queued_targets"]) == ("in_progress", 0)
    assert found["metadata_json"]["cancelled"] == 1


async def archive(world: World, rollout: Rollout) -> None:
    targets = world.services.cache.targets_by_rollout.get("acme", rollout.metadata.name)
    await world.history.rollouts.archive(
        rollout.to_wire(),
        [one.to_wire() for one in targets],
        tenant_id=rollout.metadata.namespace or "",
        namespace=rollout.metadata.namespace or "",
        uid=rollout.metadata.uid,
        at=world.clock(),
    )


def bury(world: World, rollout: Rollout) -> None:
    for one in world.services.cache.targets_by_rollout.get("acme", rollout.metadata.name):
        world.kube.drop(RolloutTarget, one.metadata.name, "acme")
    world.kube.drop(Rollout, rollout.metadata.name, "acme")


async def test_the_archive_goes_on_where_the_cluster_ends(world: World) -> None:
    old = half_done(world, name="old")
    live = (await world.call("GET", f"{FLEET}/{old.metadata.uid}")).json()
    await archive(world, old)
    both = (await world.call("GET", FLEET)).json()
    assert len(both) == 1  # archived and still live: once
    bury(world, old)
    archived = (await world.call("GET", f"{FLEET}/{old.metadata.uid}")).json()
    assert archived == live
    instance_id = live["targets"][0]["instance_id"]
    mine = (await world.call("GET", f"/v1/instances/{instance_id}/runtime/rollouts")).json()
    assert mine == live["targets"][:1]
    timeline = await world.call("GET", f"{TIMELINE}/{old.metadata.uid}/timeline")
    assert timeline.json()["total_targets"] == 4


async def test_pages_run_through_live_and_archived(world: World) -> None:
    made = []
    for n in range(6):
        rollout = Rollout.model_validate(
            {
                "metadata": {
                    "name": f"r{n}",
                    "namespace": "acme",
                    "creationTimestamp": format_time(START + timedelta(minutes=n)),
                },
                "spec": {"bundleName": "b", "scope": "fleet"},
            }
        )
        made.append(world.kube.put(rollout))
    for rollout in made[:3]:
        await archive(world, rollout)
        bury(world, rollout)
    await archive(world, made[4])
    wanted = [one.metadata.uid for one in reversed(made)]
    for limit in (1, 2, 4, 100):
        seen: list[str] = []
        for offset in range(0, 8, limit):
            page = await world.call("GET", f"{FLEET}?limit={limit}&offset={offset}")
            seen.extend(one["id"] for one in page.json())
        assert seen == wanted
    for query in ("limit=0", "limit=101", "offset=-1", "limit=x"):
        assert (await world.call("GET", f"{FLEET}?{query}")).status_code == 422
    beyond = await world.call("GET", f"{FLEET}?offset={2**63 - 1}")
    assert (beyond.status_code, beyond.json()) == (200, [])
    assert (await world.call("GET", f"{FLEET}?offset={2**63}")).status_code == 422


async def test_anothers_is_the_same_as_unknown(world: World) -> None:
    theirs = half_done(world, "other")
    await world.history.rollouts.archive(
        theirs.to_wire(),
        [],
        tenant_id="other",
        namespace="other",
        uid="5b0f9a3e-0000-4000-8000-000000000001",
        at=world.clock(),
    )
    ids = (str(uuid.uuid4()), theirs.metadata.uid, "5b0f9a3e-0000-4000-8000-000000000001")
    paths = (
        ("GET", FLEET + "/{}"),
        ("GET", TIMELINE + "/{}/timeline"),
        ("POST", FLEET + "/{}/pause"),
        ("POST", FLEET + "/{}/resume"),
        ("POST", FLEET + "/{}/cancel"),
        ("POST", FLEET + "/{}/targets/" + str(uuid.uuid4()) + "/retry"),
    )
    for method, path in paths:
        answers = [await world.call(method, path.format(one)) for one in ids]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1
        assert (await world.call(method, path.format("x"))).status_code == 422
    assert (await world.call("GET", FLEET)).json() == []


async def test_an_instances_rollouts_page(world: World) -> None:
    one = world.instance("one")
    for n in range(3):
        world.target(world.rollout(f"r{n}"), 0, one)
    path = f"/v1/instances/{one.spec.id}/runtime/rollouts"
    everything = (await world.call("GET", path)).json()
    assert len(everything) == 3
    page = (await world.call("GET", f"{path}?limit=1&offset=1")).json()
    assert page == everything[1:2]
