"""What the repositories answer with: plain values, detached from the database.

All times are aware UTC. Hashes are lower-case hex.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class ProvisionLogEntry:
    """One line of an instance's provision log; ``seq`` rises by one from 1 for each instance."""

    seq: int
    stage: str
    level: str
    message: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Credential:
    """How an instance's server proves who it is.

    Attributes:
        instance_id: The instance's id in REST.
        namespace: Namespace of the Instance.
        name: Name of the Instance.
        token_hash: SHA-256 of the bootstrap token.
        key_hash: SHA-256 of the agent key; None until one is issued.
        public_key: The agent's Ed25519 identity (base64); None until a key is issued.
        armed: Whether the bootstrap token is still good.
        issued_at: When the agent key was issued.
        first_heartbeat_at: When the agent key was first used; that ended the token.
    """

    instance_id: str
    namespace: str
    name: str
    token_hash: str
    key_hash: str | None
    public_key: str | None
    armed: bool
    issued_at: datetime | None
    first_heartbeat_at: datetime | None


@dataclass(frozen=True, slots=True)
class StageResult:
    """Whether a stage report was new, and the highest number stored after it."""

    accepted: bool
    last_seq: int


@dataclass(frozen=True, slots=True)
class StageReport:
    """The newest stage that a server reported while it was set up.

    Attributes:
        since: When the stage was first reported; repeating it does not move it.
    """

    instance_id: str
    stage: str
    seq: int
    level: str
    message: str
    since: datetime


@dataclass(frozen=True, slots=True)
class HealthRow:
    """What is known about an agent's health and versions.

    Attributes:
        instance_id: The instance's id.
        failures: Polls failed in a row; 0 after a good one.
        last_heartbeat: When the agent last called in.
        versions: The version manifest of that heartbeat.
        versions_reported_at: When a version manifest was last reported.
        versions_changed_at: Since when it is this one.
        health_status: What the agent said of itself in the heartbeat.
        uptime_seconds: Likewise.
        last_poll_at: When the operator last asked.
        last_status: The last good answer of ``/api/status``.
        last_error: Why the last poll failed; None after a good one.
        latency_ms: How long the last good answer took.
        deep_health: The last report of ``/api/health/deep``.
        deep_health_at: When it was asked for.
        deep_health_error: Why a later one could not be had; None after a good one.
    """

    instance_id: str
    failures: int
    last_heartbeat: datetime | None
    versions: dict[str, Any] | None
    versions_reported_at: datetime | None
    health_status: str | None
    uptime_seconds: int | None
    last_poll_at: datetime | None
    last_status: dict[str, Any] | None
    last_error: str | None
    versions_changed_at: datetime | None = None
    latency_ms: float | None = None
    deep_health: dict[str, Any] | None = None
    deep_health_at: datetime | None = None
    deep_health_error: str | None = None


@dataclass(frozen=True, slots=True)
class PollRecord:
    """What became of an agent's polls since they were last stored.

    Attributes:
        instance_id: The instance's id.
        at: When the operator last asked.
        status: The last good answer among them; None also where it is the one that is stored.
        error: Why the last one failed; None if it did not.
        failures: Failed in a row at the end.
        answered: Whether there was a good answer among them; if not, ``failures`` come on top of
            those that are stored.
        latency_ms: How long the last good answer took.
    """

    instance_id: str
    at: datetime
    status: dict[str, Any] | None
    error: str | None
    failures: int
    answered: bool
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class DeepHealthReport:
    """What an agent found when it examined itself, or why it could not be asked.

    Attributes:
        instance_id: The instance's id.
        at: When it was asked.
        report: The answer; None where there was none.
        error: Why; None with an answer.
    """

    instance_id: str
    at: datetime
    report: dict[str, Any] | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is kept of a deleted Instance."""

    instance_id: str
    tenant_id: str
    namespace: str
    name: str
    customer_id: str | None
    snapshot: dict[str, Any]
    deleted_at: datetime


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """Who claimed a tenant's idempotency key, and what it stands for."""

    tenant_id: str
    key: str
    body_hash: str
    instance_id: str
    name: str
    task_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One API key. The key itself is never stored, only its keyed hash and its visible prefix."""

    id: str
    tenant_id: str
    namespace: str
    name: str
    prefix: str
    key_hash: str
    scopes: tuple[str, ...]
    admin: bool
    tenant_wide: bool
    created_by: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    expires_at: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether the key may be used: it is not revoked, and its end is not reached."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


@dataclass(frozen=True, slots=True)
class ArchivedTarget:
    """One RolloutTarget as it was when its Rollout was archived (``wire``: the custom resource)."""

    uid: str
    rollout_uid: str
    instance_id: str
    created_at: datetime
    wire: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ArchivedRollout:
    """One Rollout as it was when it was archived.

    Attributes:
        uid: ``metadata.uid`` of the Rollout.
        tenant_id: The tenant.
        namespace: The tenant's namespace then.
        name: Name of the Rollout.
        created_at: When the Rollout was created.
        archived_at: When it was last archived.
        rollout: The custom resource in its wire form.
        targets: Its targets in the plan's order; empty where only a list was asked for.
    """

    uid: str
    tenant_id: str
    namespace: str
    name: str
    created_at: datetime
    archived_at: datetime
    rollout: dict[str, Any]
    targets: tuple[ArchivedTarget, ...] = ()


@dataclass(frozen=True, slots=True)
class Execution:
    """A piece of work that has begun: what it was, and the object for which it did.

    Attributes:
        kind: Kind of the object, such as ``Rollout``.
        namespace: Its namespace.
        name: Its name.
        spec_hash: What was to be done (:func:`hydracore_core.executions.spec_hash`).
        uid: ``metadata.uid`` of the object for which it began.
        started_at: When it began.
    """

    kind: str
    namespace: str
    name: str
    spec_hash: str
    uid: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class ArchivedAction:
    """One InstanceAction as it was when it was archived (``wire``: the custom resource).

    Attributes:
        uid: ``metadata.uid`` of the InstanceAction.
        tenant_id: The tenant.
        namespace: The tenant's namespace then.
        name: Name of the InstanceAction.
        instance_name: The Instance that it was for.
        instance_id: That Instance's id; None where it was not known any more.
        created_at: When the InstanceAction was created.
        archived_at: When it was last archived.
        wire: The custom resource in its wire form.
    """

    uid: str
    tenant_id: str
    namespace: str
    name: str
    instance_name: str
    instance_id: str | None
    created_at: datetime
    archived_at: datetime
    wire: dict[str, Any]
