"""Notes every step of a rollout or target in the very write that takes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from hydracore_core.trail import Step, extended, rollout_steps, target_steps
from hydracore_crds import Resource, Rollout, RolloutTarget
from hydracore_crds.base import Wire
from hydracore_crds.rollout import RolloutStatus
from hydracore_crds.rollout_target import RolloutTargetStatus
from hydracore_operator.context import Stores


class StoredTrail:
    """Extends ``status.transitions`` of what is about to be written.

    The trail that is extended is the stored one, whatever the wanted status says: so a status that
    was built anew loses none of it.
    """

    def __init__(self, stores: Stores, now: Callable[[], datetime]) -> None:
        """Take what is known of the cluster, and the clock."""
        self._stores = stores
        self._now = now

    def __call__(self, obj: Resource, status: Wire) -> Wire:
        """Return the status with the steps that it takes from the object's present one."""
        steps: Sequence[Step] = ()
        if isinstance(obj, Rollout) and isinstance(status, RolloutStatus):
            steps = rollout_steps(obj, status, self._targets(obj))
        elif isinstance(obj, RolloutTarget) and isinstance(status, RolloutTargetStatus):
            steps = target_steps(obj, status, self._rollout(obj))
        else:
            return status
        trail = obj.status.transitions
        grown = extended(trail, steps, self._now()) if steps else trail
        return status.model_copy(update={"transitions": grown})

    def _targets(self, rollout: Rollout) -> Iterator[RolloutTarget]:
        uid = rollout.metadata.uid
        for target in self._stores.targets.in_namespace(rollout.metadata.namespace or ""):
            if any(owner.uid == uid for owner in target.metadata.owner_references):
                yield target

    def _rollout(self, target: RolloutTarget) -> Rollout | None:
        name = f"{target.metadata.namespace}/{target.spec.rollout_name}"
        found = self._stores.rollouts.get(name)
        owners = {owner.uid for owner in target.metadata.owner_references}
        return found if found is not None and found.metadata.uid in owners else None
