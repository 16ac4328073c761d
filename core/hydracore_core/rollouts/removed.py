"""Targets that somebody deleted by hand: they stay in their rollout's counts.

How many there have to be is known from the stored counts; which of them are missing is not, so
what they were is derived: an end that was counted and is not there any more was that end, a slot
without target was in flight (its outcome is unknown), and the rest had not been started.
"""

from __future__ import annotations

from hydracore_core.rollouts.scope import RolloutScope, TenantScope
from hydracore_crds.rollout import Counts

_ENDS = ("succeeded", "cancelled", "failed", "uncertain")
"""Those first that a target never leaves."""


def account(scope: TenantScope) -> None:
    """Find out, for every admitted rollout, what was removed from it."""
    lost: dict[str, int] = {}
    for slot in scope.slots.values():
        if slot.target_name not in scope.slot_targets:
            lost[slot.rollout_name] = lost.get(slot.rollout_name, 0) + 1
    for rollout in scope.rollouts:
        rollout.removed = _removed(rollout, lost.get(rollout.name, 0))


def _removed(rollout: RolloutScope, in_flight: int) -> Counts:
    """Add what has vanished since the counts were stored to what was known to be removed.

    Args:
        rollout: The rollout with the targets that are there.
        in_flight: How many slots it holds whose target is not there.
    """
    status = rollout.rollout.status
    known = status.removed or Counts()
    if not rollout.admitted or status.counts is None:
        return known
    left = status.counts.total - known.total - len(rollout.all_targets())
    if left <= 0:
        return known
    found = {state: getattr(known, state) for state in _ENDS}
    for state in _ENDS:
        counted = getattr(status.counts, state) - getattr(known, state)
        share = min(left, max(0, counted - len(getattr(rollout, state))))
        found[state] += share
        left -= share
    # A slot outlives its target: what was counted for it before is not counted again.
    landed = status.counts.in_progress - len(rollout.in_progress)
    unknown = min(left, in_flight, max(0, in_flight - known.uncertain, landed))
    found["uncertain"] += unknown
    found["cancelled"] += left - unknown
    return Counts(total=sum(found.values()), **found)
