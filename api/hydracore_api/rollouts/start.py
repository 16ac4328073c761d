"""Starting rollouts: of the whole fleet, or of one instance."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence

import structlog

from hydracore_api.auth.principal import Principal
from hydracore_api.errors import Conflict, Forbidden
from hydracore_api.instances.lookup import find as find_instance
from hydracore_api.instances.lookup import running_endpoint
from hydracore_api.rollouts.lookup import targets_of
from hydracore_api.rollouts.schemas import FleetRolloutStarted, Redeployed, RolloutTask
from hydracore_api.rollouts.tenant import view_of
from hydracore_api.rollouts.views import final, in_order
from hydracore_api.services import Services
from hydracore_core.quarantine import warning_of
from hydracore_core.rollouts.preview import NoPlan, preview
from hydracore_core.versions import available
from hydracore_crds import Bundle, Instance, ObjectMeta, Rollout
from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_crds.rollout import RolloutSpec, Selector

MAX_NAME = 57
"""Target names add six characters to their rollout's."""

log = structlog.get_logger(__name__)


async def fleet(
    services: Services, principal: Principal, *, override_window: bool
) -> FleetRolloutStarted:
    """Roll the newest runtime out to the tenant's instances.

    Instances of several runtime types get a rollout for each of them.

    Raises:
        Forbidden: ``override_window`` without the tenant-wide flag.
        Conflict: There is no bundle that could be rolled out, or the tenant is being deleted.
    """
    if override_window and not principal.tenant_wide:
        raise Forbidden(
            "override_window needs an API key with the tenant-wide flag: it bypasses the "
            "maintenance window of everyone in the tenant"
        )
    instances = services.cache.instances.in_namespace(principal.namespace)
    if not instances:
        return FleetRolloutStarted(
            total=0, enqueued=0, skipped=0, message="The tenant has no instances", tasks=[]
        )
    bundles = newest(services, instances)
    warnings = [text for one in bundles if (text := warning_of(one)) is not None]
    tasks: list[RolloutTask] = []
    seen = True
    for bundle in bundles:
        spec = fleet_spec(bundle, override_window=override_window)
        rollout = await _create(services, principal, spec, bundle)
        found, by_operator = await _tasks(services, rollout)
        tasks.extend(found)
        seen = seen and by_operator
    # An instance made meanwhile may be among the targets and not among those counted.
    skipped = max(0, len(instances) - len(tasks))
    return FleetRolloutStarted(
        total=len(tasks) + skipped,
        enqueued=len(tasks),
        skipped=skipped,
        message="; ".join([_message(bundles, len(tasks), skipped, seen=seen), *warnings]),
        warnings=warnings,
        tasks=tasks,
    )


async def redeploy(services: Services, principal: Principal, instance_id: str) -> Redeployed:
    """Send an instance the newest runtime, also where it runs it already.

    Raises:
        NotFound: There is no such instance.
        Conflict: It is not running, or there is no bundle to send.
    """
    instance = await find_instance(services, principal, instance_id)
    running_endpoint(instance)
    slug = instance.spec.runtime_type
    bundle = available(services.cache.bundles.all(), "runtime", slug)
    if bundle is None:
        raise Conflict(f"There is no runtime {slug} to deploy: publish a bundle first")
    spec = RolloutSpec(
        bundle_name=bundle.metadata.name,
        scope="instance",
        instance_names=[instance.metadata.name],
        force=True,
    )
    rollout = await _create(services, principal, spec, bundle)
    return Redeployed(
        instance_id=instance_id,
        task_id=rollout.metadata.uid,
        status="queued",
        message=f"Runtime {slug} {bundle.spec.version} will be deployed within window and limit",
    )


def rollout_name(scope: str, bundle: Bundle) -> str:
    """Return a name for a new rollout: readable, unique, and short enough for its targets."""
    suffix = secrets.token_hex(4)
    version = re.sub(r"[^a-z0-9]+", "-", bundle.spec.version.lower())
    stem = f"{scope}-{bundle.spec.slug}-{version}"[: MAX_NAME - len(suffix) - 1]
    return f"{stem.rstrip('-')}-{suffix}"


def newest(services: Services, instances: Sequence[Instance]) -> list[Bundle]:
    """Return the newest runtime of each type that instances have, by type.

    Raises:
        Conflict: There is none that could be rolled out.
    """
    types = sorted({one.spec.runtime_type for one in instances})
    offers = (available(services.cache.bundles.all(), "runtime", slug) for slug in types)
    bundles = [offer for offer in offers if offer is not None]
    if not bundles:
        raise Conflict(
            f"There is no runtime to roll out for {', '.join(types)}: "
            "publish a bundle and see that its condition Ready is True"
        )
    return bundles


def fleet_spec(bundle: Bundle, *, override_window: bool = False) -> RolloutSpec:
    """Return what a fleet rollout of this bundle asks for."""
    return RolloutSpec(
        bundle_name=bundle.metadata.name,
        scope="fleet",
        selector=Selector(),
        override_window=override_window,
    )


async def _create(
    services: Services, principal: Principal, spec: RolloutSpec, bundle: Bundle
) -> Rollout:
    who = {"initiated_by": principal.actor, "initiated_from_ip": principal.ip or None}
    wanted = Rollout(
        metadata=ObjectMeta(
            name=rollout_name(spec.scope, bundle),
            namespace=principal.namespace,
            labels={MANAGED_BY_LABEL: "api"},
        ),
        spec=spec.model_copy(update=who),
    )
    stored = await services.kube.create(wanted)
    services.cache.rollouts.upsert(stored)
    log.info("rollout_created", rollout=stored.key, by=principal.id)
    return stored


async def _tasks(services: Services, rollout: Rollout) -> tuple[list[RolloutTask], bool]:
    """Return who gets the bundle, and whether the operator said so or only its plan."""

    def current() -> Rollout:
        return services.cache.rollouts.get(rollout.key) or rollout

    def admitted() -> bool:
        status = current().status
        complete = status.targets_created and status.counts is not None
        return final(current()) or bool(
            complete and len(targets_of(services, rollout)) >= status.counts.total  # type: ignore[union-attr]
        )

    if await services.cache.until(admitted, services.settings.rollout_wait_seconds):
        return _from_targets(services, rollout), True
    return await from_plan(services, rollout), False


def _from_targets(services: Services, rollout: Rollout) -> list[RolloutTask]:
    tasks = []
    for target in in_order(targets_of(services, rollout)):
        name = f"{rollout.metadata.namespace}/{target.spec.instance_name}"
        instance = services.cache.instances.get(name)
        hostname = target.status.hostname or (instance.status.hostname if instance else None)
        tasks.append(
            RolloutTask(
                rollout_id=rollout.metadata.uid,
                target_id=target.metadata.uid,
                instance_id=target.spec.instance_id,
                hostname=hostname,
                task_id=target.status.task_id,
                scheduled_countdown_seconds=target.spec.scheduled_countdown_seconds,
            )
        )
    return tasks


async def from_plan(services: Services, rollout: Rollout) -> list[RolloutTask]:
    """Return whom a rollout will reach, with the countdowns, before the operator has seen it."""
    view = view_of(services, rollout.metadata.namespace or "")
    # In a thread: thousands of instances take longer than other requests should wait.
    try:
        planned = await asyncio.to_thread(preview, view, rollout, None)
    except NoPlan:  # the bundle went just now
        return []
    hostnames = {one.metadata.name: one.status.hostname for one in view.instances}
    return [
        RolloutTask(
            rollout_id=rollout.metadata.uid,
            target_id=None,
            instance_id=target.instance_id,
            hostname=hostnames.get(target.instance_name),
            task_id=None,
            scheduled_countdown_seconds=target.countdown_seconds,
        )
        for wave in planned.waves
        for target in wave.targets
    ]


def _message(bundles: list[Bundle], enqueued: int, skipped: int, *, seen: bool) -> str:
    what = ", ".join(f"{one.spec.slug} {one.spec.version}" for one in bundles)
    text = f"Rolling out {what}: {enqueued} enqueued, {skipped} skipped"
    return text if seen else f"{text} (planned; the operator has not taken it up yet)"
