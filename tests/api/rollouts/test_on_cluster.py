"""Rollouts with the real API server: its rules, its conflicts."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from hydracore_crds import Instance, Rollout, RolloutTarget
from hydracore_crds.names import (
    APPROVE_ANNOTATION,
    APPROVED_BY_ANNOTATION,
    MANAGED_BY_LABEL,
    PAUSED_BY_ANNOTATION,
)
from tests.api.support.live import FLEET, Live, running, status

pytestmark = pytest.mark.cluster


async def operate(live: Live, instances: list[Instance]) -> None:
    """Take up the one new rollout: targets, then counts."""
    await live.until(lambda cache: cache.rollouts.in_namespace(live.namespace))
    (rollout,), _ = await live.admin.list(Rollout, live.namespace)
    for order, one in enumerate(instances):
        target = await live.admin.create(
            RolloutTarget.model_validate(
                {
                    "metadata": {
                        "name": f"{rollout.metadata.name}-{order:05d}",
                        "namespace": live.namespace,
                        "ownerReferences": [
                            {
                                "apiVersion": rollout.api_version,
                                "kind": "Rollout",
                                "name": rollout.metadata.name,
                                "uid": rollout.metadata.uid,
                            }
                        ],
                    },
                    "spec": {
                        "rolloutName": rollout.metadata.name,
                        "instanceName": one.metadata.name,
                        "instanceId": one.metadata.uid,
                        "bundleHash": "a" * 64,
                        "order": order,
                    },
                }
            )
        )
        await status(live, target, state="queued", attempt=1)
    counts = {"total": len(instances), "queued": len(instances)}
    await status(live, rollout, state="queued", targetsCreated=True, counts=counts)


async def test_a_rollout_from_start_to_retry(live: Live) -> None:
    live.be_patient()
    instances = [await running(live, name) for name in ("a", "b")]
    started, _ = await asyncio.gather(
        live.call("POST", "/v1/instances/fleet/runtime/rollout"), operate(live, instances)
    )
    assert started.status_code == 202
    assert started.json()["enqueued"] == 2
    task = started.json()["tasks"][0]
    assert {one["instance_id"] for one in started.json()["tasks"]} == {
        one.metadata.uid for one in instances
    }
    path = f"{FLEET}/{task['rollout_id']}"
    paused = await live.call("POST", f"{path}/pause")
    assert (paused.json()["status"], paused.json()["queued_targets"]) == ("paused", 0)
    resumed = await live.call("POST", f"{path}/resume")
    assert resumed.json()["queued_targets"] == 2

    refused = await live.call("POST", f"{path}/targets/{task['target_id']}/retry")
    assert refused.status_code == 409
    targets, _ = await live.admin.list(RolloutTarget, live.namespace)
    (target,) = [one for one in targets if one.metadata.uid == task["target_id"]]
    await status(live, target, state="failed", lastResultStatus="rolled_back")
    answers = await asyncio.gather(
        *(
            live.call("POST", f"{path}/targets/{task['target_id']}/retry", replica=n % 2)
            for n in range(6)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
    retried = await live.admin.get(RolloutTarget, target.metadata.name, live.namespace)
    assert retried.spec.attempt == 2

    cancelled = await live.call("POST", f"{path}/cancel", params={"force": "true"})
    assert cancelled.status_code == 200
    assert (await live.call("POST", f"{path}/pause")).status_code == 409


async def test_pausing_while_another_writes_all_the_time(live: Live) -> None:
    await running(live, "a")
    started = await live.call("POST", "/v1/instances/fleet/runtime/rollout")
    rollout_id = started.json()["tasks"][0]["rollout_id"]
    (rollout,), _ = await live.admin.list(Rollout, live.namespace)
    written = asyncio.Event()

    async def write_until_cancelled() -> None:
        for n in itertools.count():
            await status(live, rollout, message=f"write {n}", state="queued")
            written.set()
            await asyncio.sleep(0.02)

    writing = asyncio.create_task(write_until_cancelled())
    for verb in ("pause", "resume") * 5:
        written.clear()
        await asyncio.wait_for(written.wait(), timeout=30)
        answer = await live.call("POST", f"{FLEET}/{rollout_id}/{verb}")
        assert answer.status_code == 200, answer.text
    assert not writing.done()
    writing.cancel()
    await asyncio.wait([writing])
    fresh = await live.admin.get(Rollout, rollout.metadata.name, live.namespace)
    assert PAUSED_BY_ANNOTATION not in fresh.metadata.annotations


async def test_an_override_is_in_the_callers_name(live: Live) -> None:
    await running(live, "a")
    started = await live.call(
        "POST", "/v1/instances/fleet/runtime/rollout", params={"override_window": "true"}
    )
    assert started.status_code == 202, started.text
    (rollout,), _ = await live.admin.list(Rollout, live.namespace)
    assert rollout.spec.override_window
    assert rollout.spec.initiated_by
    assert rollout.metadata.labels[MANAGED_BY_LABEL] == "api"


async def test_an_approval_by_rest_is_what_the_operator_reads(live: Live) -> None:
    await running(live, "a")
    started = await live.call("POST", "/v1/instances/fleet/runtime/rollout")
    path = f"{FLEET}/{started.json()['tasks'][0]['rollout_id']}/approve"
    (rollout,), _ = await live.admin.list(Rollout, live.namespace)
    early = await live.call("POST", path, json={"approval": "1@abc"})
    assert early.status_code == 409
    waves = [{"planned": 1, "state": "awaiting_approval", "approval": "1@abc"}, {"planned": 1}]
    await status(live, rollout, state="in_progress", planHash="abc", wave=1, waves=waves)
    approved = await asyncio.gather(
        *(live.call("POST", path, replica=n % 2, json={"approval": "1@abc"}) for n in range(4))
    )
    assert [answer.status_code for answer in approved] == [200] * 4
    stored = await live.admin.get(Rollout, rollout.metadata.name, live.namespace)
    assert stored.metadata.annotations[APPROVE_ANNOTATION] == "1@abc"
    assert stored.metadata.annotations[APPROVED_BY_ANNOTATION].startswith("api-key test (")
    shown = approved[0].json()["metadata_json"]
    assert (shown["plan_hash"], shown["wave"]) == ("abc", 1)
    assert [wave["state"] for wave in shown["waves"]] == ["awaiting_approval", "waiting"]
