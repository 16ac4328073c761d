"""Asks agents about orders, as the plan's Track and Resolve want it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydracore_core.executions import Began, spec_hash
from hydracore_core.rollouts.model import Abort, AskHistory, Intent, Resolve, Track
from hydracore_crds import RolloutTarget
from hydracore_crds.base import find
from tests.core.rollouts import oracles
from tests.core.rollouts.agents import Order
from tests.core.rollouts.builders import digest_of
from tests.core.rollouts.executor import free, put

if TYPE_CHECKING:
    from tests.core.rollouts.simulation import World

VERDICTS = {
    "activated": ("succeeded", "Activated", "True", "activated"),
    "rolled_back": ("failed", "RolledBack", "False", "rolled_back"),
    "rejected": ("failed", "Rejected", "False", "rejected"),
    "expired": ("failed", "Timeout", "False", "timeout"),
    "aborted": ("cancelled", "Aborted", "False", "aborted"),
}
"""Final state of an order: the target's state, reason, condition status and result."""


def poll(world: World, follows: Sequence[Intent]) -> bool:
    """Ask once about every order; return whether anything was written."""
    changed = False
    for intent in follows:
        if isinstance(intent, Abort):
            changed |= _abort(world, intent)
        elif isinstance(intent, Track):
            changed |= _track(world, intent)
        elif isinstance(intent, Resolve):
            changed |= _resolve(world, intent)
        elif isinstance(intent, AskHistory):
            changed |= _ask(world, intent)
    return changed


def _ask(world: World, intent: AskHistory) -> bool:
    found = world.rollouts[intent.rollout_name]
    uid, work = found.metadata.uid, (found.metadata.name, spec_hash(found.spec))
    if world.history_away:
        answer = Began("unavailable")
    else:
        if intent.claim:
            world.history.setdefault(work, uid)
        owner = world.history.get(work)
        state = "fresh" if owner is None else "ours" if owner == uid else "other"
        answer = Began(state, owner or "")
    changed = world.began.get(uid) != answer
    world.began[uid] = answer
    return changed


def _track(world: World, intent: Track) -> bool:
    target = world.targets[intent.target_name]
    agent = world.agents[target.spec.instance_name]
    if target.status.task_id != intent.task_id:
        return False
    if not agent.reachable(world.now):
        return _silence(world, target)
    order = agent.orders.get(intent.task_id)
    found = world.rollouts.get(intent.rollout_name)
    back, in_time = target.spec.rollback_of is not None, world.now < intent.deadline
    if order is None and found and in_time and oracles.may_send(world, found, back=back):
        # The operator died after it had stored in_progress: now the order goes out, if it may.
        agent.take(intent.task_id, target.spec.bundle_hash, world.now, intent.deadline)
        world.say(intent.target_name, f"-> {agent.name} (the order had not gone out)")
        return True
    return order is not None and order.state != "working" and _finish(world, intent, order)


def _silence(world: World, target: RolloutTarget) -> bool:
    known = find(target.status.conditions, "Succeeded")
    if target.status.state != "in_progress" or (known and known.reason == "Resolving"):
        return False
    put(world, target, reason="Resolving", flag="Unknown", state="in_progress")
    world.say(target.metadata.name, f"{target.spec.instance_name} does not answer")
    return True


def _finish(world: World, intent: Track, order: Order) -> bool:
    target = world.targets[intent.target_name]
    state, reason, flag, result = VERDICTS[order.state]
    was = target.status.state
    put(
        world,
        target,
        reason=reason,
        flag=flag,
        state=state,
        completed_at=world.now,
        last_result_status=result,
        error_message=None if state == "succeeded" else order.message or None,
    )
    late = " (evidence after the deadline)" if was == "uncertain" else ""
    told = f": {order.message}" if order.message and state != "succeeded" else ""
    world.say(intent.target_name, f"{state}{told}{late}")
    if state == "succeeded":
        _runs(world, target.spec.instance_name, order.digest)
    free(world, intent.task_id)
    return True


def _abort(world: World, intent: Abort) -> bool:
    target = world.targets[intent.target_name]
    agent = world.agents[target.spec.instance_name]
    if not agent.reachable(world.now) or intent.task_id not in agent.orders:
        return False
    agent.abort(intent.task_id)
    put(world, target, reason="Cancelling", flag="Unknown", state="in_progress")
    world.say(intent.target_name, f"{agent.name} is told to abort")
    return True


def _resolve(world: World, intent: Resolve) -> bool:
    slot = intent.slot
    agent = world.agents[slot.instance_name]
    if not agent.reachable(world.now):
        world.say_once("ledger", f"slot of {slot.target_name} kept: {agent.name} does not answer")
        return False
    order = agent.orders.get(slot.task_id)
    if order is not None and order.state == "working":
        return False
    what = order.state if order else "never got the order"
    world.say("ledger", f"slot of {slot.target_name} freed: {agent.name} {what}")
    free(world, slot.task_id)
    return True


def _runs(world: World, name: str, digest: str) -> None:
    """Let the instance report its digest, as the health loop would."""
    found = world.instances.get(name)
    if found is None or found.status.runtime is None:
        return
    version = next(v for v in ("1.0.0", "1.1.0", "1.2.0") if digest_of(v) == digest)
    runtime = found.status.runtime.model_copy(update={"bundle_hash": digest, "version": version})
    status = found.status.model_copy(update={"runtime": runtime})
    world.instances[name] = found.model_copy(update={"status": status})
