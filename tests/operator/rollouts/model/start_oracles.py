"""What must hold of every start: of the target, of the order that leaves, and at the agent.

I3: never more in flight than the limit, by the agents' count. I4: nothing starts outside of the
window. And nothing starts that people, a halt or a wave hold back.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from hydracore_agentclient import Order
from hydracore_core.executions import spec_hash
from hydracore_crds import Rollout, RolloutTarget, UpdatePolicy
from hydracore_crds.names import CANCEL_ANNOTATION, PAUSED_BY_ANNOTATION
from tests.core.windows.oracle import MINUTE, may_start
from tests.simulation.agent import SimAgent
from tests.simulation.oracle import Task

if TYPE_CHECKING:
    from tests.operator.rollouts.model.world import World


class StartOracles:
    """Is told of every start."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._records = world.records

    def starting(self, by: str, target: RolloutTarget) -> None:
        """An operator is about to store that a target is in progress."""
        self._gates(by, target, f"{by} starts {target.metadata.name}")
        if target.spec.rollback_of is not None:
            return
        for known in self._rollouts(by, target):
            waves = known.status.waves or [] if known is not None else []
            if all(wave.state == "passed" for wave in waves[: target.spec.wave - 1]):
                return
        self._violated(f"{by} starts {target.metadata.name} ahead of its wave")

    def sent(self, by: str, order: Order) -> None:
        """An operator has decided to send an order; what comes after that is not its doing."""
        world, task = self._world, order.task_id
        self._records.limits[task, order.epoch] = world.limit_known(by)
        if task not in self._records.claimed:
            self._violated(f"{by} sends {task}, which has no slot")
        if task not in self._records.carried:
            self._violated(f"{by} sends {task}, which no target carries")
        target = world.target_with(task)
        if target is not None and task not in self._records.begun:
            self._gates(by, target, f"{by} sends the order of {target.metadata.name}")

    def begun(self, instance_id: str, task_id: str) -> None:
        """An agent has begun with an order."""
        world, records = self._world, self._records
        records.begun[task_id] = world.now()
        task = world.agents.agents[instance_id].tasks[task_id]
        flying = len(list(in_flight(world)))
        limit = records.limits.get((task_id, task.epoch), 0)
        if flying > limit:
            self._violated(f"{flying} in flight where {limit} are allowed")
        target = world.target_with(task_id)
        if target is None or target.status.state != "in_progress":
            state = target.status.state if target is not None else "gone"
            self._violated(f"task {task_id} begins, and its target is {state}")
        if target is not None and target.spec.instance_id != instance_id:
            self._violated(f"{target.metadata.name} was sent to another instance")
        attempt = records.carried.get(task_id)
        if attempt is not None and len(records.pushes(attempt)) > 1:
            self._violated(f"attempt {attempt} is pushed again")
        self.slots()

    def ended(self, _instance_id: str, task: Task) -> None:
        """An agent has ended an order."""
        self._records.ended[task.task_id] = task.state

    def slots(self) -> None:
        """Whatever agents work on has its slot in the stored ledger."""
        slots = self._world.slots()
        for agent, task in in_flight(self._world):
            if task.task_id not in slots:
                name = self._world.name_of(agent.instance_id)
                self._violated(f"{name} works on {task.task_id}, whose slot is free")

    # ---- inside ----------------------------------------------------------------------------
    def _gates(self, by: str, target: RolloutTarget, what: str) -> None:
        """Something is wrong if, by whatever the operator may have known, a gate was shut."""
        world, now = self._world, self._world.process(by).clock.now()
        policies = world.known(by, "updatepolicies", "default")
        rollouts = self._rollouts(by, target)
        reasons = {shut(r, target, p, now) for r in rollouts for p in policies}
        if None not in reasons:
            self._violated(f"{what} although {' or '.join(sorted(map(str, reasons)))}")
        found = rollouts[0]
        if found is not None:
            work = ("Rollout", "acme", found.metadata.name, spec_hash(found.spec))
            begun = world.history.began.get(work)
            if begun is None or begun.uid != found.metadata.uid:
                self._violated(f"{what}: this work began for another object, or never")

    def _rollouts(self, by: str, target: RolloutTarget) -> list[Rollout | None]:
        found = self._world.known(by, "rollouts", target.spec.rollout_name)
        owners = {owner.uid for owner in target.metadata.owner_references}
        return [r if r is not None and r.metadata.uid in owners else None for r in found]

    def _violated(self, text: str) -> None:
        self._world.violated(text)


def in_flight(world: World) -> Iterator[tuple[SimAgent, Task]]:
    """Yield what agents work on; after its deadline an order can change nothing any more."""
    now = world.now().timestamp()
    for agent in world.agents.agents.values():
        task = agent.active
        if task is not None and now < task.not_after and world.has_agent(agent.instance_id):
            yield agent, task


def shut(
    rollout: Rollout | None, target: RolloutTarget, policy: UpdatePolicy | None, now: datetime
) -> str | None:
    """Say what forbids a target to start; None if nothing does."""
    if rollout is None or rollout.deleting:
        return "its rollout is gone"
    spec, notes = rollout.spec, rollout.metadata.annotations
    if spec.paused or PAUSED_BY_ANNOTATION in notes:
        return "its rollout is paused"
    if not spec.override_window and not is_open(policy, now):
        return "the window is shut"
    return _stopped(rollout) if target.spec.rollback_of is None else None


def _stopped(rollout: Rollout) -> str | None:
    """Say what forbids an update, but not what takes one back."""
    spec, notes, status = rollout.spec, rollout.metadata.annotations, rollout.status
    if spec.cancel is not None or CANCEL_ANNOTATION in notes:
        return "its rollout is cancelled"
    if status.halt_reason is not None:
        return "its rollout is halted"
    return "its rollout is taken back" if status.rollback is not None else None


def is_open(policy: UpdatePolicy | None, now: datetime) -> bool:
    """Whether the windows allow this minute."""
    minute = now.replace(second=0, microsecond=0)
    (allowed,) = may_start(policy, minute, minute + MINUTE)
    return allowed
