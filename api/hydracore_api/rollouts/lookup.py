"""Finding rollouts: the live ones in the watch cache, the others in the archive."""

from __future__ import annotations

from dataclasses import dataclass

from hydracore_api.auth.principal import Principal
from hydracore_api.errors import Conflict, NotFound
from hydracore_api.services import Services
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.rollout import FINAL_STATES
from hydracore_history import ArchivedRollout

NOT_FOUND = "Rollout not found"


@dataclass(frozen=True, slots=True)
class Found:
    """A rollout with its targets.

    Attributes:
        live: Whether it is still in the cluster; else it is from the archive.
    """

    rollout: Rollout
    targets: list[RolloutTarget]
    live: bool


async def find(services: Services, principal: Principal, rollout_id: str) -> Found:
    """Return the tenant's rollout with this id, live or archived.

    Rollouts and targets are watched apart: while an ended one is being removed, its targets may be
    gone from the cache before it is. Then the archive, which has had it whole before, answers.

    Raises:
        NotFound: The tenant has none.
        HistoryUnavailable: It is not in the cluster (any more), and the archive cannot be asked.
    """
    live = services.cache.rollout_by_id.one(principal.namespace, rollout_id)
    targets = targets_of(services, live) if live is not None else []
    if live is not None and not _is_going(live, targets):
        return Found(live, targets, live=True)
    archived = await services.history.rollouts.get(rollout_id)
    if archived is not None and _is_own(principal, archived):
        return Found(
            Rollout.model_validate(archived.rollout),
            [RolloutTarget.model_validate(one.wire) for one in archived.targets],
            live=live is not None,
        )
    if live is None:
        raise NotFound(NOT_FOUND)
    return Found(live, targets, live=True)


async def find_live(services: Services, principal: Principal, rollout_id: str) -> Rollout:
    """Return the tenant's rollout with this id, which must still be in the cluster.

    Raises:
        NotFound: The tenant has none.
        Conflict: It is archived: nothing about it can be changed.
        HistoryUnavailable: It is not in the cluster (any more), and the archive cannot be asked.
    """
    live = services.cache.rollout_by_id.one(principal.namespace, rollout_id)
    if live is None:
        await find(services, principal, rollout_id)
        raise Conflict("The rollout is archived: nothing about it can be changed any more")
    return live


def _is_own(principal: Principal, archived: ArchivedRollout) -> bool:
    whose = (archived.tenant_id, archived.namespace)
    return whose == (principal.tenant_id, principal.namespace)


def _is_going(rollout: Rollout, targets: list[RolloutTarget]) -> bool:
    """Whether an ended rollout lacks targets that nobody has deleted by hand."""
    status = rollout.status
    if status.state not in FINAL_STATES or status.counts is None:
        return False
    removed = status.removed.total if status.removed is not None else 0
    return len(targets) + removed < status.counts.total


def targets_of(services: Services, rollout: Rollout) -> list[RolloutTarget]:
    """Return a live rollout's targets; those of a deleted namesake are left out."""
    namespace = rollout.metadata.namespace or ""
    found = services.cache.targets_by_rollout.get(namespace, rollout.metadata.name)
    return [target for target in found if belongs(target, rollout)]


def belongs(target: RolloutTarget, rollout: Rollout) -> bool:
    """Whether a target is of this very rollout."""
    owners = target.metadata.owner_references
    return not owners or any(owner.uid == rollout.metadata.uid for owner in owners)
