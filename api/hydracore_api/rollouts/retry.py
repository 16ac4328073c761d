"""Retrying one target: ``spec.attempt`` + 1, and the plan is asked first whether it would do it."""

from __future__ import annotations

from dataclasses import replace

import structlog

from hydracore_api.auth.principal import Principal
from hydracore_api.errors import Conflict, NotFound
from hydracore_api.rollouts import views
from hydracore_api.rollouts.control import TRIES
from hydracore_api.rollouts.lookup import find_live, targets_of
from hydracore_api.rollouts.schemas import RolloutSummary
from hydracore_api.rollouts.tenant import view_of
from hydracore_api.services import Services
from hydracore_core.rollouts.model import RefuseRetry
from hydracore_core.rollouts.plan import plan
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.base import find as find_condition
from hydracore_crds.conditions import RETRY_REFUSED, SUCCEEDED
from hydracore_crds.names import RETRIED_BY_ANNOTATION
from hydracore_kube import Conflict as KubeConflict
from hydracore_kube import NotFound as KubeNotFound

TARGET_NOT_FOUND = "Rollout target not found"
MAX_ATTEMPTS = 1000

log = structlog.get_logger(__name__)


async def retry(
    services: Services, principal: Principal, rollout_id: str, target_id: str
) -> RolloutSummary:
    """Ask for one more attempt of a failed or uncertain target.

    While the rollout is halted or paused it is accepted and runs after the resume.

    Raises:
        NotFound: There is no such rollout or target.
        Conflict: The target's state does not allow it, or the rollout is archived.
    """
    rollout = await find_live(services, principal, rollout_id)
    known = next((t for t in targets_of(services, rollout) if t.metadata.uid == target_id), None)
    if known is None:
        raise NotFound(TARGET_NOT_FOUND)
    for _ in range(TRIES):
        target = await _read(services, known)
        _check_state(target)
        wanted = target.spec.attempt + 1
        _ask_plan(services, rollout, target, wanted)
        body = {
            "metadata": {
                "uid": target.metadata.uid,
                "resourceVersion": target.metadata.resource_version,
                "annotations": {RETRIED_BY_ANNOTATION: principal.actor},
            },
            "spec": {"attempt": wanted},
        }
        try:
            stored = await services.kube.patch(
                RolloutTarget, target.metadata.name, target.metadata.namespace, body
            )
        except KubeConflict:
            continue
        except KubeNotFound:
            break
        services.cache.targets.upsert(stored)
        log.info("target_retried", target=stored.key, attempt=wanted, by=principal.id)
        return views.summary(services.cache.rollouts.get(rollout.key) or rollout)
    raise Conflict("The target is changing too fast or is gone: look at it and try again")


def _check_state(target: RolloutTarget) -> None:
    state = target.status.state or "queued"
    if state not in {"failed", "uncertain"}:
        raise Conflict(f"Only failed or uncertain targets can be retried; this one is {state}")
    if target.spec.attempt > (target.status.attempt or 1) and not _refused(target):
        raise Conflict(f"A retry was asked for already (attempt {target.spec.attempt})")
    if target.spec.attempt >= MAX_ATTEMPTS:
        raise Conflict(f"The target had {MAX_ATTEMPTS} attempts: start a new rollout instead")


def _refused(target: RolloutTarget) -> bool:
    condition = find_condition(target.status.conditions, SUCCEEDED)
    return (
        condition is not None
        and condition.reason == RETRY_REFUSED
        and (condition.observed_generation or 0) >= target.metadata.generation
    )


def _ask_plan(services: Services, rollout: Rollout, target: RolloutTarget, attempt: int) -> None:
    """Plan as if the retry had been asked for.

    Raises:
        Conflict: The plan would refuse it; the message is the plan's.
    """
    asked = target.model_copy(
        update={
            "spec": target.spec.model_copy(update={"attempt": attempt}),
            "metadata": target.metadata.model_copy(
                update={"generation": target.metadata.generation + 1}
            ),
        }
    )
    known = view_of(services, rollout.metadata.namespace or "")
    others = [t for t in known.targets if t.key != target.key]
    view = replace(known, targets=[*others, asked])
    for intent in plan(view).intents:
        if isinstance(intent, RefuseRetry) and intent.target_name == target.metadata.name:
            raise Conflict(intent.message[:1].upper() + intent.message[1:])


async def _read(services: Services, known: RolloutTarget) -> RolloutTarget:
    try:
        fresh = await services.kube.get(
            RolloutTarget, known.metadata.name, known.metadata.namespace
        )
    except KubeNotFound:
        fresh = None
    if fresh is None or fresh.metadata.uid != known.metadata.uid:
        raise NotFound(TARGET_NOT_FOUND)
    services.cache.targets.upsert(fresh)
    return fresh
