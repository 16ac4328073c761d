"""Carries out intents on the simulator's models, write by write, and may die between two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydracore_core.rollouts.model import (
    Admit,
    Hold,
    Intent,
    LetGo,
    RaiseAttempt,
    RefuseRetry,
    Release,
    Report,
    Requeue,
    Settle,
    Slot,
    Start,
    TakeBack,
    TargetDraft,
)
from hydracore_crds import ObjectMeta, OwnerReference, Rollout, RolloutTarget
from hydracore_crds.base import set_condition
from hydracore_crds.names import FINALIZER
from hydracore_crds.rollout_target import RolloutTargetSpec, RolloutTargetStatus
from tests.core.rollouts import oracles, timing_oracles
from tests.core.rollouts.builders import NAMESPACE, raised, uid_of

if TYPE_CHECKING:
    from tests.core.rollouts.simulation import World


class CrashError(Exception):
    """The operator dies here."""


def write(world: World, what: str) -> None:
    """Count one write; the operator dies before the one that ``crash_in`` names."""
    if world.crash_in is None:
        return
    if world.crash_in == 0:
        world.say("operator", f"DIES before it {what}")
        raise CrashError
    world.crash_in -= 1


def put(world: World, target: RolloutTarget, *, reason: str, flag: Any, **status: Any) -> None:
    """Write a target's status."""
    write(world, f"writes {target.metadata.name} {status.get('state', '')}".rstrip())
    conditions = set_condition(
        target.status.conditions,
        "Succeeded",
        flag,
        reason=reason,
        message="",
        now=world.now,
        generation=target.metadata.generation,
    )
    new = target.status.model_copy(update={**status, "conditions": conditions})
    changed = target.model_copy(update={"status": new})
    oracles.transition(target, changed)
    if new.state == "succeeded":
        timing_oracles.succeeded(world, changed)
    world.targets[target.metadata.name] = changed


def apply(world: World, intent: Intent) -> None:
    """Carry out one intent that writes."""
    _DISPATCH[type(intent)](world, intent)


def status_of(world: World, name: str, **changes: Any) -> None:
    """Write part of a rollout's status."""
    write(world, f"writes the status of {name}")
    found = world.rollouts[name]
    status = found.status.model_copy(update=changes)
    world.rollouts[name] = found.model_copy(update={"status": status})


def free(world: World, task_id: str | None) -> None:
    """Free a slot if there is one."""
    if task_id in world.ledger:
        write(world, f"frees the slot of {world.ledger[task_id].target_name}")
        del world.ledger[task_id]


def _hold(world: World, intent: Hold) -> None:
    write(world, "holds the rollout")
    found = world.rollouts[intent.rollout_name]
    metadata = found.metadata.model_copy(update={"finalizers": [FINALIZER]})
    world.rollouts[intent.rollout_name] = found.model_copy(update={"metadata": metadata})


def _admit(world: World, intent: Admit) -> None:
    found = world.rollouts[intent.rollout_name]
    name = found.metadata.name
    if found.status.artifact is None:
        status_of(
            world,
            name,
            artifact=intent.artifact,
            skipped=intent.skipped,
            admitted_at=intent.at,
            waves=None if intent.waves is None else list(intent.waves),
        )
        skipped = f", skipped {intent.skipped.reasons}" if intent.skipped.count else ""
        number = len(intent.targets)
        world.say(name, f"admitted: {intent.artifact.version} to {number} targets{skipped}")
        return
    if world.creates_at_once < len(intent.targets):
        world.say(name, f"{world.creates_at_once} of {len(intent.targets)} targets are created")
    _create(world, found, intent.targets[: world.creates_at_once], intent.artifact.sha256)


def _take_back(world: World, intent: TakeBack) -> None:
    found = world.rollouts[intent.rollout_name]
    assert found.status.rollback is not None, "the intent is stored before the effect"
    for draft in intent.targets:
        assert draft.back is not None
        world.say(draft.back.target_name, f"is to go back to {draft.back.bundle_name}")
    _create(world, found, intent.targets, "")


def _create(world: World, owner: Rollout, drafts: Sequence[TargetDraft], digest: str) -> None:
    for draft in drafts:
        write(world, f"creates {draft.name}")
        assert draft.name not in world.targets
        world.targets[draft.name] = _target(owner, draft, digest)


def _target(owner: Rollout, draft: TargetDraft, digest: str) -> RolloutTarget:
    reference = OwnerReference(
        api_version="hydracore.io/v1alpha1",
        kind="Rollout",
        name=owner.metadata.name,
        uid=owner.metadata.uid,
    )
    return RolloutTarget(
        metadata=ObjectMeta(
            name=draft.name,
            namespace=NAMESPACE,
            uid=uid_of(f"target {draft.name}"),
            generation=1,
            owner_references=[reference],
        ),
        spec=RolloutTargetSpec(
            rollout_name=owner.metadata.name,
            instance_name=draft.instance_name,
            instance_id=draft.instance_id,
            bundle_hash=draft.back.sha256 if draft.back else digest,
            rollback_of=draft.back.target_name if draft.back else None,
            bundle_name=draft.back.bundle_name if draft.back else None,
            order=draft.order,
            wave=draft.wave,
            scheduled_countdown_seconds=draft.countdown_seconds,
        ),
    )


def _running(world: World, name: str) -> str | None:
    """Return what the instance reports to run; the agent's own word comes later."""
    runtime = world.instances[name].status.runtime
    return runtime.bundle_hash if runtime is not None else None


def _start(world: World, intent: Start) -> None:
    task = uid_of(f"task {next(world.tasks)}")
    target = world.targets[intent.target_name]
    write(world, f"claims a slot for {target.metadata.name}")
    oracles.claim(world, intent)
    world.ledger[task] = Slot(
        task,
        intent.rollout_name,
        intent.target_name,
        intent.attempt,
        intent.instance_name,
        intent.instance_uid,
        intent.deadline,
    )
    put(
        world,
        target,
        reason="Running",
        flag="Unknown",
        state="in_progress",
        attempt=intent.attempt,
        task_id=task,
        started_at=world.now,
        completed_at=None,
        deadline=intent.deadline,
        previous_bundle_hash=_running(world, intent.instance_name),
        last_result_status=None,
        error_message=None,
    )
    timing_oracles.started(world, intent)
    write(world, f"sends the order of {target.metadata.name}")
    oracles.order(world, intent)
    again = f" (attempt {intent.attempt})" if intent.attempt > 1 else ""
    world.say(intent.target_name, f"-> {intent.instance_name}{again}")
    agent = world.agents[intent.instance_name]
    agent.take(task, target.spec.bundle_hash, world.now, intent.deadline)


def _settle(world: World, intent: Settle) -> None:
    target = world.targets[intent.target_name]
    put(
        world,
        target,
        reason=intent.reason,
        flag="Unknown" if intent.state == "uncertain" else "False",
        state=intent.state,
        attempt=intent.attempt,
        completed_at=world.now,
        last_result_status=intent.result,
        error_message=intent.message,
    )
    world.say(intent.target_name, f"{intent.state}: {intent.message} [{intent.reason}]")
    free(world, target.status.task_id)


def _raise_attempt(world: World, intent: RaiseAttempt) -> None:
    name = intent.target_name
    write(world, f"raises the attempt of {name}")
    timing_oracles.automatic_retry(world, intent)
    world.targets[name] = raised(world.targets[name])
    world.say(name, f"is tried again by the operator: attempt {intent.attempt}")


def _requeue(world: World, intent: Requeue) -> None:
    target = world.targets[intent.target_name]
    empty = RolloutTargetStatus(conditions=target.status.conditions)
    bare = target.model_copy(update={"status": empty})
    assert target.status.state in {"failed", "uncertain"}
    put(world, bare, reason="Queued", flag="Unknown", state="queued", attempt=intent.attempt)
    world.say(intent.target_name, f"queued again (attempt {intent.attempt})")


def _refuse(world: World, intent: RefuseRetry) -> None:
    target = world.targets[intent.target_name]
    flag = "False" if target.status.state == "failed" else "Unknown"
    put(world, target, reason="RetryRefused", flag=flag)
    world.say(intent.target_name, intent.message)


def _release(world: World, intent: Release) -> None:
    world.say("ledger", f"slot of {world.ledger[intent.task_id].target_name} freed: {intent.why}")
    free(world, intent.task_id)


def _report(world: World, intent: Report) -> None:
    write(world, "reports")
    found = world.rollouts[intent.rollout_name]
    world.rollouts[intent.rollout_name] = found.model_copy(update={"status": intent.status})
    old, new = found.status, intent.status
    timing_oracles.reported(world, intent.rollout_name, old, new)
    reason = next(c.reason for c in new.conditions if c.type == "Progressing")
    text = f"{new.state} [{reason}] {new.message}"
    world.say_once(intent.rollout_name, text)
    if new.halt_reason is not None and new.halt_reason != old.halt_reason:
        world.say(intent.rollout_name, new.halt_reason)
    if old.state != new.state and new.completed_at is not None:
        window = ", ".join(f"{c.type}={c.status}" for c in new.conditions)
        world.say(intent.rollout_name, f"completed: {window}")


def _let_go(world: World, intent: LetGo) -> None:
    write(world, "archives")
    name = intent.rollout_name
    world.archived.append(name)
    world.lost[name] = world.rollouts.pop(name)
    world.targets = {k: t for k, t in world.targets.items() if t.spec.rollout_name != name}
    world.say(name, "archived and gone")


_DISPATCH: dict[type, Any] = {
    Hold: _hold,
    Admit: _admit,
    TakeBack: _take_back,
    Start: _start,
    Settle: _settle,
    RaiseAttempt: _raise_attempt,
    Requeue: _requeue,
    RefuseRetry: _refuse,
    Release: _release,
    Report: _report,
    LetGo: _let_go,
}
