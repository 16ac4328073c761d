"""Questions wait for an order's end, and for nothing else, by a clock that a test moves."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import pytest

from hydracore_agent.orders.longpoll import MOST_WAITING, TRIAL_SECONDS, LongPolls, Wait
from hydracore_agent.orders.task import FINAL
from tests.agent.support.world import TASK, World

LONG = Wait(TASK, 10.0)
PATIENCE = 5.0
"""Real seconds after which a test gives up."""


async def for_ever(_seconds: float) -> None:
    await asyncio.Event().wait()


def polls(world: World, sleep: Callable[[float], Awaitable[None]] = for_ever) -> LongPolls:
    return LongPolls(world.memory, clock=world.clock.monotonic, sleep=sleep)


def move(world: World, state: str) -> None:
    """Change the order as another process would: nobody here is told."""
    with world.memory.change() as memory:
        memory.move(memory.tasks[TASK], state, "", world.memory.stamp())


async def begun(made: LongPolls, wait: Wait = LONG) -> asyncio.Task[None]:
    """Return a question that is being kept waiting."""
    before = made.waiting
    asking = asyncio.create_task(made.hold(wait))
    while made.waiting == before:  # noqa: ASYNC110 - a number
        await asyncio.sleep(0)
    return asking


async def ended(asking: asyncio.Task[None]) -> None:
    await asyncio.wait_for(asking, PATIENCE)


async def test_the_end_lets_go_and_steps_before_it_do_not(world) -> None:
    world.remember(world.task())
    made = polls(world)
    asking = await begun(made)
    for state in ("downloading", "verifying"):
        move(world, state)
        made.stir()
        await asyncio.sleep(0)
    assert made.waiting == 1
    move(world, "rejected")
    made.stir()
    await ended(asking)
    assert made.waiting == 0


async def test_without_an_end_the_time_lets_go(world) -> None:
    world.remember(world.task())
    before = world.clock.monotonic()
    await polls(world, world.clock.sleep).hold(LONG)
    assert world.clock.monotonic() - before == LONG.seconds


async def test_the_launchers_verdict_on_a_trial_is_noticed(world) -> None:
    """It is stored by another process, which tells nobody."""
    world.remember(world.task(state="trial"))
    looks: list[float] = []

    async def sleep(seconds: float) -> None:
        looks.append(seconds)
        world.clock.advance(seconds)
        if len(looks) == 3:
            move(world, "activated")

    await polls(world, sleep).hold(LONG)
    assert looks == [TRIAL_SECONDS] * 3


@pytest.mark.parametrize("state", [*FINAL, "switching"])
async def test_where_this_process_has_nothing_more_to_do_nobody_waits(world, state) -> None:
    world.remember(world.task(state=state))
    await ended(asyncio.create_task(polls(world).hold(LONG)))


async def test_an_unknown_order_is_not_waited_for(world) -> None:
    await ended(asyncio.create_task(polls(world).hold(LONG)))


async def test_an_order_that_is_not_the_latest_is_not_waited_for(world) -> None:
    world.remember(world.task())
    made = polls(world)
    asking = await begun(made)
    world.remember(world.task(task_id=str(uuid.uuid4()), state="aborted"))
    made.stir()
    await ended(asking)


async def test_the_switch_lets_go(world) -> None:
    world.remember(world.task())
    made = polls(world)
    asking = await begun(made)
    move(world, "switching")
    made.stir()
    await ended(asking)


async def test_a_process_that_ends_lets_go_and_keeps_nobody_waiting_any_more(world) -> None:
    world.remember(world.task())
    made = polls(world)
    asking = await begun(made)
    made.close()
    await ended(asking)
    await ended(asyncio.create_task(made.hold(LONG)))


async def test_so_many_wait_and_others_are_answered_at_once(world) -> None:
    world.remember(world.task())
    made = polls(world)
    waiting = [await begun(made) for _ in range(MOST_WAITING)]
    await ended(asyncio.create_task(made.hold(LONG)))
    assert made.waiting == MOST_WAITING
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    waiting[0] = await begun(made)
    made.close()
    await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)
    assert made.waiting == 0
