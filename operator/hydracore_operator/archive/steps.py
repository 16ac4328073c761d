"""What objects tell of their lives, as rows of history's log."""

from __future__ import annotations

from hydracore_crds import Rollout, RolloutTarget
from hydracore_history import TransitionRecord
from hydracore_operator.context import Stores


def records(
    obj: Rollout | RolloutTarget, rollout_uid: str, tenant_id: str
) -> list[TransitionRecord]:
    """Return the steps that an object bears.

    Args:
        obj: A rollout, or a target of it.
        rollout_uid: ``metadata.uid`` of the rollout.
        tenant_id: Whose it is.
    """
    metadata = obj.metadata
    return [
        TransitionRecord(
            uid=metadata.uid,
            seq=one.seq,
            at=one.at,
            kind=obj.KIND.kind,
            rollout_uid=rollout_uid,
            tenant_id=tenant_id,
            namespace=metadata.namespace or "",
            name=metadata.name,
            event=one.event,
            state=one.state,
            actor=one.actor,
            attempt=one.attempt,
            reason=one.reason,
            message=one.message,
        )
        for one in obj.status.transitions
    ]


def tenant_of(stores: Stores, namespace: str) -> str:
    """Return the tenant's id; the namespace's name where it is no tenant (any more)."""
    tenant = stores.namespaces.get(namespace)
    return (tenant.tenant_id if tenant else None) or namespace
