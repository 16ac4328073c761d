"""Usage: by day, without gaps, with exact sums."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest

from hydracore_crds import Instance
from tests.api.support.events import enrolled, post, usage
from tests.api.support.world import World


@pytest.fixture
async def instance(world: World) -> Instance:
    return await enrolled(world, world.instance("one"))


async def test_every_day_is_there_and_the_sums_are_exact(world: World, instance: Instance) -> None:
    await post(
        world,
        "usage",
        instance,
        usage("a", cost_usd="0.1"),
        usage("b", cost_usd="0.2", end_user_id="u-2"),
        usage("c", cost_usd="12.000000001", occurred_at="2030-04-29T23:59:59Z"),
        usage("d", cost_usd="99", occurred_at="2030-04-28T23:59:59Z", end_user_id="u-9"),
    )
    answer = await world.call("GET", f"/v1/instances/{instance.spec.id}/usage?days=3")
    assert answer.status_code == 200
    assert answer.json() == {
        "instance_id": instance.spec.id,
        "hostname": "one.local",
        "total_requests": 3,
        "total_tokens": 45,
        "total_cost_usd": "12.300000001",
        "unique_end_users": 2,
        "daily": [
            {"date": "2030-04-29", "requests": 1, "tokens": 15, "cost_usd": "12.000000001"},
            {"date": "2030-04-30", "requests": 0, "tokens": 0, "cost_usd": "0"},
            {"date": "2030-05-01", "requests": 2, "tokens": 30, "cost_usd": "0.3"},
        ],
    }


async def test_thirty_days_are_shown_where_nothing_is_said(
    world: World, instance: Instance
) -> None:
    found = (await world.call("GET", f"/v1/instances/{instance.spec.id}/usage")).json()
    assert len(found["daily"]) == 30
    assert found["total_cost_usd"] == "0"


async def test_large_amounts_have_no_exponent(world: World, instance: Instance) -> None:
    await post(world, "usage", instance, *(usage(f"e-{n}", cost_usd="1000000") for n in range(3)))
    found = (await world.call("GET", f"/v1/instances/{instance.spec.id}/usage")).json()
    assert found["total_cost_usd"] == "3000000"
    assert sum(Decimal(one["cost_usd"]) for one in found["daily"]) == 3_000_000


@pytest.mark.parametrize("days", ["0", "366", "-1", "many", "99999999999999999999"])
async def test_days_are_bounded(world: World, instance: Instance, days: str) -> None:
    path = f"/v1/instances/{instance.spec.id}/usage?days={days}"
    assert (await world.call("GET", path)).status_code == 422


async def test_another_tenants_is_as_an_unknown_one(world: World) -> None:
    theirs = world.instance("theirs", "other")
    paths = ("usage", "runtime/audit", "runtime/audit/summary")
    for path in paths:
        known = await world.call("GET", f"/v1/instances/{theirs.spec.id}/{path}")
        unknown = await world.call("GET", f"/v1/instances/{uuid.uuid4()}/{path}")
        assert (known.status_code, known.content) == (404, unknown.content), path
