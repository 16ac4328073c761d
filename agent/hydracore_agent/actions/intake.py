"""Deciding on an action: pure, on what is remembered, made under the memory's lock."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime

from hydracore_agent.actions.record import ABANDONED, ACCEPTED, ActionRecord
from hydracore_agent.actions.request import ActionRequest
from hydracore_agent.clock import to_wire
from hydracore_agent.http import Refusal
from hydracore_agent.orders.intake import TOMBSTONE_SECONDS, check_epoch
from hydracore_agent.orders.memory import Memory

INTERRUPTING = frozenset({"power-cycle", "apply-updates"})


def take_action(
    orders: Memory, known: Mapping[str, ActionRecord], request: ActionRequest, now: datetime
) -> tuple[bool, ActionRecord] | Refusal:
    """Return whether the action begins now, and its record.

    The epoch counts first, so that a leader that was replaced learns of it; an action seen before
    is answered with what became of it, whatever else holds.
    """
    stale = check_epoch(orders, request.epoch)
    if stale is not None:
        return stale
    seen = known.get(request.action_id)
    if seen is not None:
        return False, seen
    if now.timestamp() >= request.not_after:
        text = f"the action's deadline has passed; it is {to_wire(now)}"
        return Refusal(410, "expired", text)
    if orders.active is not None and request.action in INTERRUPTING:
        task = orders.active
        return Refusal(409, "busy", f"task {task.task_id} is under way ({task.state})")
    open_ = next((one for one in known.values() if not one.final), None)
    if open_ is not None:
        return Refusal(409, "busy", f"action {open_.action_id} ({open_.action}) is under way")
    return True, _record(request.action_id, request.action, ACCEPTED, request.epoch, now,
                         float(request.not_after))  # fmt: skip


def take_settlement(
    orders: Memory, known: Mapping[str, ActionRecord], action_id: str, epoch: int, now: datetime
) -> ActionRecord | Refusal:
    """Return the action's record; one that never came is remembered as abandoned.

    Should its request still be on the way, it will not be carried out.
    """
    stale = check_epoch(orders, epoch)
    if stale is not None:
        return stale
    seen = known.get(action_id)
    if seen is not None:
        return seen
    not_after = now.timestamp() + TOMBSTONE_SECONDS
    record = _record(action_id, "", ABANDONED, epoch, now, not_after)
    record.finished_at = record.started_at
    record.message = "asked about before it arrived: it will never be carried out"
    return record


def _record(
    action_id: str, action: str, state: str, epoch: int, now: datetime, not_after: float
) -> ActionRecord:
    return ActionRecord(
        action_id=action_id,
        action=action,
        state=state,
        epoch=epoch,
        not_after=not_after,
        started_at=to_wire(now),
        pid=os.getpid(),
    )
