from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.model import Report, Settle, Start, TenantView, Track
from hydracore_core.rollouts.plan import plan
from tests.core.rollouts.builders import (
    NOW,
    done,
    fleet,
    policy,
    rollout,
    running,
    slot,
    target,
    view,
)

FLEET = fleet(8)


def busy(seed: int = 0) -> TenantView:
    """Build a tenant in which many things are to be decided at once, its lists shuffled."""
    shuffle = random.Random(seed).shuffle
    first = rollout("first", admitted=True, age=timedelta(hours=2))
    second = rollout("second", version="1.2.0", admitted=True, age=timedelta(hours=1))
    third = rollout("third", version="1.2.0", instance_names=["a-6", "a-7"])
    flying = running(first, FLEET[0])
    late = running(second, FLEET[1], deadline=NOW - timedelta(minutes=1))
    targets = [flying, late, target(first, FLEET[2], 1), target(second, FLEET[2], 2)]
    targets += [target(first, FLEET[n], n) for n in (3, 4, 5)]
    targets += [done(second, FLEET[3], 3, "failed"), done(second, FLEET[4], 4, "uncertain")]
    slots = [slot(flying, FLEET[0]), slot(late, FLEET[1])]
    lists: dict[str, list[Any]] = {
        "rollouts": [first, second, third],
        "targets": targets,
        "instances": FLEET[:5] + FLEET[6:],
        "slots": slots,
    }
    for items in lists.values():
        shuffle(items)
    return view(policy=policy(4), **lists)


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_same_view_gives_the_same_plan_whatever_the_order(seed: int) -> None:
    assert plan(busy(seed)) == plan(busy(0))


def test_the_view_is_left_as_it_is() -> None:
    given = busy()
    before = [obj.model_dump_json() for obj in (*given.rollouts, *given.targets, *given.instances)]
    plan(given)
    after = [obj.model_dump_json() for obj in (*given.rollouts, *given.targets, *given.instances)]
    assert before == after


def test_what_stops_comes_before_what_is_reported_and_that_before_what_starts() -> None:
    order = [Settle, Report, Start, Track]
    owner = rollout(admitted=True)
    targets = [
        running(owner, FLEET[0]),
        target(owner, FLEET[1], 1),
        target(owner, fleet(9)[8], 8),
    ]
    made = plan(view(rollouts=[owner], targets=targets, instances=FLEET))
    assert [type(intent) for intent in made.intents] == order


def test_an_empty_tenant_needs_nothing() -> None:
    made = plan(view())
    assert made.intents == ()
    assert made.wake_at is None
    assert (made.limit, made.in_flight) == (2, 0)
    assert plan(view(policy=None)).limit == 2


def test_it_wakes_at_the_soonest_edge_or_deadline() -> None:
    owner = rollout(admitted=True)
    flying = running(owner, FLEET[0])
    fields: dict[str, Any] = {"rollouts": [owner], "targets": [flying], "instances": FLEET}
    assert plan(view(**fields)).wake_at == NOW + timedelta(minutes=14)
    closing = policy(2, window=(11, 13))
    made = plan(view(**fields, policy=closing))
    assert made.wake_at == NOW + timedelta(minutes=14)
    made = plan(view(**fields, policy=closing, now=NOW - timedelta(minutes=50)))
    assert made.wake_at == NOW + timedelta(minutes=14)
    made = plan(view(policy=closing))
    assert made.wake_at == NOW + timedelta(hours=1)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        plan(view(now=NOW.replace(tzinfo=None)))
