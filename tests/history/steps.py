"""A step in the life of a rollout, for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from hydracore_history import TransitionRecord


def step(uid: str, seq: int, at: datetime, **changes: Any) -> TransitionRecord:
    made = TransitionRecord(
        uid=uid,
        seq=seq,
        at=at,
        kind="Rollout",
        rollout_uid=uid,
        tenant_id="t",
        namespace="ns",
        name="r",
        event="paused",
        state="paused",
        actor="api-key laptop (k-1)",
        reason="Paused",
        message="for the night",
    )
    return replace(made, **changes)
