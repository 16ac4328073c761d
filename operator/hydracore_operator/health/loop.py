"""One loop that asks every running agent how it is, bounded in number and spread in time."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable
from functools import partial

import structlog

from hydracore_agentclient import AgentEndpoint, AgentError, AgentStatus
from hydracore_crds import Instance, RolloutTarget
from hydracore_crds.rollout_target import TERMINAL_STATES
from hydracore_history import HistoryUnavailable
from hydracore_operator.context import Context
from hydracore_operator.health.verdicts import Verdicts, differs

CONCURRENCY = 64
"""Most agents asked at once."""
JITTER = 0.1
"""Intervals differ by so much of their length, so that agents are not asked in step."""
_LOOK_SECONDS = 1.0
"""How soon an Instance that starts or stops running is noticed."""
_HISTORY_PAUSE_SECONDS = 10.0
"""After SQL was away, answers are not stored for so long, that polling does not wait for it."""

log = structlog.get_logger(__name__)


class HealthLoop:
    """Polls agents, keeps the answers in SQL, and wakes the reconcile when a verdict is news.

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
        self._verdicts = verdicts or Verdicts()
        self._wake = wake or ctx.wake_instance
        self._rng = rng or random.SystemRandom()
        self._due: list[tuple[float, str]] = []
        self._planned: dict[str, float] = {}
        self._polls: dict[str, asyncio.Task[None]] = {}
        self._history_back_at = 0.0
        self._sooner = asyncio.Event()

    async def run(self) -> None:
        """Poll until cancelled; the polls that are under way end with it."""
        unsubscribe = self._ctx.stores.targets.subscribe(self._target_changed)
        try:
            while True:
                self._sooner.clear()
                self._look()
                self._start_due()
                await self._rest()
        finally:
            unsubscribe()
            for task in self._polls.values():
                task.cancel()
            await asyncio.gather(*self._polls.values(), return_exceptions=True)

    def poll_soon(self, key: str) -> None:
        """Ask the agent of this Instance at the next opportunity."""
        if key in self._planned:
            self._plan(key, self._ctx.clock.monotonic())
            self._sooner.set()

    async def poll(self, key: str) -> None:
        """Ask one agent, judge the answer, store it, and wake the reconcile if it is news."""
        instance = self._ctx.stores.instances.get(key)
        if instance is None or not _is_polled(instance):
            return
        endpoint = AgentEndpoint(
            instance.status.agent_url or "",
            instance.spec.id or "",
            instance.status.agent_public_key,
        )
        status, fault = None, None
        try:
            status = await self._ctx.agents.status(endpoint)
            verdict = self._verdicts.answered(endpoint.instance_id, status)
        except AgentError as error:
            fault = error.message
            found = self._verdicts.failed(endpoint.instance_id, error)
            if found is None:
                await self._store(endpoint.instance_id, None, fault)
                return
            verdict = found
        current = self._ctx.stores.instances.get(key)
        if current is not None and differs(verdict, current):
            log.info("health_changed", instance=key, health=verdict.health, why=verdict.message)
            self._wake(key)
        await self._store(endpoint.instance_id, status, fault)

    # ---- inside ----------------------------------------------------------------------------
    def _look(self) -> None:
        """Plan polls for Instances that run now, drop those that do not any more."""
        now, interval = self._ctx.clock.monotonic(), self._ctx.settings.health_interval_seconds
        polled = {i.key: i for i in self._ctx.stores.instances.all() if _is_polled(i)}
        for key in polled.keys() - self._planned.keys():
            self._plan(key, now + self._rng.random() * interval)
        for key in self._planned.keys() - polled.keys():
            del self._planned[key]
            gone = self._ctx.stores.instances.get(key)
            if gone is not None and gone.spec.id is not None:
                self._verdicts.forget(gone.spec.id)

    def _start_due(self) -> None:
        now, interval = self._ctx.clock.monotonic(), self._ctx.settings.health_interval_seconds
        while self._due and self._due[0][0] <= now and len(self._polls) < CONCURRENCY:
            at, key = heapq.heappop(self._due)
            if self._planned.get(key) != at:
                continue  # planned anew or dropped since
            self._plan(key, now + interval * (1 + JITTER * (2 * self._rng.random() - 1)))
            if key not in self._polls:
                task = asyncio.create_task(self.poll(key), name=f"health-{key}")
                self._polls[key] = task
                task.add_done_callback(partial(self._ended, key))

    def _plan(self, key: str, at: float) -> None:
        self._planned[key] = at
        heapq.heappush(self._due, (at, key))

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        self._polls.pop(key, None)
        self._sooner.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("health_poll_died", instance=key, exc_info=error)

    async def _rest(self) -> None:
        """Wait until a poll is due or ends, or until it is time to look for new Instances."""
        pause = _LOOK_SECONDS
        if self._due and len(self._polls) < CONCURRENCY:
            pause = min(pause, max(0.0, self._due[0][0] - self._ctx.clock.monotonic()))
        sleeping = asyncio.ensure_future(self._ctx.clock.sleep(pause))
        sooner = asyncio.ensure_future(self._sooner.wait())
        try:
            await asyncio.wait({sleeping, sooner}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            sooner.cancel()

    def _target_changed(self, old: RolloutTarget | None, new: RolloutTarget | None) -> None:
        """Look at once at what a rollout has just finished with."""
        if new is None or new.status.state not in TERMINAL_STATES:
            return
        if old is None or old.status.state != new.status.state:
            self.poll_soon(f"{new.metadata.namespace}/{new.spec.instance_name}")

    async def _store(self, instance_id: str, status: AgentStatus | None, fault: str | None) -> None:
        """Keep the answer in SQL; where SQL is away, polling goes on without."""
        clock = self._ctx.clock
        if clock.monotonic() < self._history_back_at:
            return
        try:
            await self._ctx.history.health.poll(
                instance_id,
                at=self._ctx.now(),
                ok=status is not None,
                status=status.to_wire() if status is not None else None,
                error=fault,
            )
        except HistoryUnavailable as error:
            self._history_back_at = clock.monotonic() + _HISTORY_PAUSE_SECONDS
            log.warning("health_not_stored", error=str(error))


def _is_polled(instance: Instance) -> bool:
    """Whether the Instance runs and its agent can prove who it is."""
    status = instance.status
    running = status.state == "running" and not instance.deleting
    known = (instance.spec.id, status.agent_url, status.agent_public_key)
    return running and None not in known
