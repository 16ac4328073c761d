"""What the executor keeps in memory for one tenant while this process leads.

All of it can be lost: a new leader rebuilds it from the ledger, the targets and the agents.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from hydracore_core.executions import Began
from hydracore_core.platform.freeze import freeze_of
from hydracore_core.rollouts.wishes import called_off, paused_by
from hydracore_core.windows import window_state
from hydracore_crds import Instance, Rollout, RolloutTarget
from hydracore_crds.platform_policy import DEFAULT_NAME as PLATFORM_DEFAULT
from hydracore_crds.update_policy import DEFAULT_NAME
from hydracore_operator.context import Context, NotLeader
from hydracore_operator.rollouts.errands import Errands
from hydracore_operator.rollouts.ledger import Ledger
from hydracore_operator.rollouts.timing import Timing
from hydracore_operator.rollouts.writes import TargetDecision, Writes

log = structlog.get_logger(__name__)


class Drives:
    """The tasks that talk to agents, by task id (slots without a target: ``slot-<task id>``)."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._aborts: dict[str, asyncio.Event] = {}

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._tasks

    def __len__(self) -> int:
        return len(self._tasks)

    def ids(self) -> set[str]:
        """Return the task ids that are being driven."""
        return set(self._tasks)

    def ensure(
        self, task_id: str, start: Callable[[asyncio.Event], Coroutine[None, None, None]]
    ) -> None:
        """Drive an order unless it is driven already.

        Args:
            task_id: The order.
            start: Makes the coroutine; its event is set when the order shall be aborted.
        """
        if task_id in self._tasks:
            return
        event = self._aborts.setdefault(task_id, asyncio.Event())
        task = asyncio.create_task(start(event), name=f"drive-{task_id}")
        self._tasks[task_id] = task
        task.add_done_callback(lambda done: self._ended(task_id, done))

    def abort(self, task_id: str) -> None:
        """Make the drive of an order, also one that starts only now, tell its agent to abort."""
        self._aborts.setdefault(task_id, asyncio.Event()).set()

    def drop(self, task_ids: set[str]) -> None:
        """End the drives of orders that nobody needs to follow any more."""
        for task_id in task_ids:
            if task_id in self._tasks:
                self._tasks[task_id].cancel()

    async def close(self) -> None:
        """End all drives and wait until they have ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task_id: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task_id, None)
        self._aborts.pop(task_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("drive_died", task_id=task_id, exc_info=error)


@dataclass
class Tenant:
    """One tenant.

    Attributes:
        ctx: What the operator hands to every reconciler.
        namespace: The tenant's namespace.
        uid: ``metadata.uid`` of that namespace.
        epoch: The leadership under which all this was read.
        ledger: The slots.
        timing: Durations.
        writes: Status writes of targets and rollouts.
        freeing: Task ids whose slot the next ledger write frees.
        posted: Orders that this process may have sent.
        drives: What talks to agents.
        starting: Orders whose ``in_progress`` is being stored.
        beginnings: Bounds how many of those are stored at once, so that other writes get through.
        reported: When each rollout's status was last written.
        looked: Uids of rollouts for which the Instances were listed afresh.
        pass_seconds: How long the last pass took.
        pass_ended: When it ended, by the loop's clock.
        hurry: Set when the next pass can fill so many slots that it shall come soon.
        limit: How many slots there are, as the last plan found.
        seen: The targets as the last plan saw them.
        began: What history has said of rollouts, by uid.
        errands: What asks history.
        since: When this process began to follow the tenant.
    """

    ctx: Context
    namespace: str
    uid: str
    epoch: int
    ledger: Ledger
    timing: Timing
    writes: Writes
    freeing: set[str] = field(default_factory=set)
    posted: set[str] = field(default_factory=set)
    drives: Drives = field(default_factory=Drives)
    starting: set[str] = field(default_factory=set)
    beginnings: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(24))
    reported: dict[str, float] = field(default_factory=dict)
    looked: set[str] = field(default_factory=set)
    pass_seconds: float = 0.0
    pass_ended: float = float("-inf")
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    limit: int = 0
    seen: Collection[RolloutTarget] = ()
    began: dict[str, Began] = field(default_factory=dict)
    errands: Errands = field(init=False)
    since: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Have the end of every errand wake the tenant."""
        self.since = self.ctx.now()
        self.errands = Errands(
            self.ctx.clock,
            pause=self.timing.retry,
            ended=self.wake,
        )

    async def close(self) -> None:
        """End all that is under way."""
        await asyncio.gather(self.drives.close(), self.errands.close())

    def target(self, name: str) -> RolloutTarget | None:
        """Return a target of this tenant as it is known."""
        return self.ctx.stores.targets.get(f"{self.namespace}/{name}")

    def rollout(self, name: str) -> Rollout | None:
        """Return a rollout of this tenant as it is known."""
        return self.ctx.stores.rollouts.get(f"{self.namespace}/{name}")

    def instance(self, name: str) -> Instance | None:
        """Return an instance of this tenant as it is known."""
        return self.ctx.stores.instances.get(f"{self.namespace}/{name}")

    def lead(self) -> int:
        """Return the epoch for an order that goes out now.

        Raises:
            NotLeader: This process does not lead any more, or leads anew and has to read first.
        """
        if self.ctx.epoch() != self.epoch:
            raise NotLeader("the leadership under which this tenant was read has ended")
        return self.epoch

    def window_open(self) -> bool:
        """Whether the tenant's windows let updates start at this moment."""
        policy = self.ctx.stores.policies.get(f"{self.namespace}/{DEFAULT_NAME}")
        return window_state(policy, self.ctx.now()).open

    def frozen(self) -> bool:
        """Whether the platform is frozen at this moment."""
        platform = self.ctx.stores.platform.get(PLATFORM_DEFAULT)
        return freeze_of(platform, self.ctx.now()) is not None

    def in_time(self, rollout: Rollout) -> bool:
        """Whether neither a freeze nor the window keep a rollout's orders back at this moment."""
        return not self.frozen() and (rollout.spec.override_window or self.window_open())

    def gate_open(self, rollout: Rollout, target: RolloutTarget) -> bool:
        """Whether neither people, a halt, a rollback, a freeze nor the window forbid a start now.

        A target that takes back minds neither a cancel nor a halt.
        """
        if (
            not self.in_time(rollout)
            or paused_by(rollout) is not None
            or called_off(rollout, target)
        ):
            return False
        status = rollout.status
        forward = target.spec.rollback_of is None
        return not forward or (status.halt_reason is None and status.rollback is None)

    def wake(self) -> None:
        """Have a pass made, soon if many slots are empty: something has come for them."""
        empty = self.limit - len(self.ledger) + len(self.freeing)
        if empty >= self.limit * self.timing.many:
            self.hurry.set()
        self.ctx.wake_tenant(self.namespace)

    def free(self, task_id: str) -> None:
        """Let the next ledger write free this slot; it counts as free from now on."""
        if task_id in self.ledger.entries:
            self.freeing.add(task_id)
        self.posted.discard(task_id)
        self.starting.discard(task_id)
        if len(self.freeing) >= self.limit * self.timing.many:
            self.hurry.set()
        self.ctx.wake_tenant(self.namespace)

    def may_send(self, task_id: str) -> bool:
        """Whether the order's slot is acknowledged and no more slots are taken than allowed.

        More are taken than allowed after the limit was lowered, or where a ledger was lost.
        """
        acknowledged = task_id in self.ledger.entries and task_id not in self.freeing
        allowed = self.ledger.bounded(self.limit)
        return acknowledged and self.ledger.loaded and len(self.ledger) <= allowed

    async def write_target(
        self, target: RolloutTarget, decide: TargetDecision
    ) -> RolloutTarget | None:
        """Write a target's status; see :meth:`Writes.status`."""
        return await self.writes.status(self.ctx.stores.targets, target, decide)
