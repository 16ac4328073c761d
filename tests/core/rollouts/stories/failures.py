"""Failures: thresholds, retries, deadlines, answers that do not come."""

from __future__ import annotations

from tests.core.rollouts import deeds
from tests.core.rollouts.agents import CRASH, Behaviour
from tests.core.rollouts.builders import fleet, policy
from tests.core.rollouts.simulation import World
from tests.core.rollouts.stories.times import EVENING, NOON


def progress_deadline(seed: int) -> World:
    """Twenty minutes without a success halt it; pause and closed window do not count in."""
    there = {i.metadata.name: i for i in fleet(3)}
    world = World(EVENING, seed, policy=policy(1, window=(22, 23)), instances=there)
    for name in ("a-1", "a-2"):
        world.at(15, deeds.change_instance(name, health_status="unreachable"))
    deeds.create(strategy={"progressDeadlineSeconds": 1200})(world)
    world.at(20, deeds.pause())
    world.at(60, deeds.resume())
    a_day = 24 * 60
    world.at(a_day + 25, deeds.change_instance("a-1", health_status="healthy"))
    world.at(a_day + 30, deeds.resume())
    world.at(a_day + 55, deeds.change_instance("a-2", health_status="healthy"))
    world.at(a_day + 60, deeds.resume())
    world.run(2 * a_day)
    return world


def automatic_retry(seed: int) -> World:
    """Two retries with backoff: one is cured by them, one is not, one is rejected: no retry."""
    world = World(NOON, seed, policy=policy(1))
    deeds.script("a-0", CRASH, CRASH)(world)
    deeds.script("a-1", Behaviour(minutes=1, outcome="rejected", message="bad signature"))(world)
    deeds.script("a-2", CRASH, CRASH, CRASH)(world)
    strategy = {"retryLimit": 2, "retryBackoffSeconds": 300, "failureThreshold": {"count": 2}}
    deeds.create(strategy=strategy)(world)
    world.at(40, deeds.retry("r1-00002"))
    world.run(60)
    return world


def uncertain_ignored(seed: int) -> World:
    """An unknown outcome halts nothing where it is ignored; the rollout is no success for it."""
    world = World(NOON, seed, policy=policy(1), instances={i.metadata.name: i for i in fleet(3)})
    deeds.script("a-0", Behaviour(minutes=3, silent=300))(world)
    strategy = {"uncertainCountsAs": "ignored", "waves": [{"count": 2}]}
    deeds.create(strategy=strategy)(world)
    world.run(60)
    return world


def target_timeout(seed: int) -> World:
    """Five minutes for each target: one is slower, and its agent stops by the order's end."""
    world = World(NOON, seed, policy=policy(1), instances={i.metadata.name: i for i in fleet(2)})
    deeds.script("a-0", Behaviour(minutes=8))(world)
    strategy = {"targetTimeoutSeconds": 300, "failureThreshold": {"count": 2}}
    deeds.create(strategy=strategy)(world)
    world.run(60)
    return world


def halt_and_resume(seed: int) -> World:
    """Two crash together: halt. The resume accepts these; a later failure halts again."""
    world = World(NOON, seed)
    for name in ("a-0", "a-1", "a-2"):
        deeds.script(name, CRASH)(world)
    deeds.create()(world)
    world.at(20, deeds.resume())
    world.at(40, deeds.retry("r1-00002"))
    world.at(50, deeds.resume())
    world.run(120)
    return world


def percent_threshold(seed: int) -> World:
    """Half may fail, but only once four have run."""
    world = World(NOON, seed)
    for name in ("a-0", "a-1"):
        deeds.script(name, CRASH)(world)
    deeds.create(strategy={"failureThreshold": {"percent": 50, "minExecuted": 4}})(world)
    world.run(60)
    return world


def carry_on(seed: int) -> World:
    """``onFailure: continue`` never halts; the rollout ends as failed."""
    world = World(NOON, seed)
    for name in ("a-0", "a-2", "a-4"):
        deeds.script(name, CRASH)(world)
    deeds.create(strategy={"onFailure": "continue", "maxParallel": 1})(world)
    world.run(60)
    return world


def lost_answer(seed: int) -> World:
    """An agent is silent past its deadline: uncertain, then settled by late evidence."""
    world = World(NOON, seed, instances={i.metadata.name: i for i in fleet(3)})
    deeds.script("a-0", Behaviour(minutes=3, silent=40))(world)
    deeds.script("a-1", Behaviour(minutes=3, silent=300))(world)
    deeds.create(strategy={"failureThreshold": {"count": 3}})(world)
    world.run(6 * 60)
    return world


def retry_and_refusal(seed: int) -> World:
    """A retry reopens a finished rollout; after a newer rollout it is refused."""
    world = World(NOON, seed, instances={i.metadata.name: i for i in fleet(2)})
    deeds.script("a-1", CRASH, CRASH)(world)
    deeds.create()(world)
    world.at(10, deeds.retry("r1-00001"))
    world.at(20, deeds.create("r2", version="1.2.0"))
    world.at(30, deeds.retry("r1-00001"))
    world.run(60)
    return world


STORIES = (
    progress_deadline,
    automatic_retry,
    uncertain_ignored,
    target_timeout,
    halt_and_resume,
    percent_threshold,
    carry_on,
    lost_answer,
    retry_and_refusal,
)
