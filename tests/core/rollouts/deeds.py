"""What people and the world do to a simulated tenant. Each returns an event for ``World.at``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hydracore_crds import Instance, Rollout
from hydracore_crds.base import format_time, set_condition
from hydracore_crds.conditions import AGENT_HEALTHY, UNREACHABLE
from hydracore_crds.names import (
    APPROVE_ANNOTATION,
    APPROVED_BY_ANNOTATION,
    CANCEL_ANNOTATION,
    CANCELLED_BY_ANNOTATION,
    PAUSED_BY_ANNOTATION,
    RESUMED_AT_ANNOTATION,
    ROLLBACK_ANNOTATION,
    ROLLED_BACK_BY_ANNOTATION,
)
from hydracore_crds.policy_window import PolicyWindow
from tests.core.rollouts import builders, timing_oracles
from tests.core.rollouts.agents import Agent, Behaviour
from tests.core.rollouts.simulation import Event, World


def create(name: str = "r1", **fields: Any) -> Event:
    def event(world: World) -> None:
        made = builders.rollout(name, held=False, **fields)
        changes = {"creation_timestamp": world.now}
        metadata = made.metadata.model_copy(update=changes)
        world.rollouts[name] = made.model_copy(update={"metadata": metadata})
        world.say(name, f"CREATED for {made.spec.bundle_name}")

    return event


def _annotate(world: World, name: str, **changes: str | None) -> None:
    found = world.rollouts[name]
    notes = {**found.metadata.annotations, **changes}
    kept = {key: value for key, value in notes.items() if value is not None}
    metadata = found.metadata.model_copy(update={"annotations": kept})
    world.rollouts[name] = found.model_copy(update={"metadata": metadata})


def _edit(world: World, name: str, **changes: Any) -> None:
    found: Rollout = world.rollouts[name]
    spec = found.spec.model_copy(update=changes)
    raised = {"generation": found.metadata.generation + 1}
    metadata = found.metadata.model_copy(update=raised)
    world.rollouts[name] = found.model_copy(update={"spec": spec, "metadata": metadata})


def pause(name: str = "r1", by: str = "ada") -> Event:
    def event(world: World) -> None:
        if name in world.rollouts:
            _annotate(world, name, **{PAUSED_BY_ANNOTATION: by})
            world.say(name, f"PAUSE by {by}")

    return event


def pause_by_spec(name: str = "r1", *, paused: bool = True) -> Event:
    def event(world: World) -> None:
        if name in world.rollouts:
            _edit(world, name, paused=paused)
            world.say(name, f"spec.paused = {paused}")

    return event


def resume(name: str = "r1") -> Event:
    def event(world: World) -> None:
        if name in world.rollouts:
            changes = {PAUSED_BY_ANNOTATION: None, RESUMED_AT_ANNOTATION: format_time(world.now)}
            _annotate(world, name, **changes)
            world.say(name, "RESUME")

    return event


def approve(name: str = "r1", token: str | None = None) -> Event:
    """Approve what the rollout asks for now, or whatever ``token`` says."""

    def event(world: World) -> None:
        found = world.rollouts.get(name)
        waves = (found.status.waves or []) if found is not None else []
        asked = next((w.approval for w in waves if w.state == "awaiting_approval"), None)
        if found is not None and (token or asked) is not None:
            world.approvals.add(token or asked or "")
            said = {APPROVE_ANNOTATION: token or asked, APPROVED_BY_ANNOTATION: "grace"}
            _annotate(world, name, **said)
            world.say(name, f"APPROVE {token or asked} by grace")

    return event


def take_back(name: str = "r1") -> Event:
    def event(world: World) -> None:
        if name in world.rollouts:
            said = {ROLLBACK_ANNOTATION: "true", ROLLED_BACK_BY_ANNOTATION: "ada"}
            _annotate(world, name, **said)
            world.say(name, "ROLLBACK by ada")

    return event


def cancel(name: str = "r1", mode: str = "Graceful") -> Event:
    def event(world: World) -> None:
        if name in world.rollouts:
            _annotate(world, name, **{CANCEL_ANNOTATION: mode, CANCELLED_BY_ANNOTATION: "ada"})
            world.say(name, f"CANCEL ({mode}) by ada")

    return event


def delete_rollout(name: str = "r1") -> Event:
    def event(world: World) -> None:
        found = world.rollouts.get(name)
        if found is not None and not found.metadata.finalizers:
            del world.rollouts[name]
            world.say(name, "DELETED, and gone at once: nobody held it")
        elif found is not None and not found.deleting:
            metadata = found.metadata.model_copy(update={"deletion_timestamp": world.now})
            world.rollouts[name] = found.model_copy(update={"metadata": metadata})
            world.say(name, "DELETED")

    return event


def restore(name: str = "r1") -> Event:
    """Bring a rollout back from a backup: another uid, no status; its targets are collected."""

    def event(world: World) -> None:
        found = world.rollouts.get(name) or world.lost.get(name)
        if found is None:
            return
        number = next(world.restores)
        again = {"uid": builders.uid_of(f"rollout {name} restored {number}"), "finalizers": []}
        again |= {"creation_timestamp": world.now, "deletion_timestamp": None, "generation": 1}
        metadata = found.metadata.model_copy(update=again)
        world.rollouts[name] = Rollout(metadata=metadata, spec=found.spec)
        world.targets = {
            key: one for key, one in world.targets.items() if one.spec.rollout_name != name
        }
        world.say(name, "RESTORED from a backup")

    return event


def history_away(*, away: bool = True) -> Event:
    def event(world: World) -> None:
        world.history_away = away
        world.say("history", "is AWAY" if away else "is back")

    return event


def retry(target_name: str) -> Event:
    """Raise ``spec.attempt``; the API server refuses it unless failed or uncertain."""

    def event(world: World) -> None:
        found = world.targets.get(target_name)
        if found is None or found.status.state not in {"failed", "uncertain"}:
            return
        attempt = found.spec.attempt + 1
        world.targets[target_name] = builders.raised(found)
        timing_oracles.retried(world, found)
        world.say(target_name, f"RETRY asked: attempt {attempt}")

    return event


def delete_instance(name: str) -> Event:
    """Delete an instance and its server: the agent with all it did is gone."""

    def event(world: World) -> None:
        if world.instances.pop(name, None) is not None:
            world.agents[name] = Agent(name)
            world.say(name, "instance DELETED")

    return event


def create_instance(name: str) -> Event:
    def event(world: World) -> None:
        made = builders.instance(name)
        metadata = made.metadata.model_copy(update={"creation_timestamp": world.now})
        world.instances[name] = made.model_copy(update={"metadata": metadata})
        world.agents[name] = Agent(name)
        world.say(name, "instance CREATED")

    return event


def recreate_instance(name: str) -> Event:
    def event(world: World) -> None:
        delete_instance(name)(world)
        world.instances[name] = builders.instance(name, incarnation=2)
        world.say(name, "another instance CREATED under this name")

    return event


def change_instance(name: str, **status: Any) -> Event:
    def event(world: World) -> None:
        found: Instance | None = world.instances.get(name)
        if found is not None:
            changed = found.status.model_copy(update=status)
            world.instances[name] = found.model_copy(update={"status": changed})
            world.say(name, ", ".join(f"{key} = {value}" for key, value in status.items()))

    return event


def go_offline(name: str) -> Event:
    """Let the health loop find out that an agent does not answer."""

    def event(world: World) -> None:
        found = world.instances[name]
        told = set_condition(
            found.status.conditions,
            AGENT_HEALTHY,
            "False",
            reason=UNREACHABLE,
            message="",
            now=world.now,
            generation=1,
        )
        change_instance(name, health_status="unreachable")(world)
        status = world.instances[name].status.model_copy(update={"conditions": told})
        world.instances[name] = world.instances[name].model_copy(update={"status": status})

    return event


def silence(name: str, minutes: float) -> Event:
    def event(world: World) -> None:
        world.agents[name].silence(world.now + timedelta(minutes=minutes))
        world.say(name, f"agent falls silent for {minutes:g} min")

    return event


def script(name: str, *behaviours: Behaviour) -> Event:
    def event(world: World) -> None:
        world.agents[name].script.extend(behaviours)

    return event


def set_policy(limit: int, window: tuple[int, int] | None = None) -> Event:
    def event(world: World) -> None:
        world.policy = builders.policy(limit, window=window)
        world.say("policy", f"limit {limit}, window {window or 'always'}")

    return event


def set_windows(jitter: int, *windows: PolicyWindow) -> Event:
    def event(world: World) -> None:
        world.policy = builders.policy(windows=windows, jitter=jitter)
        world.say("policy", f"{len(windows)} windows, jitter {jitter} s")

    return event


def yank(version: str) -> Event:
    def event(world: World) -> None:
        made = builders.bundle(version, yanked=True)
        world.bundles[made.metadata.name] = made
        world.say("bundle", f"{version} YANKED")

    return event


def crash(after_writes: int) -> Event:
    def event(world: World) -> None:
        world.crash_in = after_writes

    return event


def freeze(minutes: float | None = None, reason: str = "an incident") -> Event:
    """Freeze the platform, for so many minutes or until somebody ends it."""

    def event(world: World) -> None:
        until = None if minutes is None else world.now + timedelta(minutes=minutes)
        world.platform = builders.platform(reason, until)
        world.say("platform", f"FREEZE {f'for {minutes:g} min' if minutes else ''}".rstrip())

    return event


def unfreeze() -> Event:
    def event(world: World) -> None:
        world.platform = builders.platform()
        world.say("platform", "UNFREEZE")

    return event


def grant(slots: int | None) -> Event:
    """Have the platform grant the tenant so many slots; None: it has no cap."""

    def event(world: World) -> None:
        world.granted = slots
        world.say("platform", f"GRANTS {'all' if slots is None else slots}")

    return event
