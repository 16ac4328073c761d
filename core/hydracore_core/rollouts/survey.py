"""Indexes a tenant's view, once for each plan and in one pass over its targets."""

from __future__ import annotations

from collections.abc import Iterable

from hydracore_core.policies import parallel_limit
from hydracore_core.rollouts.model import TenantView
from hydracore_core.rollouts.removed import account
from hydracore_core.rollouts.scope import RolloutScope, TenantScope, age_key, queue_key
from hydracore_core.rollouts.wishes import cancel_mode
from hydracore_core.windows import window_state
from hydracore_crds import Instance, RolloutTarget

_ByState = dict[str | None, list[RolloutTarget]]


def survey(view: TenantView) -> TenantScope:
    """Index a tenant.

    Raises:
        ValueError: ``view.now`` is naive.
    """
    policy = view.policy
    scope = TenantScope(
        view=view,
        window=window_state(policy, view.now),
        limit=parallel_limit(policy),
        rollouts=[RolloutScope(r, cancel_mode(r)) for r in sorted(view.rollouts, key=age_key)],
        instances={i.metadata.name: i for i in view.instances},
        live_ids=_live_ids(view.instances),
        slots={slot.task_id: slot for slot in view.slots},
    )
    _file_targets(scope)
    _count_slots(scope)
    account(scope)
    if scope.window.wake_at is not None:
        scope.wakes.append(scope.window.wake_at)
    return scope


def _file_targets(scope: TenantScope) -> None:
    """Put every target on its rollout's shelf. One tight loop: this is most of a plan's time."""
    shelves = {
        r.name: (r.rollout.metadata.uid, r.by_state(), r.back.by_state()) for r in scope.rollouts
    }
    wanted = {slot.target_name for slot in scope.slots.values()}
    nowhere: tuple[str, _ByState, _ByState] = ("", {}, {})
    for target in scope.view.targets:
        metadata = target.metadata
        uid, shelf, back = shelves.get(target.spec.rollout_name, nowhere)
        owners = metadata.owner_references
        # Owned by another uid: left by a deleted rollout of the same name.
        mine = not owners or owners[0].uid == uid or any(o.uid == uid for o in owners)
        if shelf and mine:
            (shelf if target.spec.rollback_of is None else back)[target.status.state].append(target)
        else:
            scope.orphans.append(target)
        if metadata.name in wanted:
            scope.slot_targets[metadata.name] = target
    scope.orphans.sort(key=queue_key)
    for rollout in scope.rollouts:
        rollout.in_progress.sort(key=queue_key)
        rollout.waiting, rollout.back.waiting = rollout.queued, rollout.back.queued
        rollout.returning = rollout.back.working


def _live_ids(instances: Iterable[Instance]) -> dict[str, str]:
    """Return the REST ids of instances that are not being deleted, by name."""
    return {
        instance.metadata.name: instance.spec.id or instance.metadata.uid
        for instance in instances
        if instance.metadata.deletion_timestamp is None
    }


def _count_slots(scope: TenantScope) -> None:
    """Count what may be in flight: every entry, and every target in progress without one."""
    by_name = {r.name: r for r in scope.rollouts}
    for slot in scope.slots.values():
        scope.taken += 1
        scope.held.add(slot.instance_name)
        if slot.rollout_name in by_name:
            by_name[slot.rollout_name].taken += 1
    for rollout in scope.rollouts:
        for target in rollout.in_progress + rollout.back.in_progress:
            rollout.taken += _count_running(scope, target)
    for target in scope.orphans:
        if target.status.state == "in_progress":
            _count_running(scope, target)


def _count_running(scope: TenantScope, target: RolloutTarget) -> int:
    scope.held.add(target.spec.instance_name)
    if target.status.task_id in scope.slots:
        return 0
    scope.taken += 1
    return 1
