"""One loop that asks every running agent how it is, bounded in number and spread in time."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

from hydracore_agentclient import AgentEndpoint
from hydracore_crds import Instance, RolloutTarget
from hydracore_crds.rollout_target import TERMINAL_STATES
from hydracore_operator.context import Context
from hydracore_operator.health.examinations import Examinations
from hydracore_operator.health.gauge import Gauge
from hydracore_operator.health.polls import Polls, endpoint_of
from hydracore_operator.health.recorder import Recorder
from hydracore_operator.health.schedule import Schedule
from hydracore_operator.health.verdicts import Seen, Verdicts, limits_for

CONCURRENCY = 64
"""Most agents asked at once."""
JITTER = 0.1
"""Intervals differ by so much of their length, so that agents are not asked in step."""
DOUBT_SHARE = 1 / 3
"""An agent whose last poll differs from what is believed is asked again after this share."""
TICK_SECONDS = 0.05
"""Polls that fall due within one tick start together: fewer wake-ups, unnoticeable lag."""
AFTER_PUSH_PER_SECOND = 25
"""How many agents that a rollout has finished with are asked in a second: what follows from their
answers (the Instances' statuses) must not take the API server's writes from the rollout itself.
None waits longer than the interval."""
LAST_SECONDS = 3.0
"""How long storing the last outcomes may hold up the end."""
_LONGEST_REST_SECONDS = 1.0
_TOLD_SECONDS = 60.0
"""How often at most it is said that the loop cannot keep up."""

log = structlog.get_logger(__name__)


class HealthLoop:
    """Polls agents, keeps the answers in SQL, and wakes the reconcile when a verdict is news.

    A poll costs O(log n) in the schedule, whatever the number of agents: Instances are not
    looked through but subscribed to.

    Args:
        ctx: The outer world.
        verdicts: Where verdicts go; shared with the reconciler of Instances.
        wake: Has the Instance of this key reconciled; by default the context's.
        rng: Spreads the polls.
    """

    def __init__(
        self,
        ctx: Context,
        verdicts: Verdicts | None = None,
        wake: Callable[[str], None] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._ctx = ctx
        self._interval = ctx.settings.health_interval_seconds
        self._verdicts = verdicts or Verdicts()
        self._verdicts.limits = limits_for(self._interval)
        self._rng = rng or random.Random()  # noqa: S311 - spreads polls, guards nothing
        self._schedule = Schedule()
        self._tracked: dict[str, AgentEndpoint] = {}
        self._running: set[str] = set()
        self._again: set[str] = set()
        self._idle: deque[asyncio.Future[tuple[str, float]]] = deque()
        self._sooner = asyncio.Event()
        self._told_at = self._after_push = float("-inf")
        self.recorder = Recorder(ctx.history.health, ctx.clock)
        self._examinations = Examinations(ctx.settings.health_deep_interval_seconds, self._rng)
        self._gauge = Gauge(self._interval, ctx.clock.monotonic())
        self._polls = Polls(
            ctx,
            self._verdicts,
            self.recorder,
            self._examinations,
            self._gauge,
            wake or ctx.wake_instance,
        )

    async def run(self) -> None:
        """Poll until cancelled; the polls that are under way end with it."""
        stores = self._ctx.stores
        ends = [
            stores.instances.subscribe(self._instance_changed),
            stores.targets.subscribe(self._target_changed),
        ]
        for instance in stores.instances.all():
            self._instance_changed(None, instance)
        recording = asyncio.create_task(self.recorder.run(), name="health-recorder")
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(CONCURRENCY):
                    group.create_task(self._work(), name=f"health-{number}")
                await self._ring()
        finally:
            for end in ends:
                end()
            self._idle.clear()
            await self._last(recording)

    async def _last(self, recording: asyncio.Task[None]) -> None:
        """Have the last outcomes stored, if that does not take long."""
        self.recorder.stop()
        await asyncio.wait({recording}, timeout=LAST_SECONDS)
        if not recording.done():
            log.warning("health_not_stored", waiting=len(self.recorder), error="no time left")
            recording.cancel()

    def poll_soon(self, key: str) -> None:
        """Ask the agent of this Instance at the next opportunity."""
        if key in self._running:
            self._again.add(key)
        elif key in self._tracked:
            self._plan(key, 0.0)

    def metrics(self) -> dict[str, Any]:
        """Return what the loop achieves, for the operator's status."""
        now = self._ctx.clock.monotonic()
        return {
            "agents": len(self._tracked),
            "intervalSeconds": self._interval,
            "inFlight": len(self._running),
            "overdue": self._schedule.overdue(now),
            **self._gauge.figures(now),
            "sql": {
                "waiting": len(self.recorder),
                "stored": self.recorder.stored,
                "away": self.recorder.away,
            },
        }

    async def poll(self, key: str) -> Seen | None:
        """Ask one agent out of turn; see :meth:`Polls.one`."""
        return await self._polls.one(key)

    # ---- who is asked when -----------------------------------------------------------------
    async def _work(self) -> None:
        clock = self._ctx.clock
        while True:
            key, at = self._schedule.pop(clock.monotonic()) or await self._turn()
            self._running.add(key)
            seen = None
            try:
                seen = await self._polls.one(key, clock.monotonic() - at)
            except Exception:
                log.exception("health_poll_died", instance=key)
            finally:
                self._running.discard(key)
                self._plan_next(key, seen)

    async def _turn(self) -> tuple[str, float]:
        """Wait until something is due for a worker that has nothing to do."""
        turn: asyncio.Future[tuple[str, float]] = asyncio.get_running_loop().create_future()
        if not self._idle:
            self._sooner.set()
        self._idle.append(turn)
        return await turn

    def _plan_next(self, key: str, seen: Seen | None) -> None:
        if key not in self._tracked:
            return
        if key in self._again:
            self._again.discard(key)
            self._plan(key, 0.0)
            return
        share = 1.0 if seen is None or seen.settled else DOUBT_SHARE
        self._plan(key, self._interval * share * (1 + JITTER * (2 * self._rng.random() - 1)))

    def _plan(self, key: str, after: float) -> None:
        first = self._schedule.next_at()
        at = self._ctx.clock.monotonic() + after
        self._schedule.plan(key, at)
        if first is None or at < first:
            self._sooner.set()

    async def _ring(self) -> None:
        """Hand what is due to workers that have nothing to do; busy ones help themselves."""
        clock = self._ctx.clock
        while True:
            self._sooner.clear()
            now, pause = clock.monotonic(), _LONGEST_REST_SECONDS
            while self._idle and (due := self._schedule.pop(now)) is not None:
                self._idle.popleft().set_result(due)
            next_at = self._schedule.next_at()
            if self._idle and next_at is not None:
                pause = min(pause, max(TICK_SECONDS, next_at - now))
            self._watch(now)
            await self._rest(pause)

    def _watch(self, now: float) -> None:
        """Say clearly that the loop cannot keep up, but not all the time."""
        if now - self._told_at < _TOLD_SECONDS or not self._gauge.saturated(now):
            return
        self._told_at = now
        log.warning(
            "health_saturated",
            agents=len(self._tracked),
            interval_seconds=self._interval,
            lag_seconds=round(self._gauge.lag(now), 1),
            polls_per_second=round(self._gauge.rate(now), 1),
            hint="polls start late: raise HYDRACORE_HEALTH_INTERVAL_SECONDS, or give the operator "
            "more CPU",
        )

    async def _rest(self, seconds: float) -> None:
        sleeping = asyncio.ensure_future(self._ctx.clock.sleep(seconds))
        sooner = asyncio.ensure_future(self._sooner.wait())
        try:
            await asyncio.wait({sleeping, sooner}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            sooner.cancel()

    # ---- what is subscribed to -------------------------------------------------------------
    def _instance_changed(self, old: Instance | None, new: Instance | None) -> None:
        """Begin, go on or end polling; a start is spread over an interval."""
        obj = new or old
        if obj is None:
            return
        key = obj.key
        before = self._tracked.get(key)
        after = endpoint_of(new) if new is not None else None
        if before == after:
            return
        if before is not None:
            self._ctx.agents.forget(before)
        if before is not None and (after is None or after.instance_id != before.instance_id):
            self._schedule.drop(key)
            self._again.discard(key)
            del self._tracked[key]
            self._polls.forget(key)
            for forget in (self._verdicts, self.recorder, self._examinations):
                forget.forget(before.instance_id)
        if after is not None:
            self._tracked[key] = after
            if key not in self._running:
                self._plan(key, self._rng.random() * self._interval)

    def _target_changed(self, old: RolloutTarget | None, new: RolloutTarget | None) -> None:
        """Look soon at what a rollout has just finished with, one agent after the other."""
        if new is None or new.status.state not in TERMINAL_STATES:
            return
        if old is not None and old.status.state == new.status.state:
            return
        now, key = self._ctx.clock.monotonic(), f"{new.metadata.namespace}/{new.spec.instance_name}"
        self._after_push = max(now, self._after_push + 1 / AFTER_PUSH_PER_SECOND)
        if key in self._running:
            self._again.add(key)
        elif key in self._tracked:
            self._plan(key, min(self._after_push - now, self._interval))
