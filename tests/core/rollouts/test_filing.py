"""Targets on shelves: sorted beforehand they give the very plan that they give in a heap."""

from __future__ import annotations

import random
from dataclasses import replace

from hydracore_core.rollouts.filing import Filed, Shelf, filed, shelf_of
from hydracore_core.rollouts.model import TenantView
from hydracore_core.rollouts.plan import plan
from hydracore_crds import RolloutTarget
from tests.core.rollouts.builders import (
    done,
    fleet,
    instance,
    policy,
    rollout,
    running,
    slot,
    target,
    view,
)


def _busy_tenant() -> TenantView:
    """Two rollouts, a namesake's leftovers, and a slot that names a target that has ended."""
    agents, gone = fleet(8), rollout("r1", incarnation=2)
    first, second = rollout("r1", admitted=True), rollout("r2", admitted=True)
    targets = [
        running(first, agents[0], 0),
        done(first, agents[1], 1, "succeeded"),
        done(first, agents[2], 2, "failed"),
        target(first, agents[3], 3),
        target(first, agents[4], 4),
        target(first, instance("away"), 5),
        done(second, agents[5], 0, "uncertain"),
        target(second, agents[6], 1),
        running(gone, agents[7], 7),
    ]
    slots = [slot(targets[0], agents[0]), slot(targets[1], agents[1])]
    return view(
        policy=policy(5), rollouts=[first, second], targets=targets, instances=agents, slots=slots
    )


def test_sorted_beforehand_or_not_the_plan_is_the_same() -> None:
    heap = _busy_tenant()
    for seed in range(5):
        targets = list(heap.targets)
        random.Random(seed).shuffle(targets)
        assert plan(replace(heap, targets=filed(targets))) == plan(heap)


def test_a_target_without_status_stands_with_the_queued_ones() -> None:
    owner, agent = rollout(), instance("a")
    new, queued = target(owner, agent), target(owner, agent, state="queued")
    assert shelf_of(new) == shelf_of(queued)
    assert shelf_of(new).state == "queued"
    assert shelf_of(running(owner, agent)) == shelf_of(new)._replace(state="in_progress")


def test_what_is_sorted_is_still_a_collection_of_all() -> None:
    heap = list(_busy_tenant().targets)
    found = filed(heap)
    names = sorted(one.metadata.uid for one in heap)
    assert sorted(one.metadata.uid for one in found) == names
    assert len(found) == len(heap)
    assert all(one in found for one in heap)
    assert [t.metadata.name for t in found.in_state("uncertain")] == ["r2-00000"]
    assert filed(found) is found


def test_nothing_stands_on_no_shelf() -> None:
    shelves: dict[Shelf, list[RolloutTarget]] = {}
    assert list(Filed(shelves)) == []
    assert list(filed([])) == []
