"""A simulator of whole rollouts: fake clock, fake agents, models in memory, intents applied.

The log reads as a story. The oracles are the agents' own records and a ledger of the simulator;
see :mod:`tests.core.rollouts.oracles`.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import TypeVar

from hydracore_core.executions import Began
from hydracore_core.rollouts.model import Abort, AskHistory, Plan, Resolve, Slot, TenantView, Track
from hydracore_core.rollouts.plan import plan
from hydracore_crds import (
    Bundle,
    Instance,
    PlatformPolicy,
    Rollout,
    RolloutTarget,
    UpdatePolicy,
)
from tests.core.rollouts import oracles, timing_oracles
from tests.core.rollouts.agents import Agent
from tests.core.rollouts.builders import NAMESPACE, bundle, fleet, policy
from tests.core.rollouts.executor import CrashError, apply
from tests.core.rollouts.following import poll
from tests.core.rollouts.records import Records

ROUNDS = 40
"""Plans that may follow each other at one moment before it must be quiet."""

T = TypeVar("T")
ASKING = (Track, Resolve, Abort, AskHistory)
"""Intents that ask; they may be repeated as long as there is no answer."""

Event = Callable[["World"], None]


@dataclass
class World:
    """One tenant in memory.

    Attributes:
        now: The time.
        seed: Shuffles what the plan is handed; the log must not depend on it.
        creates_at_once: So many targets are created before the next plan.
        crash_in: After how many more writes the operator dies; None for never.
        down_until: The operator is dead until then.
        history: What SQL knows: by name and hash of the spec, the uid for which it began.
        history_away: SQL does not answer.
        lost: Rollouts that were let go; a backup still has them.
        approvals: All that people have ever approved.
        began: What the operator has learnt from it; lost when it dies.
        followed_since: When the operator that leads now took over.
        records: What the oracles remember; no plan sees it.
    """

    now: datetime
    seed: int = 0
    policy: UpdatePolicy | None = field(default_factory=policy)
    platform: PlatformPolicy | None = None
    granted: int | None = None
    rollouts: dict[str, Rollout] = field(default_factory=dict)
    targets: dict[str, RolloutTarget] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    bundles: dict[str, Bundle] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    ledger: dict[str, Slot] = field(default_factory=dict)
    terminating: bool = False
    log: list[str] = field(default_factory=list)
    archived: list[str] = field(default_factory=list)
    lost: dict[str, Rollout] = field(default_factory=dict)
    restores: Iterator[int] = field(default_factory=lambda: count(1))
    creates_at_once: int = 1000
    crash_in: int | None = None
    down_until: datetime | None = None
    history: dict[tuple[str, str], str] = field(default_factory=dict)
    history_away: bool = False
    approvals: set[str] = field(default_factory=set)
    began: dict[str, Began] = field(default_factory=dict)
    followed_since: datetime | None = None
    records: Records = field(default_factory=Records)
    plans: int = 0
    tasks: Iterator[int] = field(default_factory=lambda: count(1))
    _events: list[tuple[datetime, int, Event]] = field(default_factory=list)
    _shown: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._numbers = count()
        if not self.instances:
            self.instances = {each.metadata.name: each for each in fleet(6)}
        if not self.bundles:
            known = (bundle("1.0.0"), bundle("1.1.0"), bundle("1.2.0"))
            self.bundles = {each.metadata.name: each for each in known}
        for name in self.instances:
            self.agents.setdefault(name, Agent(name))

    # ---- the story ------------------------------------------------------------------------------
    def say(self, subject: str, text: str) -> None:
        self.log.append(f"{self.now:%a %H:%M:%S}  {subject:<9} {text}")

    def say_once(self, subject: str, text: str) -> None:
        """Say it unless it was the last thing said about the subject in this way."""
        if self._shown.get(subject) != text:
            self._shown[subject] = text
            self.say(subject, text)

    def at(self, minutes: float, event: Event) -> None:
        """Let something happen so many minutes from now."""
        when = self.now + timedelta(minutes=minutes)
        heapq.heappush(self._events, (when, next(self._numbers), event))

    # ---- the machine ----------------------------------------------------------------------------
    def view(self) -> TenantView:
        return TenantView(
            namespace=NAMESPACE,
            now=self.now,
            terminating=self.terminating,
            policy=self.policy,
            platform=self.platform,
            granted=self.granted,
            rollouts=self._shuffled(self.rollouts.values()),
            targets=self._shuffled(self.targets.values()),
            instances=self._shuffled(self.instances.values()),
            bundles=dict(self._shuffled(self.bundles.items())),
            slots=self._shuffled(self.ledger.values()),
            began=dict(self.began),
            followed_since=self.followed_since,
        )

    def _shuffled(self, items: Iterable[T]) -> list[T]:
        found = list(items)
        self._random.shuffle(found)
        return found

    def run(self, minutes: float) -> None:
        """Let time pass, from event to event."""
        end = self.now + timedelta(minutes=minutes)
        while True:
            wake = self.step()
            times = [t for a in self.agents.values() for t in a.next_event(self.now)]
            times += [self._events[0][0]] if self._events else []
            times += [t for t in (wake, self.down_until) if t is not None and t > self.now]
            following = min(times, default=None)
            if following is None or following > end:
                self._advance(end)
                return
            self._advance(following)
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2](self)

    def _advance(self, to: datetime) -> None:
        timing_oracles.time_passes(self, to)
        self.now = to

    def step(self) -> datetime | None:
        """Do all that is to be done now; return when time alone changes something."""
        for agent in self.agents.values():
            agent.tick(self.now)
        if self.down_until is not None:
            if self.now < self.down_until:
                return None
            self.down_until = None
            self.followed_since = self.now
            self.say("operator", "a new leader takes over")
        try:
            return self._reconcile()
        except CrashError:
            self.crash_in = None
            self.began.clear()
            self.down_until = self.now + timedelta(seconds=30)
            return None

    def _reconcile(self) -> datetime | None:
        for _ in range(ROUNDS):
            made = self._plan()
            follows = [i for i in made.intents if isinstance(i, ASKING)]
            writes = [i for i in made.intents if not isinstance(i, ASKING)]
            for intent in writes:
                apply(self, intent)
            changed = poll(self, follows)
            if not writes and not changed:
                oracles.at_rest(self)
                timing_oracles.at_rest(self)
                return made.wake_at
        raise AssertionError(f"not quiet after {ROUNDS} plans: {made.intents}")

    def _plan(self) -> Plan:
        self.plans += 1
        view = self.view()
        made = plan(view)
        oracles.plan_is_sound(view, made)
        return made
