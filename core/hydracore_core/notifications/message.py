"""What a notification says: type, timestamp and data, as the Standard Webhooks guide advises.

Source: https://www.standardwebhooks.com (payload structure). Nothing in it is secret, all of it is
bounded, and text is plain: whoever shows it must still escape it for where it is shown.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from hydracore_core.notifications.occurrences import CONFIGURED, Occurrence, waiting_wave
from hydracore_crds import Rollout
from hydracore_crds.base import format_time
from hydracore_crds.names import (
    APPROVE_ANNOTATION,
    CANCEL_ANNOTATION,
    RESUMED_AT_ANNOTATION,
    ROLLBACK_ANNOTATION,
)
from hydracore_crds.rollout import RolloutStatus
from hydracore_crds.webhook import Webhook

MAX_TEXT = 2048


def greeting(webhook: Webhook, *, tenant_id: str, namespace: str, now: datetime) -> str:
    """Return the body of the first message to a webhook (JSON)."""
    data = {"tenant": {"id": tenant_id, "namespace": namespace}, "webhook": webhook.name}
    return _render(f"webhook.{CONFIGURED}", now, data)


def body(rollout: Rollout, occurrence: Occurrence, *, tenant_id: str, now: datetime) -> str:
    """Return the body of a message about a rollout (JSON).

    Args:
        rollout: As it is now.
        occurrence: What to tell.
        tenant_id: Whose rollout it is.
        now: Stands in where nobody knows when it happened.
    """
    status, metadata = rollout.status, rollout.metadata
    data: dict[str, Any] = {
        "tenant": {"id": tenant_id, "namespace": metadata.namespace},
        "rollout": {"id": metadata.uid, "name": metadata.name},
        "bundle": _bundle(rollout),
        "state": status.state,
        "counts": status.counts.to_wire() if status.counts is not None else None,
        "wave": _wave(status),
        "reason": _reason(status, occurrence),
        "message": plain(status.message),
        "needed": _needed(status, occurrence),
    }
    known = {key: value for key, value in data.items() if value is not None}
    return _render(f"rollout.{occurrence.event}", occurrence.since or now, known)


def plain(text: str | None) -> str | None:
    """Return a text without control characters, at most :data:`MAX_TEXT` characters long."""
    if text is None:
        return None
    shown = "".join(char if char.isprintable() else " " for char in text)
    return shown[:MAX_TEXT]


def _render(type_: str, at: datetime, data: dict[str, Any]) -> str:
    content = {"type": type_, "timestamp": format_time(at), "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _bundle(rollout: Rollout) -> dict[str, str]:
    pinned = rollout.status.artifact
    if pinned is None:
        return {"name": rollout.spec.bundle_name}
    return {
        "name": pinned.bundle_name,
        "slug": pinned.slug,
        "version": pinned.version,
        "sha256": pinned.sha256,
    }


def _wave(status: RolloutStatus) -> dict[str, Any] | None:
    if status.wave is None or status.waves is None:
        return None
    named = status.waves[status.wave - 1].name if status.wave <= len(status.waves) else None
    found: dict[str, Any] = {"number": status.wave, "of": len(status.waves)}
    return found if named is None else {**found, "name": plain(named)}


def _reason(status: RolloutStatus, occurrence: Occurrence) -> str | None:
    if occurrence.event == "halted":
        return plain(status.halt_reason)
    if status.rollback is not None:
        return plain(status.rollback.reason)
    return None


def _needed(status: RolloutStatus, occurrence: Occurrence) -> dict[str, Any] | None:
    """Say what a person who may edit the rollout is asked for; None where nobody is needed."""
    if occurrence.event == "halted":
        return {
            "decision": ["resume", "rollback", "cancel"],
            "annotations": [RESUMED_AT_ANNOTATION, ROLLBACK_ANNOTATION, CANCEL_ANNOTATION],
        }
    wave = waiting_wave(status)
    if occurrence.event == "awaiting_approval" and wave is not None:
        return {
            "decision": ["approve", "cancel"],
            "annotations": [APPROVE_ANNOTATION, CANCEL_ANNOTATION],
            "approval": plain(wave.approval),
        }
    return None
