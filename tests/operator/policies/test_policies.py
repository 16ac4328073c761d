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


def condition(policy: UpdatePolicy, type_: str) -> tuple[str, str, str]:
    found = find(policy.status.conditions, type_)
    assert found is not None
    assert found.observed_generation == policy.metadata.generation
    return found.status, found.reason, found.message


async def test_without_a_window_it_is_open_and_stays_as_it_is(world: World) -> None:
    await put(world)
    again, policy = await once(world)
    assert again is None
    assert accepted(policy) == ("True", "Accepted")
    assert condition(policy, "Valid") == ("True", "Valid", "all windows can be evaluated")
    text = "there is no window: updates may always start"
    assert condition(policy, "WindowOpen") == ("True", "WindowIsOpen", text)
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


NIGHTS = {
    "name": "nights",
    "kind": "allow",
    "schedule": "0 22 * * *",
    "duration": "6h",
    "timeZone": "Europe/Berlin",
}
FREEZE = {"name": "freeze", "kind": "deny", "schedule": "0 0 29 3 *", "duration": "24h"}


async def test_the_status_tells_when_it_opens_and_which_window_it_is(world: World) -> None:
    world.time[0] = datetime(2026, 3, 28, 12, tzinfo=UTC)
    await put(world, windows=[NIGHTS, FREEZE])
    opens = datetime(2026, 3, 28, 21, tzinfo=UTC)
    again, policy = await once(world)
    assert (again, policy.status.window_open, policy.status.next_opens_at) == (opens, False, opens)
    assert condition(policy, "WindowOpen") == (
        "False",
        "WindowIsClosed",
        "the maintenance window opens at 2026-03-28 21:00Z (allow window 'nights')",
    )
    world.time[0] = opens
    again, policy = await once(world)
    assert (policy.status.window_open, policy.status.next_opens_at) == (True, None)
    assert condition(policy, "WindowOpen")[2] == (
        "updates may start until 2026-03-29 00:00Z, when deny window 'freeze' begins "
        "(allow window 'nights')"
    )
    assert again == datetime(2026, 3, 29, tzinfo=UTC)
    world.time[0] = again
    again, policy = await once(world)
    # The clocks have gone forward: 22:00 in Berlin is 20:00 in UTC now, and denied till midnight.
    assert policy.status.next_opens_at == datetime(2026, 3, 30, tzinfo=UTC)
    assert condition(policy, "WindowOpen") == (
        "False",
        "WindowIsClosed",
        "blocked by deny window 'freeze' until 2026-03-30 00:00Z",
    )
    world.later(hours=5)
    _, after = await once(world)
    assert after.metadata.resource_version == policy.metadata.resource_version


async def test_a_window_that_cannot_be_evaluated_closes_and_says_what_to_do(world: World) -> None:
    world.time[0] = datetime(2026, 3, 28, 22, tzinfo=UTC)
    await put(world, windows=[NIGHTS, {**FREEZE, "timeZone": "Europe/Atlantis"}])
    again, policy = await once(world)
    assert (again, policy.status.window_open, policy.status.next_opens_at) == (None, False, None)
    assert condition(policy, "Valid") == (
        "False",
        "InvalidWindow",
        (
            "windows that cannot be evaluated; of these an allow window never opens, and a deny "
            "window always blocks: windows[1] (deny): the time zone 'Europe/Atlantis' is not "
            "known: write a name of the IANA database, for example 'Europe/Berlin' or 'Etc/UTC'"
        ),
    )
    body = {"spec": {"windows": [NIGHTS]}}
    await world.admin.patch(UpdatePolicy, "default", world.namespace, body)
    _, policy = await once(world)
    assert policy.status.window_open is True
    assert condition(policy, "Valid")[:2] == ("True", "Valid")


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
