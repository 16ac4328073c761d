"""What people, machines and networks do to a tenant. Each deed takes effect at once, or not at all
where there is nothing to do it to."""

from __future__ import annotations

from functools import partial
from typing import Any

from hydracore_crds import Instance, Rollout, RolloutTarget, UpdatePolicy
from hydracore_crds.base import format_time
from hydracore_crds.names import (
    APPROVE_ANNOTATION,
    CANCEL_ANNOTATION,
    PAUSED_BY_ANNOTATION,
    RESUMED_AT_ANNOTATION,
    ROLLBACK_ANNOTATION,
)
from hydracore_crds.policy_window import PolicyWindow
from hydracore_crds.rollout import FINAL_STATES
from hydracore_crds.update_policy import MaintenanceWindow
from tests.operator.rollouts import builders
from tests.operator.rollouts.model.line import Death, Loss, Stop
from tests.operator.rollouts.model.process import Process
from tests.operator.rollouts.model.world import HEARD_AFTER, LEASE_SECONDS, World


# ---- people --------------------------------------------------------------------------------
def roll(world: World, name: str, version: str, **fields: Any) -> None:
    if world.find(Rollout, name) is None:
        world.server.put(builders.rollout(name, bundle=f"runtime-expressclaw-{version}", **fields))
        world.say(f"{name}: CREATED for {version}, {fields}")


def redeploy(world: World, version: str, strategy: dict[str, Any]) -> None:
    """Begin a rollout to all under a new name, unless there is something to do already."""
    there = world.rollouts()
    if all(found.status.state in FINAL_STATES for found in there):
        name = f"again-{len(there)}-{world.server.number}"
        roll(world, name, version, strategy=strategy, force=True)


def annotate(world: World, name: str, **changes: str | None) -> None:
    """Set annotations of a rollout, or remove those that are None."""
    found = world.find(Rollout, name)
    if found is None:
        return
    notes = {**found.metadata.annotations, **changes}
    kept = {key: value for key, value in notes.items() if value is not None}
    metadata = found.metadata.model_copy(update={"annotations": kept})
    world.server.put(found.model_copy(update={"metadata": metadata}))
    world.say(f"{name}: {changes}")


def pause(world: World, name: str) -> None:
    annotate(world, name, **{PAUSED_BY_ANNOTATION: "ada"})


def resume(world: World, name: str) -> None:
    found = world.find(Rollout, name)
    if found is not None:
        world.records.resumes[found.metadata.uid] += 1
        now = format_time(world.now())
        annotate(world, name, **{PAUSED_BY_ANNOTATION: None, RESUMED_AT_ANNOTATION: now})


def pause_by_spec(world: World, name: str, *, paused: bool) -> None:
    found = world.find(Rollout, name)
    if found is not None:
        world.server.edit(found, paused=paused)
        world.say(f"{name}: spec.paused = {paused}")


def force_cancel(world: World, name: str) -> None:
    cancel(world, name, "Force")


def cancel(world: World, name: str, mode: str = "Graceful") -> None:
    found = world.find(Rollout, name)
    if found is not None and found.metadata.annotations.get(CANCEL_ANNOTATION) != "Force":
        annotate(world, name, **{CANCEL_ANNOTATION: mode})


def approve(world: World, name: str) -> None:
    """Approve what the rollout asks for now."""
    found = world.find(Rollout, name)
    waves = (found.status.waves or []) if found is not None else []
    asked = next((w.approval for w in waves if w.state == "awaiting_approval"), None)
    if asked is not None:
        world.records.approvals.add(asked)
        annotate(world, name, **{APPROVE_ANNOTATION: asked})


def take_back(world: World, name: str) -> None:
    annotate(world, name, **{ROLLBACK_ANNOTATION: "true"})


def delete_rollout(world: World, name: str) -> None:
    found = world.find(Rollout, name)
    if found is not None and not found.deleting:
        world.server.remove(found)
        world.say(f"{name}: DELETED")


def retry(world: World, number: int) -> None:
    """Ask for a retry of one of the targets that failed or whose outcome is unknown."""
    states = {"failed", "uncertain"}
    found = [t for t in world.server.of(RolloutTarget) if t.status.state in states]
    found = [t for t in found if t.spec.attempt == t.status.attempt]
    if found:
        target = sorted(found, key=lambda t: t.metadata.name)[number % len(found)]
        world.records.retries[target.metadata.owner_references[0].uid] += 1
        world.server.edit(target, attempt=target.spec.attempt + 1)
        world.say(f"{target.metadata.name}: RETRY")


def set_policy(
    world: World,
    limit: int,
    hours: tuple[int, int] | None = None,
    windows: tuple[PolicyWindow, ...] = (),
) -> None:
    found = world.find(UpdatePolicy, "default")
    window = None
    if hours is not None:
        window = MaintenanceWindow(start_hour_utc=hours[0], end_hour_utc=hours[1])
    changes = {"maintenance_window": window, "windows": list(windows)}
    world.server.edit(found, max_parallel_rollouts=limit, **changes)
    world.say(f"policy: limit {limit}, hours {hours}, {len(windows)} windows")


def add_instance(world: World, name: str) -> None:
    if world.find(Instance, name) is None:
        world.add_instance(name)
        world.say(f"{name}: CREATED")


def delete_instance(world: World, name: str) -> None:
    found = world.find(Instance, name)
    if found is not None and not found.deleting:
        world.server.remove(found)
        world.say(f"{name}: DELETED")
        world.later(5.0, world.server_gone, name, found.spec.id)


def meddle(world: World) -> None:
    world.server.meddle()


# ---- agents --------------------------------------------------------------------------------
def behave(world: World, name: str, seconds: float, outcome: Any) -> None:
    """Fix how long an agent's next orders take and how they end."""
    agent = world.agent_of(name)
    if agent is not None:
        agent.push_seconds, agent.faults.outcome = seconds, outcome
        world.say(f"{name}: pushes take {seconds:g} s and end as {outcome}")


def silence(world: World, name: str, seconds: float) -> None:
    """Have an agent cut every connection for a time; what it works on goes on."""
    agent = world.agent_of(name)
    if agent is not None:
        agent.faults.silent = True
        world.say(f"{name}: silent for {seconds:g} s")
        world.later(min(30.0, seconds), world.hear, agent.instance_id)
        world.later(seconds, speak, world, agent.instance_id)


def speak(world: World, instance_id: str) -> None:
    agent = world.agents.agents.get(instance_id)
    if agent is not None and agent.faults.silent:
        agent.faults.silent = False
        world.say(f"{world.name_of(instance_id)}: answers again")
        world.later(HEARD_AFTER, world.hear, instance_id)


def fall_ill(world: World, name: str, **faults: bool) -> None:
    """Have an agent be unhealthy after pushes, report another digest, or speak nonsense."""
    agent = world.agent_of(name)
    if agent is not None:
        for fault, value in faults.items():
            setattr(agent.faults, fault, value)
        world.say(f"{name}: {faults}")


# ---- operators and networks ----------------------------------------------------------------
def crash(world: World, calls: int, *, sent: bool) -> None:
    """Have the leader die at its n-th call from now, before it leaves or before its answer."""
    if world.leader is not None:
        world.leader.line.die_at(Death(calls, sent))
        world.say(f"{world.leader.name} will die at its call {calls} (sent: {sent})")


def freeze(world: World, seconds: float, believes: float) -> None:
    """The leader is frozen; once it thaws, it finds out a little later that it leads no more."""
    if world.leader is not None:
        _freeze(world, world.leader, seconds, believes)


def freeze_in_call(world: World, calls: int, seconds: float, believes: float) -> None:
    """The leader is frozen with its n-th call from now in its hand, which leaves when it thaws."""
    if world.leader is not None:
        come = partial(_freeze, world, world.leader, seconds, believes)
        world.leader.line.stop_at(Stop(calls, come))
        world.say(f"{world.leader.name} will be frozen at its call {calls}")


def _freeze(world: World, old: Process, seconds: float, believes: float) -> None:
    if old is world.leader and not old.line.frozen and _few(world):
        old.line.freeze()
        world.say(f"{old.name} is FROZEN for {seconds:g} s")
        world.later(LEASE_SECONDS, _take_over, world, old)
        world.later(LEASE_SECONDS + seconds, thaw, world, old, believes)


def _take_over(world: World, old: Process) -> None:
    if world.leader is old:
        world.lead()


def thaw(world: World, process: Process, believes: float) -> None:
    if process.alive:
        world.say(f"{process.name} THAWS, and believes for {believes:g} s that it leads")
        process.thaw(believes=believes)


def depose(world: World, believes: float) -> None:
    """Another operator takes over; the old one believes for a time that it leads."""
    old = world.leader
    if old is not None and _few(world):
        old.depose_after(believes)
        world.lead()


def _few(world: World) -> bool:
    return sum(process.alive for process in world.processes.values()) <= 2


def lose(world: World, losses: list[Loss], *, agents: bool) -> None:
    """Lose something of the leader's next calls."""
    if world.leader is not None:
        line = world.leader.line
        (line.agents if agents else line.api).extend(losses)
        world.say(f"{world.leader.name} loses {losses} ({'agents' if agents else 'API server'})")


def deafen(world: World, plural: str, seconds: float) -> None:
    """Lose all events of a kind for a time; then a list."""
    process = world.leader
    if process is not None:
        process.feed.deaf.add(plural)
        world.say(f"{process.name} hears nothing of {plural} for {seconds:g} s")
        world.later(seconds, relist, world, process.name)


def delay(world: World, plural: str, seconds: float) -> None:
    """Have events of a kind come late until the next list."""
    if world.leader is not None:
        world.leader.feed.lag[plural] = seconds
        world.say(f"{world.leader.name} hears of {plural} {seconds:g} s late")


def relist(world: World, name: str | None = None) -> None:
    process = world.processes[name] if name is not None else world.leader
    if process is not None and process.alive and not process.line.frozen:
        process.feed.relist()


def repeat_events(world: World) -> None:
    if world.leader is not None:
        world.leader.feed.repeat()


def history_away(world: World, *, away: bool) -> None:
    world.history.away = away
    world.say(f"history away: {away}")
