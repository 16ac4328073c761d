"""What there is to tell of a rollout: a pure function of its status, so a crash loses nothing.

Each occurrence has an identity of its own: the same halt, read again and again, is one; a second
halt of the same rollout is another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from hydracore_crds import Rollout, UpdatePolicy
from hydracore_crds.base import format_time
from hydracore_crds.rollout import FINAL_STATES, RolloutStatus, WaveStatus
from hydracore_crds.webhook import NotificationEvent, Webhook

CONFIGURED = "configured"
"""The greeting that a webhook gets first; no event of a rollout."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that happened to a rollout.

    Attributes:
        event: What.
        mark: Tells it from other occurrences of the event in this rollout.
        since: When; None where the status does not say, only that it holds now.
    """

    event: NotificationEvent
    mark: str
    since: datetime | None


def occurrences(rollout: Rollout) -> tuple[Occurrence, ...]:
    """Return what there is to tell of a rollout, as its status stands."""
    return tuple(_found(rollout.status))


def waiting_wave(status: RolloutStatus) -> WaveStatus | None:
    """Return the wave that waits for an approval, if one does."""
    waves = status.waves or ()
    return next((wave for wave in waves if wave.state == "awaiting_approval"), None)


def message_id(uid: str, occurrence: Occurrence) -> str:
    """Return an occurrence's ``webhook-id``: always the same, so that receivers can deduplicate.

    Args:
        uid: The rollout's ``metadata.uid``.
        occurrence: What happened to it.
    """
    return _digest(uid, occurrence.event, occurrence.mark)


def greeting_id(policy: UpdatePolicy, webhook: Webhook) -> str:
    """Return the ``webhook-id`` of the greeting; another address is greeted anew."""
    return _digest(policy.metadata.uid, CONFIGURED, webhook.url)


def _found(status: RolloutStatus) -> Iterator[Occurrence]:
    over = status.state in FINAL_STATES
    if status.halted_at is not None and status.halt_reason is not None and not over:
        yield _at("halted", status.halted_at)
    if status.rollback is not None:
        yield _at("rolling_back", status.rollback.started_at)
    wave = waiting_wave(status)
    if wave is not None and not over:
        yield Occurrence("awaiting_approval", wave.approval or str(status.wave), None)
    if over and status.completed_at is not None:
        yield _at(cast("NotificationEvent", status.state), status.completed_at)


def _at(event: NotificationEvent, since: datetime) -> Occurrence:
    return Occurrence(event, format_time(since), since)


def _digest(*parts: str) -> str:
    return "msg_" + hashlib.sha256("/".join(parts).encode()).hexdigest()[:32]
