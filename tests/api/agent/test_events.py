"""Events that agents post: their own, once each, within bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hydracore_crds import Instance
from tests.api.support.events import KEY, audit, enrolled, post, usage
from tests.api.support.world import World

Maker = Callable[..., dict[str, Any]]
KINDS: list[tuple[str, Maker]] = [("usage", usage), ("audit", audit)]


@pytest.fixture
async def instance(world: World) -> Instance:
    return await enrolled(world, world.instance("one"))


@pytest.mark.parametrize(("what", "event"), KINDS)
async def test_a_batch_may_come_again(
    world: World, instance: Instance, what: str, event: Maker
) -> None:
    first = await post(world, what, instance, event("a"), event("b"), event("a"))
    assert (first.status_code, first.json()) == (200, {"accepted": 2, "duplicates": 1})
    again = await post(world, what, instance, event("a"), event("c"))
    assert again.json() == {"accepted": 1, "duplicates": 1}


@pytest.mark.parametrize(("what", "event"), KINDS)
async def test_an_agent_speaks_of_itself_only(
    world: World, instance: Instance, what: str, event: Maker
) -> None:
    other = await enrolled(world, world.instance("other"), "hca_" + "o" * 43)
    assert (await post(world, what, other, event(), key=KEY)).status_code == 403
    assert (await post(world, what, instance, event(), key="hca_" + "x" * 43)).status_code == 401
    tenants = await world.key()
    body = {"instance_id": instance.spec.id, "events": [event()]}
    answer = await world.call("POST", f"/agent/v1/{what}", headers=tenants, json=body)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        ("usage", usage(cost_usd="0.0000000001")),
        ("usage", usage(cost_usd="-1")),
        ("usage", usage(cost_usd="NaN")),
        ("usage", usage(input_tokens=-1)),
        ("usage", usage(output_tokens=2**70)),
        ("usage", usage(event_id="")),
        ("usage", usage(event_id="a/b")),
        ("usage", usage(occurred_at="2030-05-01T11:59:00")),
        ("usage", usage(price=1)),
        ("usage", usage(model="m\x00")),
        ("audit", audit(outcome="maybe")),
        ("audit", audit(source="A Source")),
        ("audit", audit(metadata_json={"long": "x" * 9000})),
        ("audit", audit(metadata_json={"number": 2**70})),
        ("audit", audit(metadata_json={"text": "\ud800"})),
    ],
)
async def test_one_wrong_event_is_named_and_nothing_is_stored(
    world: World, instance: Instance, what: str, wrong: dict[str, Any]
) -> None:
    good = usage("good") if what == "usage" else audit("good")
    answer = await post(world, what, instance, good, wrong)
    assert answer.status_code == 422
    assert answer.json()["detail"]
    assert (await post(world, what, instance, good)).json()["accepted"] == 1


@pytest.mark.parametrize(("what", "event"), KINDS)
async def test_a_batch_has_1_to_500_events(
    world: World, instance: Instance, what: str, event: Maker
) -> None:
    assert (await post(world, what, instance)).status_code == 422
    many = [event(f"e-{n}") for n in range(501)]
    assert (await post(world, what, instance, *many)).status_code == 422
    assert (await post(world, what, instance, *many[:500])).json()["accepted"] == 500


async def test_a_clock_that_runs_ahead_puts_nothing_into_the_future(
    world: World, instance: Instance
) -> None:
    await post(world, "usage", instance, usage(occurred_at="2031-01-01T00:00:00+02:00"))
    await post(world, "audit", instance, audit(event_ts="2031-01-01T00:00:00+02:00"))
    path = f"/v1/instances/{instance.spec.id}"
    today = (await world.call("GET", f"{path}/usage?days=1")).json()["daily"]
    assert [(one["date"], one["requests"]) for one in today] == [("2030-05-01", 1)]
    (event,) = (await world.call("GET", f"{path}/runtime/audit")).json()
    assert event["event_ts"] == event["ingested_at"]
