"""Pausing, resuming, cancelling and approving: annotations, which Git's self-heal leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from hydracore_api.auth.principal import Principal
from hydracore_api.errors import Conflict
from hydracore_api.rollouts import views
from hydracore_api.rollouts.lookup import find_live
from hydracore_api.rollouts.schemas import RolloutSummary
from hydracore_api.services import Services
from hydracore_core.rollouts import approvals
from hydracore_core.rollouts.wishes import cancel_mode, resumed_at, rollback_asked_by
from hydracore_crds import Rollout
from hydracore_crds.base import format_time
from hydracore_crds.names import (
    APPROVE_ANNOTATION,
    APPROVED_BY_ANNOTATION,
    CANCEL_ANNOTATION,
    CANCELLED_BY_ANNOTATION,
    PAUSED_BY_ANNOTATION,
    RESUMED_AT_ANNOTATION,
    RESUMED_BY_ANNOTATION,
    ROLLBACK_ANNOTATION,
    ROLLED_BACK_BY_ANNOTATION,
)
from hydracore_kube import Conflict as KubeConflict
from hydracore_kube import NotFound as KubeNotFound

TRIES = 10
"""How often a write is tried while the operator writes the same object."""

TICK = timedelta(milliseconds=1)
"""The finest step of a time on the wire."""

Annotations = dict[str, str | None]

log = structlog.get_logger(__name__)


async def pause(services: Services, principal: Principal, rollout_id: str) -> RolloutSummary:
    """Hold a rollout: nothing more starts, what runs may finish.

    Raises:
        Conflict: It has ended or is being cancelled.
    """

    def decide(rollout: Rollout) -> Annotations:
        _unfinished(rollout, "paused")
        if PAUSED_BY_ANNOTATION in rollout.metadata.annotations:
            return {}
        return {PAUSED_BY_ANNOTATION: principal.actor}

    return await _annotate(services, principal, rollout_id, decide)


async def resume(services: Services, principal: Principal, rollout_id: str) -> RolloutSummary:
    """Let a paused or halted rollout go on; failures so far are accepted.

    Raises:
        Conflict: It has ended, is being cancelled, is not paused, or Git says that it is paused.
    """

    def decide(rollout: Rollout) -> Annotations:
        _unfinished(rollout, "resumed")
        if rollout.spec.paused:
            raise Conflict(
                "spec.paused is true in the Rollout itself: set it to false where the manifest is "
                "kept; REST does not overrule it"
            )
        if not views.paused(rollout):
            raise Conflict("The rollout is not paused")
        return {
            PAUSED_BY_ANNOTATION: None,
            RESUMED_AT_ANNOTATION: format_time(_resume_time(rollout, services.now())),
            RESUMED_BY_ANNOTATION: principal.actor,
        }

    return await _annotate(services, principal, rollout_id, decide)


async def cancel(
    services: Services, principal: Principal, rollout_id: str, *, force: bool
) -> RolloutSummary:
    """Drop what is queued; with ``force`` abort what runs too. A cancel is never taken back.

    Raises:
        Conflict: It has ended.
    """

    def decide(rollout: Rollout) -> Annotations:
        if views.final(rollout):
            raise Conflict(f"The rollout has ended ({views.state(rollout)})")
        mode = cancel_mode(rollout)
        if mode == "Force" or (mode == "Graceful" and not force):
            return {}
        return {
            CANCEL_ANNOTATION: "Force" if force else "Graceful",
            CANCELLED_BY_ANNOTATION: principal.actor,
        }

    return await _annotate(services, principal, rollout_id, decide)


async def approve(
    services: Services, principal: Principal, rollout_id: str, approval: str
) -> RolloutSummary:
    """Let a rollout that waits for a person go on to its next wave.

    Args:
        services: The API's connections.
        principal: Who approves.
        rollout_id: The rollout.
        approval: What is approved, ``<wave>@<plan hash>``; the same once more changes nothing.

    Raises:
        Conflict: It waits for no approval, or for another one; the message names it.
    """

    def decide(rollout: Rollout) -> Annotations:
        verdict = approvals.judge(rollout, approval)
        if verdict.kind == "refused":
            raise Conflict(verdict.message)
        if verdict.kind == "known":
            return {}
        return {APPROVE_ANNOTATION: approval, APPROVED_BY_ANNOTATION: principal.actor}

    return await _annotate(services, principal, rollout_id, decide)


async def rollback(services: Services, principal: Principal, rollout_id: str) -> RolloutSummary:
    """Take back what a rollout has updated, at any time of its life; asked again nothing changes.

    Raises:
        Conflict: It is being deleted.
    """

    def decide(rollout: Rollout) -> Annotations:
        if rollout.deleting:
            raise Conflict("The rollout is being deleted: roll out the older bundle instead")
        if rollout.status.rollback is not None or rollback_asked_by(rollout) is not None:
            return {}
        return {ROLLBACK_ANNOTATION: "true", ROLLED_BACK_BY_ANNOTATION: principal.actor}

    return await _annotate(services, principal, rollout_id, decide)


def _resume_time(rollout: Rollout, now: datetime) -> datetime:
    """Return a time that counts: later than the halt and the last resume, by whatever clock."""
    status = rollout.status
    known = [time for time in (status.halted_at, status.resumed_at, resumed_at(rollout)) if time]
    return max([now, *(time + TICK for time in known)])


def _unfinished(rollout: Rollout, verb: str) -> None:
    if views.final(rollout):
        raise Conflict(f"The rollout has ended ({views.state(rollout)}) and cannot be {verb}")
    if cancel_mode(rollout) is not None:
        raise Conflict(f"The rollout is being cancelled and cannot be {verb}")


async def _annotate(
    services: Services,
    principal: Principal,
    rollout_id: str,
    decide: Callable[[Rollout], Annotations],
) -> RolloutSummary:
    known = await find_live(services, principal, rollout_id)
    for _ in range(TRIES):
        fresh = await _read(services, known)
        changes = decide(fresh)
        if not changes:
            return views.summary(fresh)
        metadata: dict[str, Any] = {
            "uid": fresh.metadata.uid,
            "resourceVersion": fresh.metadata.resource_version,
            "annotations": changes,
        }
        try:
            stored = await services.kube.patch(
                Rollout, fresh.metadata.name, fresh.metadata.namespace, {"metadata": metadata}
            )
        except KubeConflict:
            continue
        except KubeNotFound:
            break
        services.cache.rollouts.upsert(stored)
        log.info("rollout_annotated", rollout=stored.key, by=principal.id, set=sorted(changes))
        return views.summary(stored)
    raise Conflict("The rollout is changing too fast or is gone: look at it and try again")


async def _read(services: Services, known: Rollout) -> Rollout:
    try:
        fresh = await services.kube.get(Rollout, known.metadata.name, known.metadata.namespace)
    except KubeNotFound:
        fresh = None
    if fresh is None or fresh.metadata.uid != known.metadata.uid:
        raise Conflict("The rollout was deleted just now")
    services.cache.rollouts.upsert(fresh)
    return fresh
