"""Builders of objects for tests of the core: small, valid, and changed by keyword."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from hydracore_core.executions import Began
from hydracore_core.rollouts.artifacts import pin
from hydracore_core.rollouts.instances import instance_id
from hydracore_core.rollouts.model import Plan, Slot, TenantView
from hydracore_crds import (
    Bundle,
    Condition,
    Instance,
    ObjectMeta,
    OwnerReference,
    PlatformPolicy,
    Rollout,
    RolloutTarget,
    UpdatePolicy,
)
from hydracore_crds.bundle import Artifact, BundleSpec, BundleStatus, Signature, bundle_name
from hydracore_crds.instance import InstanceSpec, InstanceStatus, RuntimeStatus
from hydracore_crds.names import FINALIZER
from hydracore_crds.platform_policy import PlatformFreeze, PlatformPolicySpec
from hydracore_crds.policy_window import PolicyWindow
from hydracore_crds.rollout import RolloutSpec, RolloutStatus
from hydracore_crds.rollout_target import RolloutTargetSpec, RolloutTargetStatus, target_name
from hydracore_crds.update_policy import MaintenanceWindow, UpdatePolicySpec

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAMESPACE = "acme"
SLUG = "expressclaw"
Wanted = TypeVar("Wanted")


def uid_of(text: str) -> str:
    """Return a UUIDv4-shaped id that depends on the text only."""
    return str(uuid.UUID(bytes=hashlib.md5(text.encode()).digest(), version=4))


def digest_of(version: str, slug: str = SLUG) -> str:
    return hashlib.sha256(f"{slug}-{version}".encode()).hexdigest()


def condition(type_: str, status: Any, reason: str, message: str = "") -> Condition:
    return Condition(
        type=type_, status=status, reason=reason, message=message, last_transition_time=NOW
    )


def bundle(
    version: str = "1.1.0",
    *,
    ready: tuple[str, str] | None = ("True", "Verified"),
    component: Any = "runtime",
    slug: str = SLUG,
    yanked: bool = False,
    quarantined: bool = False,
) -> Bundle:
    found = [condition("Ready", *ready)] if ready else []
    if quarantined:
        found.append(condition("Quarantined", "True", "RolloutHalted"))
    return Bundle(
        metadata=ObjectMeta(name=bundle_name(component, slug, version)),
        spec=BundleSpec(
            component=component,
            slug=slug,
            version=version,
            artifact=Artifact(uri="store:///x", sha256=digest_of(version, slug), size_bytes=7),
            signature=Signature(key_id="k1", value="A" * 86 + "=="),
            yanked=yanked,
        ),
        status=BundleStatus(conditions=found),
    )


def instance(
    name: str,
    *,
    state: Any = "running",
    health: Any = "healthy",
    version: str | None = "1.0.0",
    runtime_type: str = SLUG,
    labels: dict[str, str] | None = None,
    incarnation: int = 1,
    **spec: Any,
) -> Instance:
    uid = uid_of(f"instance {name} {incarnation}")
    runtime = RuntimeStatus(version=version, bundle_hash=digest_of(version)) if version else None
    return Instance(
        metadata=ObjectMeta(name=name, namespace=NAMESPACE, uid=uid, labels=labels or {}),
        spec=InstanceSpec(
            id=uid, class_name="small", region_id="eu", runtime_type=runtime_type, **spec
        ),
        status=InstanceStatus(state=state, health_status=health, runtime=runtime),
    )


def fleet(count: int) -> list[Instance]:
    return [instance(f"a-{number}") for number in range(count)]


def policy(
    limit: int = 2,
    *,
    window: tuple[int, int] | None = None,
    windows: Sequence[PolicyWindow] = (),
    jitter: int = 0,
    runtime: Any = None,
) -> UpdatePolicy:
    hours = MaintenanceWindow(start_hour_utc=window[0], end_hour_utc=window[1]) if window else None
    return UpdatePolicy(
        metadata=ObjectMeta(name="default", namespace=NAMESPACE),
        spec=UpdatePolicySpec(
            max_parallel_rollouts=limit,
            maintenance_window=hours,
            windows=list(windows),
            opening_jitter_seconds=jitter,
            runtime=runtime,
        ),
    )


def platform(
    reason: str | None = None, until: datetime | None = None, *, limit: int | None = None
) -> PlatformPolicy:
    """Build the platform's policy: frozen for this reason, or not at all."""
    freeze = PlatformFreeze(reason=reason, until=until) if reason is not None else None
    spec = PlatformPolicySpec(freeze=freeze, max_parallel_rollouts=limit)
    return PlatformPolicy(metadata=ObjectMeta(name="default"), spec=spec)


def rollout(
    name: str = "r1",
    *,
    version: str = "1.1.0",
    age: timedelta = timedelta(),
    incarnation: int = 1,
    held: bool = True,
    admitted: bool = False,
    annotations: dict[str, str] | None = None,
    status: dict[str, Any] | None = None,
    **spec: Any,
) -> Rollout:
    """Build a rollout made ``age`` before :data:`NOW`."""
    filled = dict(status or {})
    if admitted:
        filled = {"artifact": pin(bundle(version)), "targets_created": True, **filled}
    return Rollout(
        metadata=ObjectMeta(
            name=name,
            namespace=NAMESPACE,
            uid=uid_of(f"rollout {name}" if incarnation == 1 else f"rollout {name} {incarnation}"),
            generation=1,
            creation_timestamp=NOW - age,
            finalizers=[FINALIZER] if held else [],
            annotations=annotations or {},
        ),
        spec=RolloutSpec(bundle_name=bundle_name("runtime", SLUG, version), **spec),
        status=RolloutStatus(**filled),
    )


def target(
    owner: Rollout, of: Instance, order: int = 0, *, attempt: int = 1, **status: Any
) -> RolloutTarget:
    """Build a target of a rollout; status keywords as in RolloutTargetStatus."""
    if status.get("state") not in {None, "queued"}:
        status = {"attempt": attempt, "task_id": uid_of(f"task {owner.metadata.name} {order}")} | (
            status
        )
    return RolloutTarget(
        metadata=ObjectMeta(
            name=target_name(owner.metadata.name, order),
            namespace=NAMESPACE,
            uid=uid_of(f"target {owner.metadata.name} {order}"),
            generation=attempt,
            owner_references=[
                OwnerReference(
                    api_version="hydracore.io/v1alpha1",
                    kind="Rollout",
                    name=owner.metadata.name,
                    uid=owner.metadata.uid,
                )
            ],
        ),
        spec=RolloutTargetSpec(
            rollout_name=owner.metadata.name,
            instance_name=of.metadata.name,
            instance_id=instance_id(of),
            bundle_hash=digest_of("1.1.0"),
            order=order,
            attempt=attempt,
        ),
        status=RolloutTargetStatus(**status),
    )


def running(owner: Rollout, of: Instance, order: int = 0, **status: Any) -> RolloutTarget:
    """Build a target in progress since a minute ago, with fourteen minutes left."""
    times = {"started_at": NOW - timedelta(minutes=1), "deadline": NOW + timedelta(minutes=14)}
    return target(owner, of, order, state="in_progress", **{**times, **status})


def done(owner: Rollout, of: Instance, order: int, state: str, **status: Any) -> RolloutTarget:
    """Build a target that ended a minute ago."""
    times = {
        "started_at": NOW - timedelta(minutes=3),
        "completed_at": NOW - timedelta(minutes=1),
        "deadline": NOW + timedelta(minutes=12),
    }
    return target(owner, of, order, state=state, **{**times, **status})


def slot(of: RolloutTarget, on: Instance, **changes: Any) -> Slot:
    """Build the ledger entry of a target in progress."""
    fields: dict[str, Any] = {
        "task_id": of.status.task_id or uid_of("task unknown"),
        "rollout_name": of.spec.rollout_name,
        "target_name": of.metadata.name,
        "attempt": of.status.attempt or of.spec.attempt,
        "instance_name": on.metadata.name,
        "instance_uid": on.metadata.uid,
        "deadline": of.status.deadline or NOW + timedelta(minutes=14),
    }
    return Slot(**{**fields, **changes})


def view(**fields: Any) -> TenantView:
    """Build a tenant's view.

    The bundle 1.1.0 is there and ready, and history knows of every rollout that it begins, unless
    said otherwise.
    """
    fields.setdefault(
        "began", {r.metadata.uid: Began("ours", r.metadata.uid) for r in fields.get("rollouts", ())}
    )
    bundles = {b.metadata.name: b for b in fields.pop("bundles", [bundle()])}
    return TenantView(
        **{"namespace": NAMESPACE, "now": NOW, "policy": policy(), "bundles": bundles, **fields}
    )


def raised(found: RolloutTarget) -> RolloutTarget:
    """Return the target with its attempt raised by one: a retry is asked for."""
    spec = found.spec.model_copy(update={"attempt": found.spec.attempt + 1})
    metadata = found.metadata.model_copy(update={"generation": found.metadata.generation + 1})
    return found.model_copy(update={"spec": spec, "metadata": metadata})


def of(made: Plan, kind: type[Wanted]) -> list[Wanted]:
    """Return the plan's intents of one kind."""
    return [intent for intent in made.intents if isinstance(intent, kind)]
