"""UpdatePolicy at the real API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.crds.support import NOW, Door, changed, make

pytestmark = pytest.mark.cluster

GOOD = make("UpdatePolicy", "default", {"maxParallelRollouts": 3})


@pytest.fixture
def policies(door: Callable[..., Door], namespace: str) -> Door:
    return door("updatepolicies", namespace)


async def test_an_empty_policy_gets_the_default_limit_and_no_modes(policies: Door) -> None:
    spec = (await policies.check(changed(GOOD, "spec", {})))["spec"]
    assert spec == {"maxParallelRollouts": 2, "openingJitterSeconds": 0}


@pytest.mark.parametrize("field", ["runtime", "skills", "mcpServers"])
async def test_modes(policies: Door, field: str) -> None:
    for mode in ("auto", "notify", "disabled"):
        await policies.check(changed(GOOD, f"spec.{field}", mode))
    await policies.refuses(
        changed(GOOD, f"spec.{field}", "sometimes"),
        f"spec.{field}",
        'supported values: "auto", "notify", "disabled"',
    )


async def test_there_is_one_for_each_tenant(policies: Door) -> None:
    await policies.refuses(
        changed(GOOD, "metadata.name", "other"),
        "an UpdatePolicy must be named 'default': there is one for each tenant",
    )


@pytest.mark.parametrize("limit", [1, 500])
async def test_the_limit_reaches_from_1_to_500(policies: Door, limit: int) -> None:
    obj = changed(GOOD, "spec.maxParallelRollouts", limit)
    assert (await policies.check(obj))["spec"]["maxParallelRollouts"] == limit


@pytest.mark.parametrize("limit", [0, 501])
async def test_other_limits_are_refused(policies: Door, limit: int) -> None:
    obj = changed(GOOD, "spec.maxParallelRollouts", limit)
    await policies.refuses(obj, "spec.maxParallelRollouts")


@pytest.mark.parametrize("window", [(0, 0), (22, 4), (0, 23), (23, 23)])
async def test_windows(policies: Door, window: tuple[int, int]) -> None:
    hours = {"startHourUtc": window[0], "endHourUtc": window[1]}
    obj = changed(GOOD, "spec.maintenanceWindow", hours)
    assert (await policies.check(obj))["spec"]["maintenanceWindow"] == hours


@pytest.mark.parametrize("window", [{"startHourUtc": 1}, {"endHourUtc": 1}, {}])
async def test_a_window_needs_both_ends(policies: Door, window: dict[str, int]) -> None:
    await policies.refuses(
        changed(GOOD, "spec.maintenanceWindow", window),
        "spec.maintenanceWindow: Invalid value",
        "maintenanceWindow needs both startHourUtc and endHourUtc: give the missing one, or remove "
        "maintenanceWindow to allow updates at all hours",
    )


@pytest.mark.parametrize("end", ["startHourUtc", "endHourUtc"])
@pytest.mark.parametrize("hour", [-1, 24])
async def test_hours_have_bounds(policies: Door, end: str, hour: int) -> None:
    window = {"startHourUtc": 1, "endHourUtc": 2, end: hour}
    await policies.refuses(
        changed(GOOD, "spec.maintenanceWindow", window), f"spec.maintenanceWindow.{end}"
    )


async def test_everything_may_be_changed_later(policies: Door) -> None:
    await policies.create(GOOD)
    window = {"startHourUtc": 1, "endHourUtc": 2}
    body = {"runtime": "auto", "maxParallelRollouts": 9, "maintenanceWindow": window}
    stored = (await policies.patch("default", {"spec": body}))["spec"]
    assert stored == {**body, "openingJitterSeconds": 0}
    half = {"spec": {"maintenanceWindow": {"endHourUtc": None}}}
    await policies.refuses_patch("default", half, "needs both startHourUtc and endHourUtc")


async def test_columns(policies: Door, namespace: str, kubectl: Callable[..., Any]) -> None:
    await policies.create(changed(GOOD, "spec.runtime", "auto"))
    found = {"windowOpen": False, "nextOpensAt": NOW, "inFlight": 1}
    await policies.patch("default", {"status": found}, status=True)
    shown = kubectl("get", "hup", "-n", namespace, check=True).stdout.splitlines()
    assert shown[0].split() == [
        "NAME",
        "RUNTIME",
        "PARALLEL",
        "WINDOW-OPEN",
        "NEXT-OPENS",
        "IN-FLIGHT",
        "AGE",
    ]
    assert shown[1].split()[:6] == ["default", "auto", "3", "false", NOW, "1"]


async def test_in_flight_is_never_negative(policies: Door) -> None:
    await policies.create(GOOD)
    await policies.refuses_patch(
        "default", {"status": {"inFlight": -1}}, "status.inFlight", status=True
    )


HOOK: dict[str, Any] = {"name": "pager", "url": "https://hooks.example:8443/acme?x=1"}


def told(*webhooks: dict[str, Any]) -> dict[str, Any]:
    """Return a policy with these webhooks."""
    return changed(GOOD, "spec.notifications", list(webhooks))


async def test_webhooks(policies: Door) -> None:
    every = ["halted", "awaiting_approval", "rolling_back", "succeeded", "failed", "cancelled"]
    good = [HOOK, {"name": "chat", "url": "http://chat", "events": every}]
    assert (await policies.check(told(*good)))["spec"]["notifications"] == good


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.example/",
        "https://ada:pass@hooks.example/",
        "https:///path",
        "https://hooks.example/a b",
        "https://hooks.example/#part",
        "HTTPS://hooks.example/",
    ],
)
async def test_urls_that_are_refused(policies: Door, url: str) -> None:
    await policies.refuses(told({**HOOK, "url": url}), "url must be https://host[:port]/path")


async def test_webhooks_are_few_and_have_names_of_their_own(policies: Door) -> None:
    five = [{**HOOK, "name": f"h{n}"} for n in range(5)]
    await policies.refuses(told(*five), "spec.notifications", "4")
    await policies.refuses(told(HOOK, HOOK), "spec.notifications[1]", "Duplicate value")


@pytest.mark.parametrize("events", [[], ["paused"], ["halted", "halted"]])
async def test_events_that_are_refused(policies: Door, events: list[str]) -> None:
    await policies.refuses(told({**HOOK, "events": events}), "spec.notifications[0].events")
