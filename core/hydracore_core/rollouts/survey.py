"""Indexes a tenant's view, once for each plan."""

from __future__ import annotations

from hydracore_core.platform.freeze import freeze_of
from hydracore_core.policies import parallel_limit
from hydracore_core.rollouts.filing import Filed, filed
from hydracore_core.rollouts.model import TenantView
from hydracore_core.rollouts.removed import account
from hydracore_core.rollouts.scope import RolloutScope, TenantScope, age_key, queue_key
from hydracore_core.rollouts.wishes import cancel_mode
from hydracore_core.windows import window_state
from hydracore_crds import RolloutTarget

_LIKELY = {"in_progress": 0, "queued": 1}
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
        freeze=freeze_of(view.platform, view.now),
        limit=parallel_limit(policy),
        rollouts=[RolloutScope(r, cancel_mode(r)) for r in sorted(view.rollouts, key=age_key)],
        instances={i.metadata.name: i for i in view.instances},
        slots={slot.task_id: slot for slot in view.slots},
    )
    targets = filed(view.targets)
    _file_targets(scope, targets)
    _find_slot_targets(scope, targets)
    _count_slots(scope)
    account(scope)
    if scope.window.wake_at is not None:
        scope.wakes.append(scope.window.wake_at)
    if scope.freeze is not None and scope.freeze.until is not None:
        scope.wakes.append(scope.freeze.until)
    return scope


def _file_targets(scope: TenantScope, targets: Filed) -> None:
    """Put every target on its rollout's shelf, whole shelves at a time."""
    rollouts = {
        r.name: (r.rollout.metadata.uid, r.by_state(), r.back.by_state()) for r in scope.rollouts
    }
    nowhere: tuple[str, _ByState, _ByState] = ("", {}, {})
    for shelf, found in targets.shelves.items():
        uid, forward, back = rollouts.get(shelf.rollout, nowhere)
        # Owned by another uid: left by a deleted rollout of the same name.
        mine = not shelf.owners or uid in shelf.owners
        if forward and mine:
            (back if shelf.back else forward)[shelf.state].extend(found)
        else:
            scope.orphans.extend(found)
    scope.orphans.sort(key=queue_key)
    for rollout in scope.rollouts:
        rollout.in_progress.sort(key=queue_key)
        rollout.waiting, rollout.back.waiting = rollout.queued, rollout.back.queued
        rollout.returning = rollout.back.working


def _find_slot_targets(scope: TenantScope, targets: Filed) -> None:
    """Find the targets that the ledger names; nearly all of them are in progress or queued."""
    wanted = {slot.target_name for slot in scope.slots.values()}
    for shelf in sorted(targets.shelves, key=lambda shelf: _LIKELY.get(shelf.state, len(_LIKELY))):
        for target in targets.shelves[shelf]:
            if not wanted:
                return
            if target.metadata.name in wanted:
                wanted.discard(target.metadata.name)
                scope.slot_targets[target.metadata.name] = target


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
