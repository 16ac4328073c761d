"""Starts: oldest rollout first, then by order, while slots are free and gates are open."""

from __future__ import annotations

from datetime import datetime, timedelta

from hydracore_core.rollouts.begin import may_start
from hydracore_core.rollouts.instances import Verdict, obstacle
from hydracore_core.rollouts.model import Settle, Start
from hydracore_core.rollouts.rollback import newest_first
from hydracore_core.rollouts.scope import Gate, RolloutScope, TenantScope, queue_key
from hydracore_core.rollouts.stagger import hold_back, starts_from
from hydracore_core.rollouts.texts import count, listed
from hydracore_crds import Instance, RolloutTarget
from hydracore_crds.conditions import WAITING_FOR_INSTANCE, WAITING_FOR_SLOT


def start(scope: TenantScope) -> None:
    """Emit the Starts that fit.

    Free slots are the tenant's limit less everything that is or may be in flight; a rollout's own
    ``maxParallel`` bounds it in the same way. An instance has one order at a time, over all
    rollouts.
    """
    free = max(0, scope.limit - scope.taken)
    for rollout in scope.rollouts:
        if rollout.gate is not None or not rollout.startable:
            continue
        own = rollout.rollout.spec.strategy.max_parallel
        room = free if own is None else min(free, max(0, own - rollout.taken))
        if room > 0 and not may_start(scope, rollout):
            continue
        if room > 0:
            _fill(scope, rollout, room)
            free -= rollout.starting
        elif rollout.wait is None:
            whose, limit = ("tenant", scope.limit) if free == 0 else ("rollout", own or 0)
            rollout.wait = Gate(
                WAITING_FOR_SLOT, f"the {whose}'s limit of {limit} in flight is reached"
            )
        if rollout.wait is not None and not rollout.starting:
            scope.note(rollout.subject, rollout.wait.message)


def _fill(scope: TenantScope, rollout: RolloutScope, room: int) -> None:
    """Start up to ``room`` targets; those whose instance cannot take one now are passed over."""
    blocked: dict[str, str] = {}
    later: list[datetime] = []
    for target in _in_turn(rollout):
        if rollout.starting == room:
            break
        name = target.spec.instance_name
        if target.deleting:
            continue
        allowed = starts_from(scope, rollout, target)
        if allowed > scope.now:
            later.append(allowed)
            continue
        if name in scope.held:
            blocked[name] = f"{name} has another order in flight"
            continue
        instance = scope.instances[name]
        verdict = in_the_way(scope, rollout, instance)
        if verdict is None:
            _start(scope, rollout, target, instance)
        elif verdict[0] == "drop":
            scope.out.settle.append(_drop(target, verdict[1], verdict[2]))
        else:
            blocked[name] = verdict[2]
    if blocked:
        text = f"{count(len(blocked), 'target')} passed over: {listed(blocked.values())}"
        rollout.wait = Gate(WAITING_FOR_INSTANCE, text)
    if later:
        hold_back(scope, rollout, min(later))


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
