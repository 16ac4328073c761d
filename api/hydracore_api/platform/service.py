"""Rules of the platform's policy: who changes it names the version that they have seen."""

from __future__ import annotations

from datetime import datetime

import structlog

from hydracore_api.errors import Conflict, PreconditionFailed, PreconditionRequired
from hydracore_api.platform.schemas import FreezeView, PlatformPolicyView, PlatformPolicyWish
from hydracore_api.services import Services
from hydracore_core.platform.change import author, change_body, set_by
from hydracore_core.platform.freeze import freeze_of
from hydracore_crds import ObjectMeta, PlatformPolicy
from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_crds.platform_policy import DEFAULT_NAME, PlatformPolicySpec
from hydracore_kube import AlreadyExists
from hydracore_kube import Conflict as KubeConflict
from hydracore_kube import NotFound as KubeNotFound

ACTOR = "ops"
"""All who hold the token of ``/internal`` are one."""

TRIES = 10

log = structlog.get_logger(__name__)


async def read(services: Services) -> PlatformPolicy | None:
    """Return the platform's policy from the store of record, so that all replicas say the same.

    Raises:
        KubeError: The API server refuses or is away.
    """
    try:
        return await services.kube.get(PlatformPolicy, DEFAULT_NAME)
    except KubeNotFound:
        return None


def etag(policy: PlatformPolicy | None) -> str:
    """Return which policy this is; counts in its status do not make it another."""
    if policy is None:
        return '"none"'
    return f'"{policy.metadata.uid}.{policy.metadata.generation}"'


async def replace(
    services: Services, wish: PlatformPolicyWish, if_match: str | None
) -> PlatformPolicy:
    """Make the policy what is wished; the same again changes nothing.

    Args:
        services: What the API works with.
        wish: The whole policy.
        if_match: The header: ETags of which one must be the policy's, or ``*``.

    Raises:
        PreconditionRequired: There is no such header.
        PreconditionFailed: The policy is another one by now.
        Conflict: It is changing too fast.
        KubeError: The API server refuses or is away.
    """
    if if_match is None:
        raise PreconditionRequired(
            "Send If-Match with the ETag of the policy that you have read, so that no freeze of "
            "others is ended unseen; or * to replace whatever stands there"
        )
    spec = PlatformPolicySpec.model_validate(wish.model_dump())
    for _ in range(TRIES):
        stored = await read(services)
        if not _matches(if_match, etag(stored)):
            raise PreconditionFailed(
                "The platform's policy has changed since you read it: read it again and decide"
            )
        try:
            found = await _write(services, stored, spec)
        except (KubeConflict, AlreadyExists, KubeNotFound):
            # Mostly a count in the status; whether it is another policy is asked again.
            continue
        services.cache.platform.upsert(found)
        return found
    raise Conflict("The platform's policy is being changed by others: try again")


def view(policy: PlatformPolicy | None, now: datetime) -> PlatformPolicyView:
    """Return the policy, and what holds by it at ``now``, as REST shows it."""
    spec = policy.spec if policy is not None else PlatformPolicySpec()
    holds = freeze_of(policy, now)
    freeze = spec.freeze
    return PlatformPolicyView(
        freeze=FreezeView(reason=freeze.reason, until=freeze.until) if freeze else None,
        max_parallel_rollouts=spec.max_parallel_rollouts,
        frozen=holds is not None,
        message=holds.why if holds is not None else None,
        in_flight=policy.status.in_flight if policy is not None else None,
        generation=policy.metadata.generation if policy is not None else 0,
        set_by=author(policy) if policy is not None else None,
    )


def _matches(if_match: str, current: str) -> bool:
    given = {one.strip() for one in if_match.split(",")}
    return "*" in given or current in given


async def _write(
    services: Services, stored: PlatformPolicy | None, spec: PlatformPolicySpec
) -> PlatformPolicy:
    if stored is None:
        metadata = ObjectMeta(
            name=DEFAULT_NAME,
            labels={MANAGED_BY_LABEL: "api"},
            annotations=set_by(ACTOR, generation=1),
        )
        found = await services.kube.create(PlatformPolicy(metadata=metadata, spec=spec))
    else:
        body = change_body(stored, spec, ACTOR)
        if body is None:
            return stored
        found = await services.kube.patch(PlatformPolicy, DEFAULT_NAME, None, body)
    log.info("platform_policy_set", by=ACTOR, generation=found.metadata.generation)
    return found
