"""Writes that survive other writers."""

from __future__ import annotations

import asyncio

import pytest

from hydracore_crds import Rollout
from hydracore_crds.rollout import RolloutStatus
from hydracore_kube import ObjectStore
from hydracore_operator.rollouts.writes import ContendedError, Writes, bounded
from tests.operator.rollouts import builders
from tests.operator.rollouts.fakes import FakeKube


def paused(_fresh: Rollout) -> RolloutStatus:
    return RolloutStatus(state="paused")


async def test_a_conflict_is_decided_again_on_the_fresh_copy() -> None:
    kube, store = FakeKube(), ObjectStore(Rollout)
    old = kube.put(builders.rollout())
    kube.annotate(old, other="writer")
    seen: list[str] = []

    def decide(fresh: Rollout) -> RolloutStatus:
        seen.append(fresh.metadata.resource_version)
        return RolloutStatus(state="paused")

    written = await Writes(kube, conflicts=5).status(store, old, decide)  # type: ignore[arg-type]
    assert written is not None
    assert len(set(seen)) == 2
    assert written.metadata.annotations == {"other": "writer"}
    assert store.get(old.key) == written


async def test_a_recreated_object_is_left_alone() -> None:
    kube, store = FakeKube(), ObjectStore(Rollout)
    old = kube.put(builders.rollout())
    kube.remove(old)
    new = kube.put(builders.rollout())
    assert await Writes(kube, conflicts=5).status(store, old, paused) is None  # type: ignore[arg-type]
    assert kube.current(new).status.state is None


async def test_a_vanished_object_is_no_error() -> None:
    kube, store = FakeKube(), ObjectStore(Rollout)
    old = kube.put(builders.rollout())
    kube.remove(old)
    assert await Writes(kube, conflicts=5).status(store, old, paused) is None  # type: ignore[arg-type]


async def test_endless_conflicts_end() -> None:
    kube, store = FakeKube(), ObjectStore(Rollout)
    old = kube.put(builders.rollout())

    async def meddle(_verb: str, _name: str) -> None:
        kube.annotate(old, other="writer")

    kube.before = meddle
    with pytest.raises(ContendedError, match="5 conflicts"):
        await Writes(kube, conflicts=5).status(store, old, paused)  # type: ignore[arg-type]


async def test_bounded_runs_all_keeps_order_and_hands_back_failures() -> None:
    running = most = 0

    async def job(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        if number == 3:
            raise ValueError("three")
        return number

    results = await bounded([lambda n=n: job(n) for n in range(8)], at_once=3)  # type: ignore[misc]
    assert most == 3
    assert [r for r in results if isinstance(r, int)] == [0, 1, 2, 4, 5, 6, 7]
    assert isinstance(results[3], ValueError)
