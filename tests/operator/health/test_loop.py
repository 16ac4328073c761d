"""The health loop with real SQL; what it changes goes through the real reconcile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiosqlite
import pytest

from hydracore_agentclient import (
    AgentEndpoint,
    AgentError,
    AgentStatus,
    InvalidAnswer,
    Unreachable,
)
from hydracore_crds import Instance, RolloutTarget
from hydracore_operator.health import HealthLoop
from hydracore_operator.health.loop import CONCURRENCY
from tests.operator.instances.world import World, is_ready, reason

pytestmark = pytest.mark.cluster


async def eventually(check: Callable[[], bool | Awaitable[bool]], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def running(loop: HealthLoop) -> AsyncIterator[None]:
    task = asyncio.create_task(loop.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def prepared(world: World) -> Instance:
    await world.publish()
    await world.sell()
    seen = await world.ready()
    await world.refresh()
    return seen


async def test_steady_state_wakes_and_writes_nothing(world: World) -> None:
    seen = await prepared(world)
    instance_id = seen.spec.id or ""
    woken: list[str] = []
    asked = len(world.agents.asked)
    async with running(HealthLoop(world.ctx, world.verdicts, woken.append)):
        await eventually(lambda: len(world.agents.asked) >= asked + 5)
    assert woken == []
    row = await world.ctx.history.health.get(instance_id)
    assert row is not None
    assert row.last_status is not None
    assert row.last_status["bundleHash"] == world.digest
    after = await world.instance("ada")
    assert after.metadata.resource_version == seen.metadata.resource_version


async def test_unreachable_after_three_failures_then_healthy_again(world: World) -> None:
    seen = await prepared(world)
    instance_id, key = seen.spec.id or "", seen.key
    woken: list[str] = []
    loop = HealthLoop(world.ctx, world.verdicts, woken.append)
    world.agents.answers[instance_id] = Unreachable("no connection")
    for expected in ([], [], [key]):
        await loop.poll(key)
        assert woken == expected
    row = await world.ctx.history.health.get(instance_id)
    assert row is not None
    assert (row.failures, row.last_error) == (3, "no connection")
    await world.once("ada")
    down = await world.instance("ada")
    assert (down.status.state, down.status.health_status) == ("running", "unreachable")
    assert not is_ready(down)
    assert reason(down, "AgentHealthy") == "Unreachable"
    assert down.status.runtime is not None  # what it ran is still known
    await world.refresh()
    await loop.poll(key)
    assert woken == [key]  # told already
    world.agents.healthy(instance_id, "1.1.0", "cd" * 32)
    await loop.poll(key)
    assert woken == [key, key]
    await world.once("ada")
    up = await world.instance("ada")
    assert is_ready(up)
    assert up.status.runtime is not None
    assert up.status.runtime.version == "1.1.0"
    assert up.status.error_code is None


@pytest.mark.parametrize("error", [Unreachable("restarting"), InvalidAnswer("half an answer")])
async def test_a_single_failed_question_of_the_reconcile_changes_nothing(
    world: World, error: AgentError
) -> None:
    seen = await prepared(world)
    world.agents.answers[seen.spec.id or ""] = error
    world.restart()
    await world.once("ada")
    after = await world.instance("ada")
    assert after.metadata.resource_version == seen.metadata.resource_version


async def test_polling_goes_on_without_sql(world: World) -> None:
    seen = await prepared(world)
    woken: list[str] = []
    path = world.ctx.settings.database_url.removeprefix("sqlite+aiosqlite:///")
    async with aiosqlite.connect(path) as lock:
        await lock.execute("BEGIN EXCLUSIVE")
        world.agents.answers[seen.spec.id or ""] = Unreachable("gone")
        async with running(HealthLoop(world.ctx, world.verdicts, woken.append)):
            await eventually(lambda: seen.key in woken, seconds=15)
        await lock.rollback()


async def test_a_finished_target_is_looked_at_at_once(world: World) -> None:
    seen = await prepared(world)
    settings = world.ctx.settings.model_copy(update={"health_interval_seconds": 600.0})
    object.__setattr__(world.ctx, "settings", settings)
    asked = len(world.agents.asked)
    woken: list[str] = []
    loop = HealthLoop(world.ctx, world.verdicts, woken.append)
    async with running(loop):
        await asyncio.sleep(0)
        world.agents.healthy(seen.spec.id or "", "1.1.0", "cd" * 32)
        for state in ("in_progress", "succeeded"):
            target = {
                "metadata": {"name": "t", "namespace": world.namespace, "uid": "u"},
                "spec": {
                    "rolloutName": "r",
                    "instanceName": "ada",
                    "instanceId": seen.spec.id,
                    "bundleHash": world.digest,
                    "order": 0,
                },
                "status": {"state": state},
            }
            world.ctx.stores.targets.upsert(RolloutTarget.model_validate(target))
        await eventually(lambda: woken == [seen.key])
    assert len(world.agents.asked) == asked + 1


async def test_never_more_at_once_than_allowed_and_none_twice(world: World) -> None:
    body = {"spec": {"className": "c", "regionId": "r"}}
    status = {"state": "running", "agentUrl": "http://127.0.0.1:1", "agentPublicKey": "A" * 44}
    for number in range(3 * CONCURRENCY):
        uid = f"00000000-0000-4000-8000-{number:012d}"
        meta = {"name": f"i{number}", "namespace": "n", "uid": uid, "resourceVersion": "1"}
        wire = {**body, "metadata": meta, "spec": {**body["spec"], "id": uid}, "status": status}
        world.ctx.stores.instances.upsert(Instance.model_validate(wire))
    open_now: list[str] = []
    most, asked = 0, set()

    async def slow(ep: AgentEndpoint) -> AgentStatus:
        nonlocal most
        assert ep.instance_id not in open_now
        open_now.append(ep.instance_id)
        most = max(most, len(open_now))
        asked.add(ep.instance_id)
        try:
            await asyncio.sleep(0.05)
        finally:
            open_now.remove(ep.instance_id)
        raise Unreachable("slow")

    world.agents.status = slow  # type: ignore[method-assign]
    async with running(HealthLoop(world.ctx, world.verdicts, lambda _key: None)):
        await eventually(lambda: len(asked) == 3 * CONCURRENCY, seconds=20)
    assert 1 < most <= CONCURRENCY
    assert open_now == []
