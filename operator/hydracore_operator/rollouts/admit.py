"""Admits a rollout: pins what is delivered, then creates its targets beside the passes.

Targets that are there start meanwhile. When the plan misses none any more, it says so by a Report.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import structlog

from hydracore_core.rollouts.model import Admit, Hold, TakeBack, TargetDraft
from hydracore_crds import Instance, ObjectMeta, OwnerReference, Rollout, RolloutTarget
from hydracore_crds.base import API_VERSION
from hydracore_crds.names import FINALIZER, MANAGED_BY_LABEL, ROLLOUT_LABEL
from hydracore_crds.rollout import RolloutStatus
from hydracore_crds.rollout_target import RolloutTargetSpec
from hydracore_kube import AlreadyExists, NotFound
from hydracore_operator.controller.reconciler import RetryLater
from hydracore_operator.rollouts.filed import targets_of
from hydracore_operator.rollouts.tenant import Tenant
from hydracore_operator.rollouts.writes import bounded

AGAIN_AFTER = timedelta(seconds=2)
CREATING = "create-"
"""Errands that create targets have keys that begin so."""
BATCH = 64
"""Targets that are created before the tenant is woken to start them."""

log = structlog.get_logger(__name__)


class AdmissionWaitsError(RetryLater):
    """A target cannot be created yet; the message says why. Tried again later."""

    def __init__(self, reason: str, after: timedelta = AGAIN_AFTER) -> None:
        """Take why, and how long to wait."""
        super().__init__(reason, after)


async def hold(tenant: Tenant, intent: Hold) -> None:
    """Put the operator's finalizer on a rollout; a conflict is left to the next pass."""
    rollout = tenant.rollout(intent.rollout_name)
    if rollout is None or rollout.deleting or FINALIZER in rollout.metadata.finalizers:
        return
    wanted = [*rollout.metadata.finalizers, FINALIZER]
    await tenant.writes.finalizers(tenant.ctx.stores.rollouts, rollout, wanted)


async def pin(tenant: Tenant, intent: Admit) -> None:
    """Fix what a rollout delivers, and that its set is chosen now; nothing if it was done before.

    Raises:
        AdmissionWaitsError: The Instances are not what was thought: the selection is made anew.
        KubeError: The API server refuses or cannot be asked.
    """
    rollout = tenant.rollout(intent.rollout_name)
    if rollout is None or rollout.status.artifact is not None:
        return
    await _look(tenant, rollout)
    pinned = await tenant.writes.status(tenant.ctx.stores.rollouts, rollout, partial(_pin, intent))
    if pinned is not None:
        log.info("rollout_admitted", rollout=rollout.key, targets=len(intent.targets))


def create(tenant: Tenant, intent: Admit | TakeBack) -> str | None:
    """Have the missing targets created in the background, a batch at a time.

    Returns:
        The errand's key: it goes on as long as the plan asks for it. None if there is nothing to
        do for it, or no rollout any more.
    """
    rollout = tenant.rollout(intent.rollout_name)
    if rollout is None or rollout.status.artifact is None:
        return None
    if isinstance(intent, Admit) and rollout.status.artifact != intent.artifact:
        return None
    key = f"{CREATING}{rollout.metadata.uid}"
    tenant.errands.ensure(key, partial(_create_all, tenant, rollout, intent.targets))
    return key


async def _create_all(tenant: Tenant, rollout: Rollout, drafts: Sequence[TargetDraft]) -> bool:
    """Create targets in their order; the first batch with a failure ends it."""
    for first in range(0, len(drafts), BATCH):
        tenant.lead()
        batch = drafts[first : first + BATCH]
        results = await bounded(
            [partial(_create, tenant, rollout, draft) for draft in batch],
            at_once=_at_once(tenant),
        )
        for result in results:
            if isinstance(result, Exception):
                raise result
        tenant.wake()
    return True


def _at_once(tenant: Tenant) -> int:
    """Return how many targets to create at once: few while enough wait to fill every slot anew.

    Then the writes that fill slots come first; else new targets are what fills them.
    """
    queued = targets_of(tenant.ctx.stores, tenant.namespace).in_state("queued")
    enough = sum(1 for _ in queued) >= max(1, tenant.limit)
    return tenant.timing.creates_at_once if enough else tenant.timing.writes_at_once


def draft_target(rollout: Rollout, draft: TargetDraft, digest: str) -> RolloutTarget:
    """Build the target of a draft: owned by its rollout, labelled with it. Pure."""
    owner = OwnerReference(
        api_version=API_VERSION,
        kind=Rollout.KIND.kind,
        name=rollout.metadata.name,
        uid=rollout.metadata.uid,
        controller=True,
    )
    return RolloutTarget(
        metadata=ObjectMeta(
            name=draft.name,
            namespace=rollout.metadata.namespace,
            labels={ROLLOUT_LABEL: rollout.metadata.name, MANAGED_BY_LABEL: "operator"},
            owner_references=[owner],
        ),
        spec=RolloutTargetSpec(
            rollout_name=rollout.metadata.name,
            instance_name=draft.instance_name,
            instance_id=draft.instance_id,
            bundle_hash=draft.back.sha256 if draft.back is not None else digest,
            rollback_of=draft.back.target_name if draft.back is not None else None,
            bundle_name=draft.back.bundle_name if draft.back is not None else None,
            order=draft.order,
            wave=draft.wave,
            scheduled_countdown_seconds=draft.countdown_seconds,
        ),
    )


async def _look(tenant: Tenant, rollout: Rollout) -> None:
    """List the Instances once for a rollout.

    Its set stays as it is from now on, and a watch may be late or have lost something.

    Raises:
        AdmissionWaitsError: The selection was made from something else.
    """
    uid = rollout.metadata.uid
    if uid in tenant.looked:
        return
    found, _ = await tenant.ctx.kube.list(Instance, tenant.namespace)
    tenant.looked.add(uid)
    news = [instance.key for instance in found if tenant.ctx.stores.instances.upsert(instance)]
    if news:
        log.info("instances_heard_late", rollout=rollout.key, count=len(news))
        raise AdmissionWaitsError("Instances were not known as they are", timedelta(0))


async def _create(tenant: Tenant, rollout: Rollout, draft: TargetDraft) -> None:
    assert rollout.status.artifact is not None  # noqa: S101 - pinned before
    wanted = draft_target(rollout, draft, rollout.status.artifact.sha256)
    if tenant.target(draft.name) is not None:
        _check_ours(wanted, tenant.target(draft.name))
        return
    try:
        created = await tenant.ctx.kube.create(wanted)
    except AlreadyExists:
        try:
            created = await tenant.ctx.kube.get(RolloutTarget, draft.name, tenant.namespace)
        except NotFound as error:
            raise AdmissionWaitsError(f"target {draft.name!r} is being replaced") from error
        _check_ours(wanted, created)
    tenant.ctx.stores.targets.upsert(created)


def _check_ours(wanted: RolloutTarget, found: RolloutTarget | None) -> None:
    if found is None:
        return
    owners = {owner.uid for owner in found.metadata.owner_references}
    if wanted.metadata.owner_references[0].uid not in owners:
        raise AdmissionWaitsError(
            f"RolloutTarget {found.key} belongs to a deleted rollout of the same name; "
            "waiting until it is collected (delete it by hand to go on at once)"
        )
    if found.spec.instance_id != wanted.spec.instance_id:
        raise AdmissionWaitsError(
            f"RolloutTarget {found.key} is for instance {found.spec.instance_name!r}, "
            f"not {wanted.spec.instance_name!r}"
        )


def _pin(intent: Admit, rollout: Rollout) -> RolloutStatus | None:
    old = rollout.status
    if rollout.deleting or old.artifact is not None:
        return None
    return old.model_copy(
        update={
            "artifact": intent.artifact,
            "admitted_at": intent.at,
            "skipped": intent.skipped,
            "waves": list(intent.waves) if intent.waves is not None else None,
            "wave": 1 if intent.waves is not None else None,
            "observed_generation": rollout.metadata.generation,
        }
    )
