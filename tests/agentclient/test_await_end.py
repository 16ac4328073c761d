"""Questions that wait for an order's end: deadlines, turns of their own, what breaks them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import uuid4

import pytest
import pytest_asyncio

from hydracore_agentclient import (
    AgentClient,
    AgentStatus,
    ControlPlaneKey,
    Order,
    Refused,
    Timeout,
    Unreachable,
    WrongIdentity,
)
from tests.agentclient.agents import Identity, Request, serving
from tests.simulation.agent import SimAgent
from tests.simulation.agents import AgentFleet

TASK = "0c9a7f4e-52f1-4c3b-9d1e-6f3c1b2a7d10"
SHA = "ab" * 32
TOTAL = 0.3
WAITS = 2
LONG = 20.0
T = TypeVar("T")


def _now() -> datetime:
    return datetime.now(UTC)


@pytest_asyncio.fixture(loop_scope="session")
async def narrow(control_key: ControlPlaneKey) -> AsyncIterator[AgentClient]:
    """A client that asks one thing at a time, besides two questions that wait."""
    made = AgentClient(
        control_key,
        subject="operator",
        now=_now,
        connections=1,
        waits=WAITS,
        connect_seconds=TOTAL,
        total_seconds=TOTAL,
    )
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def fleet(control_key: ControlPlaneKey) -> AsyncIterator[AgentFleet]:
    async with AgentFleet(control_key) as made:
        yield made


async def _soon(asking: Awaitable[T]) -> T:
    return await asyncio.wait_for(asking, 5)


async def _order(client: AgentClient, fleet: AgentFleet, agent: SimAgent) -> str:
    """Have the agent take an order that lasts until it is released; return its id."""
    agent.hold = True
    order = Order(
        task_id=str(uuid4()),
        epoch=1,
        not_after=_now() + timedelta(minutes=1),
        slug="expressclaw",
        version="2.0.0",
        sha256=SHA,
        size_bytes=10,
        key_id="k",
        signature="s",
        url="http://127.0.0.1/none",
        force=False,
    )
    await client.send_order(fleet.endpoint(agent), order)
    return order.task_id


async def _waiting(
    client: AgentClient, fleet: AgentFleet, agent: SimAgent, task_id: str
) -> asyncio.Task[AgentStatus]:
    """Return a question that the agent keeps waiting."""
    before = agent.waiting
    asking = asyncio.create_task(client.await_end(fleet.endpoint(agent), task_id, LONG))
    while agent.waiting == before and not asking.done():  # noqa: ASYNC110 - a number
        await asyncio.sleep(0.005)
    return asking


async def test_the_end_is_told_when_it_comes(narrow: AgentClient, fleet: AgentFleet) -> None:
    agent = fleet.add()
    task_id = await _order(narrow, fleet, agent)
    asking = await _waiting(narrow, fleet, agent, task_id)
    asked = fleet.oracle.asked
    agent.release()
    found = await _soon(asking)
    assert found.task is not None
    assert (found.task.task_id, found.task.state) == (task_id, "activated")
    assert (found.bundle_hash, fleet.oracle.asked) == (SHA, asked)


async def test_the_answer_may_take_longer_than_others(
    narrow: AgentClient, fleet: AgentFleet
) -> None:
    agent = fleet.add()
    task_id = await _order(narrow, fleet, agent)
    found = await _soon(narrow.await_end(fleet.endpoint(agent), task_id, 2 * TOTAL))
    assert found.task is not None
    assert not found.task.final


async def test_an_agent_that_keeps_silent_is_waited_for_no_longer_than_it_may_wait(
    narrow: AgentClient,
) -> None:
    agent, begun = Identity(), time.monotonic()

    async def talk(_request: Request, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with serving(talk) as url:
        with pytest.raises(Timeout):
            await narrow.await_end(agent.endpoint(url), TASK, TOTAL)
    assert 2 * TOTAL <= time.monotonic() - begun < 2 * TOTAL + 2


async def test_it_says_what_is_waited_for_and_how_long(narrow: AgentClient) -> None:
    agent, paths = Identity(), []

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        paths.append(request.path)
        writer.write(agent.answer(request, agent.status()))

    async with serving(talk) as url:
        await narrow.await_end(agent.endpoint(url), TASK, 7.5)
    assert paths == [f"/api/status?until={TASK}&wait=7.500"]


async def test_an_older_agent_answers_at_once(narrow: AgentClient, fleet: AgentFleet) -> None:
    agent = fleet.add()
    agent.waits = False
    task_id = await _order(narrow, fleet, agent)
    found = await _soon(narrow.await_end(fleet.endpoint(agent), task_id, LONG))
    assert found.task is not None
    assert not found.task.final


async def test_a_restart_breaks_it(narrow: AgentClient, fleet: AgentFleet) -> None:
    agent = fleet.add()
    agent.restart_seconds = 0.2
    task_id = await _order(narrow, fleet, agent)
    asking = await _waiting(narrow, fleet, agent, task_id)
    agent.release()
    with pytest.raises(Unreachable):
        await _soon(asking)
    while agent.away:  # noqa: ASYNC110 - a flag
        await asyncio.sleep(0.005)
    found = await _soon(narrow.await_end(fleet.endpoint(agent), task_id, LONG))
    assert found.task is not None
    assert found.task.state == "activated"


async def test_a_wait_that_the_agent_does_not_grant_is_a_proved_refusal(
    narrow: AgentClient, fleet: AgentFleet
) -> None:
    with pytest.raises(Refused) as caught:
        await narrow.await_end(fleet.endpoint(fleet.add()), TASK, 21)
    assert (caught.value.status, caught.value.code) == (400, "invalid_request")


async def test_a_stranger_is_not_believed(narrow: AgentClient, fleet: AgentFleet) -> None:
    agent = fleet.add()
    agent.faults.wrong_identity = True
    with pytest.raises(WrongIdentity):
        await narrow.await_end(fleet.endpoint(agent), TASK, LONG)


async def test_as_many_wait_as_may_and_hold_up_nobody(
    narrow: AgentClient, fleet: AgentFleet
) -> None:
    agents = [fleet.add() for _ in range(WAITS + 1)]
    tasks = [await _order(narrow, fleet, agent) for agent in agents]
    waiting = [
        await _waiting(narrow, fleet, agent, task_id)
        for agent, task_id in zip(agents[:WAITS], tasks, strict=False)
    ]
    assert (await _soon(narrow.status(fleet.endpoint(agents[0])))).healthy
    one_more = await _soon(narrow.await_end(fleet.endpoint(agents[-1]), tasks[-1], LONG))
    assert one_more.task is not None
    assert not one_more.task.final
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    waiting[0] = await _waiting(narrow, fleet, agents[-1], tasks[-1])
    assert not waiting[0].done()
    for agent in agents:
        agent.release()
    ends = await _soon(asyncio.gather(*waiting))
    assert all(end.task is not None and end.task.final for end in ends)


async def test_more_orders_than_turns_are_waited_for_at_once(
    control_key: ControlPlaneKey, fleet: AgentFleet
) -> None:
    """The usual client has 256 turns; up to 500 orders of a tenant are in flight."""
    client = AgentClient(control_key, subject="operator", now=_now)
    agents = [fleet.add() for _ in range(300)]
    tasks = await asyncio.gather(*(_order(client, fleet, agent) for agent in agents))
    asking = [
        asyncio.create_task(client.await_end(fleet.endpoint(agent), task_id, LONG))
        for agent, task_id in zip(agents, tasks, strict=True)
    ]
    while not all(agent.waiting for agent in agents):  # noqa: ASYNC110 - numbers
        await asyncio.sleep(0.01)
    assert (await _soon(client.status(fleet.endpoint(agents[0])))).healthy
    for agent in agents:
        agent.release()
    ends = await asyncio.wait_for(asyncio.gather(*asking), LONG)
    assert all(end.task is not None and end.task.final for end in ends)
    await client.close()
