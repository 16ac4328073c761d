"""Deciding on what the control plane asks: pure decisions on the memory, made under its lock."""

from __future__ import annotations

from datetime import datetime

from hydracore_agent.clock import to_wire
from hydracore_agent.http import Refusal
from hydracore_agent.orders.memory import Memory
from hydracore_agent.orders.task import BEFORE_SWITCH, Task
from hydracore_agent.orders.token import Order

TOMBSTONE_SECONDS = 24 * 3600.0


def take_order(
    memory: Memory, order: Order, running_hash: str, now: datetime
) -> tuple[int, Task] | Refusal:
    """Remember the order if it may be carried out; return the HTTP status and its task.

    The epoch counts first, so that a leader that was replaced learns of it; a task seen before
    is answered with its present state, whatever else holds.
    """
    stale = check_epoch(memory, order.epoch)
    if stale is not None:
        return stale
    known = memory.tasks.get(order.task_id)
    if known is not None:
        if known.sha256 not in {"", order.bundle.sha256}:
            message = f"task {order.task_id} was already used for digest {known.sha256}"
            return Refusal(400, "invalid_order", message)
        return 200, known
    if now.timestamp() >= order.not_after:
        return Refusal(410, "expired", f"the order's deadline has passed; it is {to_wire(now)}")
    if memory.active is not None:
        message = f"task {memory.active.task_id} is under way ({memory.active.state})"
        return Refusal(409, "busy", message)
    return _start(memory, order, running_hash, now)


def _start(memory: Memory, order: Order, running_hash: str, now: datetime) -> tuple[int, Task]:
    task = _task(order, now)
    memory.add(task)
    if task.sha256 == running_hash and not order.force:
        memory.move(task, "activated", "this release already runs", to_wire(now))
        return 200, task
    return 202, task


def take_abort(memory: Memory, task_id: str, epoch: int, now: datetime) -> Task | Refusal:
    """Abort the task if it has not come to its switch; return it as it is then.

    A task that was never seen is remembered as aborted: should its order still be on the way, it
    will not be carried out.
    """
    stale = check_epoch(memory, epoch)
    if stale is not None:
        return stale
    task = memory.tasks.get(task_id)
    if task is None:
        task = Task(
            task_id=task_id,
            epoch=epoch,
            state="aborted",
            started_at=to_wire(now),
            finished_at=to_wire(now),
            not_after=now.timestamp() + TOMBSTONE_SECONDS,
            message="aborted before its order arrived",
        )
        memory.add(task)
    elif task.state in BEFORE_SWITCH:
        memory.move(task, "aborted", "aborted by the control plane", to_wire(now))
    return task


def check_epoch(memory: Memory, epoch: int) -> Refusal | None:
    """Remember a higher epoch; return the refusal of a lower one."""
    if epoch < memory.epoch:
        message = f"epoch {epoch} is over: this agent has heard from epoch {memory.epoch}"
        return Refusal(409, "stale_epoch", message)
    memory.raise_epoch(epoch)
    return None


def _task(order: Order, now: datetime) -> Task:
    bundle = order.bundle
    return Task(
        task_id=order.task_id,
        epoch=order.epoch,
        state="accepted",
        started_at=to_wire(now),
        not_after=float(order.not_after),
        slug=bundle.slug,
        version=bundle.version,
        sha256=bundle.sha256,
        size_bytes=bundle.size_bytes,
        key_id=bundle.key_id,
        signature=bundle.signature,
        url=order.url,
        force=order.force,
    )
