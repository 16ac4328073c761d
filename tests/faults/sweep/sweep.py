"""The sweep itself: one life of a scenario for every outgoing call that the operator may die at."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Protocol

from hydracore_devcluster.install import NAMESPACE
from tests.faults.plane import Plane
from tests.faults.sweep.operator import Orders
from tests.faults.sweep.processes import Forked, expire_lease, running
from tests.faults.sweep.trap import Call, Kill, Moment
from tests.faults.sweep.watched import Watched
from tests.faults.waiting import until

LIFE_SECONDS = 120.0
SETTINGS = {"HYDRACORE_HEALTH_INTERVAL_SECONDS": "3600", "HYDRACORE_LEASE_SECONDS": "60"}
"""Polls would come at random; a dead operator's Lease is ended by hand, so that it may be long."""
QUIET_SECONDS = 1.0
LONG_QUIET_SECONDS = 60.0
log = logging.getLogger(__name__)
READS = (
    "GET",
    "LIST",
    "agent status",
    "agent await_end",
    "agent task",
    "provider get",
    "provider find",
)
WRITES = ("POST", "PUT", "PATCH", "DELETE", "SQL")
MISSES = 2
"""The sweep ends after so many lives in a row in which the call was not reached."""
TRIES = 3
"""Lives in which a kind of call is waited for that not every life makes."""
MOST_CALLS = 400


class Scenario(Protocol):
    """What the operator is made to do, again and again.

    Attributes:
        name: For people.
        namespace: Where it happens.
        clock: File that turns the operator's wall clock, if it is turned.
        machine_command: What local servers run, if not the agent's launcher.
        keep: End the life with everything standing, instead of deleted.
    """

    name: str
    namespace: str
    clock: Path | None
    machine_command: tuple[str, ...] | None
    keep: bool

    async def begin(self) -> None:
        """Make what this life is about; no operator runs."""

    async def step(self) -> bool:
        """Look once, and act if something is due; return whether the goal is reached."""

    async def check(self) -> None:
        """Assert the invariants from the provider's and the agents' ledgers."""

    def describe(self) -> str:
        """Say how it stands, for a failure's text."""


@dataclass
class Swept:
    """What a sweep did.

    Attributes:
        calls: The calls of a life without a crash.
        fatal: The calls that operators died of.
        began: When, by the monotonic clock.
    """

    scenario: str
    moment: Moment
    calls: list[Call] = field(default_factory=list)
    fatal: list[Call] = field(default_factory=list)
    began: float = 0.0

    @property
    def missed(self) -> set[str]:
        """Kinds of calls that a life without a crash made, at none of which an operator died."""
        return {call.what for call in self.calls} - {call.what for call in self.fatal}

    @property
    def complete(self) -> bool:
        """Whether operators died at every kind of call that a life without a crash makes."""
        return not self.missed and len(self.fatal) >= len(self.calls) * 3 // 4

    def __str__(self) -> str:
        kinds = Counter(call.what for call in self.fatal)
        shown = ", ".join(f"{n}x {what}" for what, n in sorted(kinds.items()))
        return (
            f"{self.scenario}, killed {self.moment} the call: {len(self.calls)} calls without a "
            f"crash, {len(self.fatal)} crashes; {shown}; missed: {sorted(self.missed) or 'none'}"
        )


class Stage:
    """A control plane without an operator of its own, and the means to start such that die."""

    def __init__(self, plane: Plane, forks: ForkServerContext, folder: Path) -> None:
        self.plane = plane
        self._forks = forks
        self._folder = folder
        self.provider_ledger = folder / "provider.jsonl"
        self._lives = 0

    def orders(self, scenario: Scenario, kill: Kill | None) -> Orders:
        self._lives += 1
        name = f"{scenario.name}-{self._lives:03d}"
        env = self.plane.operator_env(0, **SETTINGS)
        env.pop("HYDRACORE_OPERATOR_STATUS_ADDR")
        return Orders(
            env=env,
            log=self._folder / f"{name}.log",
            journal=self._folder / f"{name}.calls",
            provider_ledger=self.provider_ledger,
            kill=kill,
            namespaces=frozenset({scenario.namespace, NAMESPACE}),
            machine_command=scenario.machine_command,
            clock=scenario.clock,
        )

    async def live(self, scenario: Scenario, kill: Kill | None) -> tuple[list[Call], Call | None]:
        """Let the scenario run its whole life, with one crash in it.

        Returns:
            The calls of the first operator, and the one that it died of, if it did.
        """
        await scenario.begin()
        async with Watched(self.plane.admin, scenario.namespace) as watched:
            async with running(self._forks, self.orders(scenario, kill)) as first:
                await self._until_goal(scenario, first, watched)
                if first.alive:
                    await watched.quiet(QUIET_SECONDS, within=LIFE_SECONDS)
            first.check_log()
            calls, fatal = first.calls, first.fatal
            await expire_lease(self.plane.admin)
            if fatal is not None:
                async with running(self._forks, self.orders(scenario, None)) as second:
                    await self._until_goal(scenario, second, watched)
                    assert second.alive, second.tail()
                    await watched.quiet(QUIET_SECONDS, within=LIFE_SECONDS)
                second.check_log()
                await expire_lease(self.plane.admin)
            await scenario.check()
            assert watched.broken == []
        return calls, fatal

    async def sweep(
        self, scenario: Scenario, moment: Moment, *, first: int = 1, reads: bool = True
    ) -> Swept:
        """Live once without a crash, then once for every call until none is left.

        Args:
            scenario: What is lived.
            moment: Before or after the call.
            first: The call to begin with.
            reads: Whether to die at calls as well that were reads in the life without a crash.
        """
        out, misses, number = await self._start(scenario, moment), 0, first
        if not reads:
            out.calls = [call for call in out.calls if not call.what.startswith(READS)]
            for call in out.calls[first - 1 :]:
                await self._crash(scenario, out, Kill(call.number, moment))
        while reads and misses < MISSES:
            assert number <= MOST_CALLS, "the number of calls is not bounded"
            misses = 0 if await self._crash(scenario, out, Kill(number, moment)) else misses + 1
            number += 1
        await self._catch_up(scenario, out)
        return out

    async def sample(self, scenario: Scenario, moment: Moment) -> Swept:
        """Live once without a crash, then once for each kind of call, at its first occurrence."""
        out = await self._start(scenario, moment)
        firsts = {call.what: call.number for call in reversed(out.calls)}
        for number in sorted(firsts.values()):
            await self._crash(scenario, out, Kill(number, moment))
        return out

    async def _catch_up(self, scenario: Scenario, out: Swept) -> None:
        """Die at the first call of each kind that the numbers have missed.

        Calls overlap, so that the n-th is not the same one in every life.
        """
        for what in sorted(out.missed):
            for _ in range(TRIES):
                if await self._crash(scenario, out, Kill(1, out.moment, what)):
                    break

    async def _start(self, scenario: Scenario, moment: Moment) -> Swept:
        calls, _ = await self.live(scenario, None)
        log.info("%s: %d calls without a crash", scenario.name, len(calls))
        return Swept(scenario.name, moment, calls, began=time.monotonic())

    async def _crash(self, scenario: Scenario, out: Swept, kill: Kill) -> bool:
        """Live with a crash at this call; return whether the call was reached."""
        _, fatal = await self.live(scenario, kill)
        if fatal is not None:
            out.fatal.append(fatal)
            took, number = time.monotonic() - out.began, fatal.number
            log.info("%s %s %d: %s (%.0f s)", out.scenario, out.moment, number, fatal.what, took)
        return fatal is not None

    async def with_operator(self, scenario: Scenario, act: Callable[[], Awaitable[None]]) -> None:
        """Do something while an operator works that is not to die."""
        async with running(self._forks, self.orders(scenario, None)):
            await act()
        await expire_lease(self.plane.admin)

    async def rest(self, scenario: Scenario) -> None:
        """With everything standing, an operator that starts anew writes nothing for a minute."""
        scenario.keep = True
        await self.live(scenario, None)
        async with (
            Watched(self.plane.admin, scenario.namespace) as watched,
            running(self._forks, self.orders(scenario, None)) as last,
        ):
            await watched.quiet(LONG_QUIET_SECONDS, within=LONG_QUIET_SECONDS + LIFE_SECONDS)
            assert last.alive
            written = [call.what for call in last.calls if call.what.startswith(WRITES)]
            # Its epoch is put on record once, before anything else.
            assert written == ["PUT configmaps"], written
            last.check_log()
        await expire_lease(self.plane.admin)

    async def _until_goal(self, scenario: Scenario, operator: Forked, watched: Watched) -> None:
        """Return once the goal is reached or the operator has died as it was told to."""

        async def look() -> bool:
            if not operator.alive:
                assert operator.fatal is not None, operator.tail()
                return True
            return await scenario.step()

        def state() -> str:
            calls = "\n".join(f"{c.number} {c.what}" for c in operator.calls[-12:])
            return f"{scenario.describe()}\n{watched.newest()}\n{calls}\n{operator.tail()}"

        await until(look, f"{scenario.name} to be done", LIFE_SECONDS, every=0.03, state=state)
