"""What the operator does in a simulated tenant besides the plan: updates that nobody asks for."""

from __future__ import annotations

from hydracore_core.quarantine import judge, quarantine_of
from hydracore_core.rollouts.auto import AutoView, plan_auto
from hydracore_crds import Bundle
from tests.core.rollouts import deeds
from tests.core.rollouts.builders import NAMESPACE, bundle, uid_of
from tests.core.rollouts.simulation import Event, World


def publish(version: str) -> Event:
    """Let a new runtime appear, verified."""

    def event(world: World) -> None:
        made = bundle(version)
        world.bundles[made.metadata.name] = made
        world.say(version, "PUBLISHED")

    return event


def remove(version: str) -> Event:
    """Let a person delete the rollout that came by itself."""

    def event(world: World) -> None:
        for name, rollout in list(world.rollouts.items()):
            if rollout.spec.bundle_name == bundle(version).metadata.name:
                deeds.delete_rollout(name)(world)

    return event


class Auto:
    """Looks every minute for bundles that went badly, and for rollouts that are to be made."""

    def __init__(self) -> None:
        self._made: set[str] = set()

    def look(self, world: World) -> None:
        for one in list(world.bundles.values()):
            self._judge(world, one)
        view = AutoView(
            namespace=NAMESPACE,
            namespace_uid=uid_of("namespace"),
            policy=world.policy,
            bundles=list(world.bundles.values()),
            rollouts=list(world.rollouts.values()),
            instances=list(world.instances.values()),
            made={name: name in self._made for name in world.bundles},
        )
        for rollout, one in plan_auto(view).make:
            name = rollout.metadata.name
            changes = {"uid": uid_of(name), "creation_timestamp": world.now}
            metadata = rollout.metadata.model_copy(update=changes)
            world.rollouts[name] = rollout.model_copy(update={"metadata": metadata})
            self._made.add(one.metadata.name)
            world.say(one.spec.version, f"ROLLOUT BY ITSELF {name}")
        world.at(1, self.look)

    def _judge(self, world: World, one: Bundle) -> None:
        before = quarantine_of(one)
        wanted = judge(one, world.rollouts.values(), world.now).condition
        if wanted is not None and before is None:
            kept = [*one.status.conditions, wanted]
            status = one.status.model_copy(update={"conditions": kept})
            world.bundles[one.metadata.name] = one.model_copy(update={"status": status})
            world.say(one.spec.version, f"Quarantined={wanted.status} {wanted.message}")
