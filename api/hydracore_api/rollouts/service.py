"""Rules of reading rollouts."""

from __future__ import annotations

from hydracore_api.auth.principal import Principal
from hydracore_api.instances.lookup import find as find_instance
from hydracore_api.rollouts import views
from hydracore_api.rollouts.lookup import belongs, find
from hydracore_api.rollouts.schemas import (
    RolloutDetail,
    RolloutSummary,
    RolloutTargetView,
    RolloutTimeline,
)
from hydracore_api.rollouts.seam import age_of, archive_slice, page
from hydracore_api.services import Services
from hydracore_crds import Rollout, RolloutTarget

MAX_DEPTH = 100_000
"""How far a list can be paged; nothing lies beyond."""


async def list_(
    services: Services, principal: Principal, limit: int, offset: int
) -> list[RolloutSummary]:
    """Return the tenant's rollouts, live and archived, newest first.

    Raises:
        HistoryUnavailable: The archive cannot be asked: a list without it would have a gap.
    """
    if offset > MAX_DEPTH:
        return []
    live = services.cache.rollouts.in_namespace(principal.namespace)
    part = archive_slice(len(live), limit, offset)
    archived = await services.history.rollouts.list(
        principal.namespace,
        part.limit,
        part.offset,
        tenant_id=principal.tenant_id,
        without=[one.metadata.uid for one in live],
    )
    old = [Rollout.model_validate(one.rollout) for one in archived]
    return [views.summary(one) for one in page(live, old, limit, offset, age_of)]


async def get(services: Services, principal: Principal, rollout_id: str) -> RolloutDetail:
    """Return one rollout with its targets."""
    found = await find(services, principal, rollout_id)
    return RolloutDetail(
        rollout=views.summary(found.rollout),
        targets=[views.target(found.rollout, one) for one in views.in_order(found.targets)],
    )


async def timeline(services: Services, principal: Principal, rollout_id: str) -> RolloutTimeline:
    """Return when each target of a rollout ran."""
    found = await find(services, principal, rollout_id)
    return views.timeline(found.rollout, found.targets)


async def of_instance(
    services: Services, principal: Principal, instance_id: str, limit: int, offset: int
) -> list[RolloutTargetView]:
    """Return an instance's targets, live and archived, newest first.

    Raises:
        HistoryUnavailable: The archive cannot be asked: a list without it would have a gap.
    """
    await find_instance(services, principal, instance_id)
    if offset > MAX_DEPTH:
        return []
    live = _live_of_instance(services, principal.namespace, instance_id)
    part = archive_slice(len(live), limit, offset)
    archived = await services.history.rollouts.targets_of_instance(
        principal.namespace,
        instance_id,
        part.limit,
        part.offset,
        tenant_id=principal.tenant_id,
        without=[one.metadata.uid for one, _ in live],
    )
    old = [
        (RolloutTarget.model_validate(one.wire), Rollout.model_validate(parent.rollout))
        for one, parent in archived
    ]
    found = page(live, old, limit, offset, lambda pair: age_of(pair[0]))
    return [views.target(parent, one) for one, parent in found]


def _live_of_instance(
    services: Services, namespace: str, instance_id: str
) -> list[tuple[RolloutTarget, Rollout]]:
    pairs = []
    for one in services.cache.targets_by_instance.get(namespace, instance_id):
        parent = services.cache.rollouts.get(f"{namespace}/{one.spec.rollout_name}")
        if parent is not None and belongs(one, parent):
            pairs.append((one, parent))
    return pairs
