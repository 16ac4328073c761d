"""What to do about ledger entries that no target in progress stands behind.

An entry whose order is settled is released. One whose outcome nobody has stored is asked about at
its agent, and keeps its slot until there is an answer or until its deadline has passed: from then
on the agent neither starts nor switches, so nothing of it can be in flight any more.
"""

from __future__ import annotations

from hydracore_core.rollouts.model import Release, Resolve, Slot
from hydracore_core.rollouts.scope import TenantScope
from hydracore_crds import RolloutTarget
from hydracore_crds.rollout_target import TERMINAL_STATES


def settle_slots(scope: TenantScope) -> None:
    """Emit a Release or a Resolve for every entry that is not simply in use."""
    for _, slot in sorted(scope.slots.items()):
        target = scope.slot_targets.get(slot.target_name)
        if target is not None and target.spec.rollout_name != slot.rollout_name:
            target = None
        if target is not None and _in_use(slot, target):
            continue
        why = _why_free(scope, slot, target)
        if why is not None:
            scope.out.ledger.append(Release(slot.task_id, why))
        else:
            scope.out.ledger.append(Resolve(slot))
            scope.wakes.append(slot.deadline)


def _in_use(slot: Slot, target: RolloutTarget) -> bool:
    status = target.status
    return status.state == "in_progress" and status.task_id == slot.task_id


def _why_free(scope: TenantScope, slot: Slot, target: RolloutTarget | None) -> str | None:
    if target is not None:
        attempt = target.status.attempt or 0
        if slot.attempt < attempt:
            return f"attempt {attempt} has replaced attempt {slot.attempt}"
        if slot.attempt == attempt and target.status.state in TERMINAL_STATES:
            return f"target {slot.target_name} is {target.status.state}"
    instance = scope.instances.get(slot.instance_name)
    if instance is None or instance.metadata.uid != slot.instance_uid:
        return f"instance {slot.instance_name} was deleted"
    if scope.now >= slot.deadline:
        return "its deadline has passed"
    return None
