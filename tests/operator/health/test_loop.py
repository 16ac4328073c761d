"""The health loop with real SQL; what it changes goes through the real reconcile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiosqlite
import pytest
from structlog.testing import capture_logs

from hydracore_agentclient import (
    AgentEndpoint,
    AgentError,
    AgentStatus,
    InvalidAnswer,
    Unreachable,
)
from hydracore_crds import Instance, RolloutTarget
from hydracore_operator.health import HealthLoop
from hydracore_operator.health.loop import AFTER_PUSH_PER_SECOND, CONCURRENCY
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
    assert woken == []  # and the loop has stored the last outcomes at its end
    row = await world.ctx.history.health.get(instance_id)
    assert row is not None
    assert row.last_status is not None
    assert row.last_status["bundleHash"] == world.digest
    after = await world.instance("ada")
    assert after.metadata.resource_version == seen.metadata.resource_version


async def test_nothing_is_kept_of_an_instance_that_is_gone(world: World) -> None:
    seen = await prepared(world)
    loop = HealthLoop(world.ctx, world.verdicts)
    assert await loop.poll(seen.key) is not None
    assert set(loop._polls._asked) == {seen.key}
    world.ctx.stores.instances.remove(seen.key, seen.metadata.uid)
    assert await loop.poll(seen.key) is None
    assert loop._polls._asked == {}


async def test_unreachable_after_three_failures_then_healthy_again(world: World) -> None:
    seen = await prepared(world)
    instance_id, key = seen.spec.id or "", seen.key
    woken: list[str] = []
    loop = HealthLoop(world.ctx, world.verdicts, woken.append)
    world.agents.answers[instance_id] = Unreachable("no connection")
    for expected in ([], [], [key]):
        await loop.poll(key)
        assert woken == expected
    await loop.recorder.flush()
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
    await loop.poll(key)
    assert woken[1:] in ([key], [key, key])  # the runtime is told with the first answer
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
        loop = HealthLoop(world.ctx, world.verdicts, woken.append)
        async with running(loop):
            await eventually(lambda: seen.key in woken, seconds=15)
            world.agents.healthy(seen.spec.id or "", "1.0.0", world.digest)
            await eventually(lambda: loop.recorder.away, seconds=15)
            assert len(loop.recorder) >= 1
            await lock.rollback()
    row = await world.ctx.history.health.get(seen.spec.id or "")
    assert row is not None  # the loop stored at its end what had waited
    assert row.last_status is not None


async def test_a_finished_target_is_looked_at_at_once(world: World) -> None:
    seen = await prepared(world)
    every(world, interval=600.0)
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


def crowd(world: World, number: int) -> None:
    """Put Instances that run into the store."""
    status = {
        "state": "running",
        "healthStatus": "healthy",
        "agentUrl": "http://127.0.0.1:1",
        "agentPublicKey": "A" * 44,
        "conditions": [
            {
                "type": "AgentHealthy",
                "status": "True",
                "reason": "Healthy",
                "message": "",
                "lastTransitionTime": "2030-01-01T00:00:00Z",
            }
        ],
    }
    for n in range(number):
        uid = f"00000000-0000-4000-8000-{n:012d}"
        meta = {"name": f"i{n}", "namespace": "n", "uid": uid, "resourceVersion": "1"}
        spec = {"className": "c", "regionId": "r", "id": uid}
        wire = {"metadata": meta, "spec": spec, "status": status}
        world.ctx.stores.instances.upsert(Instance.model_validate(wire))


def every(world: World, **seconds: float) -> None:
    """Set the loop's intervals."""
    settings = world.ctx.settings.model_copy(
        update={f"health_{name}_seconds": value for name, value in seconds.items()}
    )
    object.__setattr__(world.ctx, "settings", settings)


async def test_never_more_at_once_than_allowed_and_none_twice(world: World) -> None:
    crowd(world, 3 * CONCURRENCY)
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


async def test_a_paused_instance_is_told_once_and_not_woken(world: World) -> None:
    seen = await prepared(world)
    paused = seen.model_copy(deep=True)
    paused.metadata.annotations["hydracore.io/paused"] = "true"
    paused.metadata.resource_version = str(10**15)
    world.ctx.stores.instances.upsert(paused)
    world.agents.answers[seen.spec.id or ""] = Unreachable("gone")
    woken: list[str] = []
    loop = HealthLoop(world.ctx, world.verdicts, woken.append)
    with capture_logs() as logs:
        for _ in range(8):
            await loop.poll(seen.key)
    assert [entry["health"] for entry in logs if entry["event"] == "health_changed"] == [
        "unreachable"
    ]
    assert woken == []


async def test_a_start_spreads_the_polls_and_does_not_examine_all(world: World) -> None:
    every(world, interval=2.0)
    crowd(world, 200)
    asked: list[float] = []

    async def status(ep: AgentEndpoint) -> AgentStatus:
        asked.append(time.monotonic())
        return AgentStatus(instance_id=ep.instance_id, healthy=True, health_status="healthy")

    world.agents.status = status  # type: ignore[method-assign]
    begun = time.monotonic()
    async with running(HealthLoop(world.ctx, world.verdicts, lambda _key: None)):
        await eventually(lambda: len(asked) >= 200)
    first_half = sum(1 for at in asked[:200] if at - begun < 1.0)
    assert 40 < first_half < 160
    assert len(world.agents.examined) < 20


async def test_what_a_large_rollout_finished_with_is_looked_at_one_after_the_other(
    world: World,
) -> None:
    every(world, interval=3000.0)
    crowd(world, 60)
    asked: set[str] = set()

    async def status(ep: AgentEndpoint) -> AgentStatus:
        asked.add(ep.instance_id)
        return AgentStatus(instance_id=ep.instance_id, healthy=True, health_status="healthy")

    world.agents.status = status  # type: ignore[method-assign]
    async with running(HealthLoop(world.ctx, world.verdicts, lambda _key: None)):
        await asyncio.sleep(0)
        begun = time.monotonic()
        for n in range(60):
            uid = f"00000000-0000-4000-8000-{n:012d}"
            wire = {
                "metadata": {"name": f"t{n}", "namespace": "n", "uid": f"u{n}"},
                "spec": {
                    "rolloutName": "r",
                    "instanceName": f"i{n}",
                    "instanceId": uid,
                    "bundleHash": "a" * 64,
                    "order": n,
                },
                "status": {"state": "succeeded"},
            }
            world.ctx.stores.targets.upsert(RolloutTarget.model_validate(wire))
        await eventually(lambda: len(asked) == 60, seconds=20)
        took = time.monotonic() - begun
    assert took >= 58 / AFTER_PUSH_PER_SECOND


async def test_who_stops_running_is_forgotten_and_who_starts_is_polled(world: World) -> None:
    every(world, interval=0.2)
    crowd(world, 2)
    asked: list[str] = []

    async def status(ep: AgentEndpoint) -> AgentStatus:
        asked.append(ep.instance_id)
        return AgentStatus(instance_id=ep.instance_id, healthy=True, health_status="healthy")

    world.agents.status = status  # type: ignore[method-assign]
    store = world.ctx.stores.instances
    loop = HealthLoop(world.ctx, world.verdicts, lambda _key: None)
    gone = store.get("n/i0")
    assert gone is not None
    async with running(loop):
        await eventually(lambda: len(set(asked)) == 2)
        store.remove(gone.key, gone.metadata.uid)
        assert loop.metrics()["agents"] == 1
        assert world.verdicts.get(gone.spec.id or "") is None
        assert [ep.instance_id for ep in world.agents.forgotten] == [gone.spec.id]
        crowd(world, 3)
        await eventually(lambda: len(set(asked)) == 3)
        asked.clear()
        await eventually(lambda: len(asked) > 10)
        assert gone.spec.id not in asked
    assert await world.ctx.history.health.get("00000000-0000-4000-8000-000000000002") is not None


async def test_a_loop_that_cannot_keep_up_says_so(world: World) -> None:
    every(world, interval=0.2)
    crowd(world, 400)

    async def slow(ep: AgentEndpoint) -> AgentStatus:
        await asyncio.sleep(0.1)
        raise Unreachable("slow")

    world.agents.status = slow  # type: ignore[method-assign]
    loop = HealthLoop(world.ctx, world.verdicts, lambda _key: None)
    with capture_logs() as logs:
        async with running(loop):
            await eventually(lambda: loop.metrics()["saturated"])
            await eventually(lambda: any(e["event"] == "health_saturated" for e in logs))
            figures = loop.metrics()
    assert figures["inFlight"] <= CONCURRENCY
    assert figures["failures"] == figures["polls"] > 0
    assert figures["latencyMs"] == {"p50": None, "p99": None}


async def test_an_agent_that_is_not_well_is_examined_and_sql_keeps_what_it_found(
    world: World,
) -> None:
    every(world, deep_interval=1000.0)
    seen = await prepared(world)
    instance_id = seen.spec.id or ""
    loop = HealthLoop(world.ctx, world.verdicts, lambda _key: None)
    await loop.poll(seen.key)
    assert world.agents.examined == []
    world.agents.answers[instance_id] = AgentStatus(
        instance_id=instance_id, healthy=True, health_status="degraded"
    )
    for _ in range(3):
        await loop.poll(seen.key)
    assert len(world.agents.examined) == 1
    await loop.recorder.flush()
    row = await world.ctx.history.health.get(instance_id)
    assert row is not None
    assert row.deep_health is not None
    assert row.deep_health["status"] == "degraded"
    assert row.deep_health_at == world.now
    assert row.latency_ms is not None
