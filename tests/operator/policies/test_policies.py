"""UpdatePolicies on the real API server, with a clock that is turned."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hydracore_crds import RolloutTarget, UpdatePolicy
from hydracore_crds.base import find
from hydracore_operator.policies import PolicyReconciler
from tests.operator.instances.world import World

pytestmark = pytest.mark.cluster


async def put(world: World, **spec: Any) -> UpdatePolicy:
    body = {"metadata": {"name": "default", "namespace": world.namespace}, "spec": spec}
    return await world.admin.create(UpdatePolicy.model_validate(body))


async def once(world: World) -> tuple[datetime | None, UpdatePolicy]:
    await world.refresh()
    again = await PolicyReconciler(world.ctx).reconcile(f"{world.namespace}/default")
    return again, await world.admin.get(UpdatePolicy, "default", world.namespace)


def accepted(policy: UpdatePolicy) -> tuple[str, str]:
    found = find(policy.status.conditions, "Accepted")
    assert found is not None
    return found.status, found.reason


async def test_without_a_window_it_is_open_and_stays_as_it_is(world: World) -> None:
    await put(world)
    again, policy = await once(world)
    assert again is None
    assert accepted(policy) == ("True", "Accepted")
    assert policy.status.window_open is True
    assert policy.status.next_opens_at is None
    assert policy.status.in_flight == 0
    world.later(hours=5)
    _, after = await once(world)
    assert after.metadata.resource_version == policy.metadata.resource_version


async def test_it_follows_the_window_over_midnight(world: World) -> None:
    world.time[0] = datetime(2026, 3, 1, 21, 59, tzinfo=UTC)
    await put(world, maintenanceWindow={"startHourUtc": 22, "endHourUtc": 4})
    again, policy = await once(world)
    assert again == datetime(2026, 3, 1, 22, tzinfo=UTC)
    assert policy.status.window_open is False
    assert policy.status.next_opens_at == again
    world.time[0] = again
    again, policy = await once(world)
    assert (policy.status.window_open, policy.status.next_opens_at) == (True, None)
    assert again == datetime(2026, 3, 2, 4, tzinfo=UTC)
    world.time[0] = again
    again, policy = await once(world)
    assert policy.status.window_open is False
    assert policy.status.next_opens_at == datetime(2026, 3, 2, 22, tzinfo=UTC)


async def test_in_flight_counts_targets_in_progress(world: World) -> None:
    await put(world)
    for order, state in enumerate(("in_progress", "queued", "in_progress", "failed")):
        body: dict[str, Any] = {
            "metadata": {"name": f"t-{order}", "namespace": world.namespace},
            "spec": {
                "rolloutName": "r",
                "instanceName": f"i{order}",
                "instanceId": "11111111-2222-4333-8444-555555555555",
                "bundleHash": world.digest,
                "order": order,
            },
        }
        made = await world.admin.create(RolloutTarget.model_validate(body))
        status = {"status": {"state": state}}
        await world.admin.patch(
            RolloutTarget, made.metadata.name, world.namespace, status, subresource="status"
        )
    _, policy = await once(world)
    assert policy.status.in_flight == 2


async def test_a_namespace_without_the_label_is_no_tenant(world: World) -> None:
    await put(world)
    label = {"metadata": {"labels": {"hydracore.io/tenant-id": None}}}
    await world.admin.patch_raw(f"/api/v1/namespaces/{world.namespace}", label)
    _, policy = await once(world)
    assert accepted(policy) == ("False", "NotATenant")
