"""Starts: slots shared fairly among rollouts, in each by order, while its gates are open."""

from __future__ import annotations

from datetime import datetime, timedelta

from hydracore_core.rollouts.begin import may_start
from hydracore_core.rollouts.instances import Verdict, obstacle
from hydracore_core.rollouts.model import Settle, Start
from hydracore_core.rollouts.rollback import newest_first
from hydracore_core.rollouts.scope import Gate, RolloutScope, TenantScope, queue_key
from hydracore_core.rollouts.stagger import hold_back, pace_of
from hydracore_core.rollouts.texts import count, listed
from hydracore_crds import Instance, RolloutTarget
from hydracore_crds.conditions import WAITING_FOR_INSTANCE, WAITING_FOR_SLOT


def start(scope: TenantScope) -> None:
    """Emit the Starts that fit.

    Free slots are the tenant's limit less everything that is or may be in flight; a rollout's own
    ``maxParallel`` bounds it in the same way. Each goes to the rollout that has the fewest, so
    that a large one keeps nobody waiting. An instance has one order at a time, over all rollouts.
    What the platform does not grant is left for later, and told in ``scope.wanted``.
    """
    free = max(0, scope.limit - scope.taken)
    lanes = [
        _Lane(scope, rollout)
        for rollout in scope.rollouts
        if rollout.gate is None and rollout.startable
    ]
    for lane in lanes:
        lane.ready = free > 0 and lane.room > 0 and may_start(scope, lane.rollout)
    while free and (ready := [lane for lane in lanes if lane.ready]):
        free -= min(ready, key=_Lane.has).start_next()
    scope.wanted = scope.taken + len(scope.out.start)
    _keep_to_the_grant(scope)
    for lane in lanes:
        lane.close(free)


def _keep_to_the_grant(scope: TenantScope) -> None:
    """Take back the starts, the last ones first, for which the platform grants no slot."""
    if scope.view.granted is None:
        return
    room = max(0, scope.view.granted - scope.taken)
    beyond = {start.target_name: start.rollout_name for start in scope.out.start[room:]}
    del scope.out.start[room:]
    text = f"the platform grants this tenant {count(scope.view.granted, 'slot')} at present"
    for rollout in scope.rollouts:
        cut = sum(name == rollout.name for name in beyond.values())
        if cut:
            rollout.starting -= cut
            rollout.wait = Gate(WAITING_FOR_SLOT, text)


class _Lane:
    """One rollout on its way to its share of the slots.

    Attributes:
        rollout: The rollout.
        ready: It may start another target.
    """

    def __init__(self, scope: TenantScope, rollout: RolloutScope) -> None:
        self._scope = scope
        self.rollout = rollout
        self.ready = False
        self._limit = rollout.rollout.spec.strategy.max_parallel
        self._pace = pace_of(scope, rollout)
        self._targets = iter(_in_turn(rollout))
        self._blocked: dict[str, str] = {}
        self._later: list[datetime] = []

    def has(self) -> int:
        """Return how many slots it has, those that this plan gives it included."""
        return self.rollout.taken + self.rollout.starting

    @property
    def room(self) -> int:
        """How many more its own limit allows."""
        limit = self._scope.limit if self._limit is None else self._limit
        return max(0, limit - self.has())

    def start_next(self) -> int:
        """Start the next target that can be started; return how many slots that took: 1 or 0."""
        for target in self._targets:
            if not target.deleting and self._start(target):
                self.ready = self.room > 0
                return 1
        self.ready = False
        return 0

    def close(self, free: int) -> None:
        """Say what it waits for; ``free`` slots are left."""
        rollout = self.rollout
        if rollout.gate is not None:
            return
        if self._blocked:
            number, names = len(self._blocked), listed(self._blocked.values())
            text = f"{count(number, 'target')} passed over: {names}"
            rollout.wait = Gate(WAITING_FOR_INSTANCE, text)
        elif (free == 0 or self.room == 0) and not (rollout.starting or rollout.wait):
            whose, limit = ("tenant", self._scope.limit) if free == 0 else ("rollout", self._limit)
            text = f"the {whose}'s limit of {limit} in flight is reached"
            rollout.wait = Gate(WAITING_FOR_SLOT, text)
        if self._later:
            hold_back(self._scope, rollout, min(self._later))
        if rollout.wait is not None and not rollout.starting:
            self._scope.note(rollout.subject, rollout.wait.message)

    def _start(self, target: RolloutTarget) -> bool:
        """Start a target, or note why it is passed over."""
        scope, name = self._scope, target.spec.instance_name
        allowed = self._pace.starts_from(target, starting=self.rollout.starting)
        if allowed > scope.now:
            self._later.append(allowed)
            return False
        if name in scope.held:
            self._blocked[name] = f"{name} has another order in flight"
            return False
        instance = scope.instances[name]
        verdict = in_the_way(scope, self.rollout, instance)
        if verdict is None:
            _start(scope, self.rollout, target, instance)
        elif verdict[0] == "drop":
            scope.out.settle.append(_drop(target, verdict[1], verdict[2]))
        else:
            self._blocked[name] = verdict[2]
        return verdict is None


def _in_turn(rollout: RolloutScope) -> list[RolloutTarget]:
    """Return the targets that may start, in the order in which they are to."""
    if rollout.rollback is None:
        return sorted(rollout.startable, key=queue_key)
    return newest_first(rollout)


def in_the_way(scope: TenantScope, rollout: RolloutScope, instance: Instance) -> Verdict | None:
    """Say what keeps an instance from being updated by this rollout now; None if nothing does."""
    spec = rollout.rollout.spec
    return obstacle(
        scope,
        instance,
        forced=spec.force or rollout.rollback is not None,
        patience=timedelta(seconds=spec.strategy.target_timeout_seconds),
        automatic=spec.only_auto and rollout.rollback is None,
    )


def _start(
    scope: TenantScope, rollout: RolloutScope, target: RolloutTarget, instance: Instance
) -> None:
    timeout = rollout.rollout.spec.strategy.target_timeout_seconds
    scope.held.add(instance.metadata.name)
    rollout.starting += 1
    scope.out.start.append(
        Start(
            rollout_name=rollout.name,
            target_name=target.metadata.name,
            instance_name=instance.metadata.name,
            instance_uid=instance.metadata.uid,
            attempt=target.spec.attempt,
            deadline=scope.now + timedelta(seconds=timeout),
        )
    )


def _drop(target: RolloutTarget, reason: str, text: str) -> Settle:
    return Settle(
        rollout_name=target.spec.rollout_name,
        target_name=target.metadata.name,
        attempt=target.spec.attempt,
        was="queued",
        state="cancelled",
        reason=reason,
        message=text,
    )
