"""Finding rollouts: the live ones in the watch cache, the others in the archive."""

from __future__ import annotations

from dataclasses import dataclass

from hydracore_api.auth.principal import Principal
from hydracore_api.errors import Conflict, NotFound
from hydracore_api.services import Services
from hydracore_crds import Rollout, RolloutTarget

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

    Raises:
        NotFound: The tenant has none.
    """
    live = services.cache.rollout_by_id.one(principal.namespace, rollout_id)
    if live is not None:
        return Found(live, targets_of(services, live), live=True)
    archived = await services.history.rollouts.get(rollout_id)
    if archived is None or archived.tenant_id != principal.tenant_id:
        raise NotFound(NOT_FOUND)
    return Found(
        Rollout.model_validate(archived.rollout),
        [RolloutTarget.model_validate(one.wire) for one in archived.targets],
        live=False,
    )


async def find_live(services: Services, principal: Principal, rollout_id: str) -> Rollout:
    """Return the tenant's rollout with this id, which must still be in the cluster.

    Raises:
        NotFound: The tenant has none.
        Conflict: It is archived: nothing about it can be changed.
    """
    found = await find(services, principal, rollout_id)
    if not found.live:
        raise Conflict("The rollout is archived: nothing about it can be changed any more")
    return found.rollout


def targets_of(services: Services, rollout: Rollout) -> list[RolloutTarget]:
    """Return a live rollout's targets; those of a deleted namesake are left out."""
    namespace = rollout.metadata.namespace or ""
    found = services.cache.targets_by_rollout.get(namespace, rollout.metadata.name)
    return [target for target in found if belongs(target, rollout)]


def belongs(target: RolloutTarget, rollout: Rollout) -> bool:
    """Whether a target is of this very rollout."""
    owners = target.metadata.owner_references
    return not owners or any(owner.uid == rollout.metadata.uid for owner in owners)
