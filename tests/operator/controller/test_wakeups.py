"""Which change wakes which key."""

from __future__ import annotations

from typing import Any

import pytest

from hydracore_crds import (
    Bundle,
    Instance,
    InstanceAction,
    InstanceClass,
    PlatformPolicy,
    Resource,
    Rollout,
    RolloutTarget,
    UpdatePolicy,
)
from hydracore_kube import Namespace
from hydracore_operator.context import Stores
from hydracore_operator.controller.queues import Queues
from hydracore_operator.controller.wakeups import Wakeups
from tests.operator.fakes import FakeClock

SHA = "ab" * 32
NAME = "runtime-expressclaw-1.0.0"
SPECS: dict[type[Resource], dict[str, Any]] = {
    Instance: {"className": "small", "regionId": "eu"},
    InstanceClass: {
        "displayName": "Small",
        "provider": "local",
        "serverType": "s",
        "regions": {"eu": "here"},
        "bundleName": NAME,
    },
    InstanceAction: {"instanceName": "i", "action": "power-cycle"},
    Bundle: {
        "component": "runtime",
        "slug": "expressclaw",
        "version": "1.0.0",
        "artifact": {"uri": "store:///x", "sha256": SHA, "sizeBytes": 1},
        "signature": {"keyId": "k", "value": "A" * 86 + "=="},
    },
    Rollout: {"bundleName": NAME},
    RolloutTarget: {
        "rolloutName": "r",
        "instanceName": "i",
        "instanceId": "00000000-0000-4000-8000-000000000000",
        "bundleHash": SHA,
        "order": 0,
    },
    PlatformPolicy: {},
    UpdatePolicy: {},
    Namespace: {},
}
_version = iter(range(1, 10_000))


def _make(kind: type[Resource], name: str, namespace: str | None = None, **parts: Any) -> Any:
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": f"{kind.__name__}-{namespace}-{name}",
        "resourceVersion": str(next(_version)),
        **parts.pop("metadata", {}),
    }
    spec = {**SPECS[kind], **parts.pop("spec", {})}
    return kind.model_validate({"metadata": metadata, "spec": spec, **parts})


class World:
    """Stores, queues, and what was woken since last asked."""

    def __init__(self) -> None:
        self.stores = Stores()
        self.queues = Queues.create(FakeClock())
        self.wakeups = Wakeups(self.stores, self.queues)

    def put(self, kind: type[Resource], name: str, namespace: str | None = None, **p: Any) -> None:
        store = next(s for s in self.stores.each() if s.kind is kind)
        store.upsert(_make(kind, name, namespace, **p))

    def woken(self) -> set[str]:
        """Return ``queue:key`` of what waits, and forget it."""
        found = set()
        for queue in self.queues.each():
            found |= {f"{queue.name}:{key}" for key in queue._waiting}
            queue._waiting.clear()
        return found


@pytest.fixture
def world() -> World:
    made = World()
    made.put(Namespace, "t", metadata={"labels": {"hydracore.io/tenant-id": "t"}})
    made.put(InstanceClass, "small")
    made.put(Bundle, NAME)
    made.put(Bundle, "runtime-other-1.0.0", spec={"slug": "other"})
    made.put(Instance, "i", "t")
    made.put(Instance, "elsewhere", "u", spec={"className": "big", "runtimeType": "other"})
    made.put(PlatformPolicy, "default")
    made.put(UpdatePolicy, "default", "t")
    made.put(Rollout, "r", "t")
    made.put(RolloutTarget, "r-00000", "t")
    made.put(InstanceAction, "a", "t")
    made.put(InstanceAction, "over", "t", status={"state": "succeeded"})
    made.put(InstanceAction, "other", "t", spec={"instanceName": "j"})
    made.wakeups.start()
    return made


def test_at_the_start_everything_known_is_woken(world: World) -> None:
    assert world.woken() == {
        "bundles:runtime-other-1.0.0",
        f"bundles:{NAME}",
        "instances:t/i",
        "instances:u/elsewhere",
        "actions:t/a",
        "actions:t/other",
        "actions:t/over",
        "archive:instanceactions/t/over",
        "platform:default",
        "policies:t/default",
        "tenants:t",
        "tenants:u",
        "auto:t",
    }


CHANGES: list[tuple[str, type[Resource], str, str | None, dict[str, Any], set[str]]] = [
    ("instance", Instance, "i", "t", {}, {"instances:t/i", "tenants:t", "actions:t/a"}),
    ("action", InstanceAction, "a", "t", {}, {"actions:t/a"}),
    (
        "action that is over, for which another waits",
        InstanceAction,
        "over",
        "t",
        {"status": {"state": "succeeded"}},
        {"actions:t/over", "actions:t/a", "archive:instanceactions/t/over"},
    ),
    ("class", InstanceClass, "small", None, {}, {"instances:t/i"}),
    ("bundle", Bundle, NAME, None, {}, {f"bundles:{NAME}", "instances:t/i", "tenants:t", "auto:t"}),
    (
        "another slug's bundle",
        Bundle,
        "runtime-other-1.0.0",
        None,
        {"spec": {"slug": "other"}},
        {"bundles:runtime-other-1.0.0", "instances:u/elsewhere", "auto:u"},
    ),
    ("the platform's policy as it is", PlatformPolicy, "default", None, {}, {"platform:default"}),
    (
        "a freeze",
        PlatformPolicy,
        "default",
        None,
        {"spec": {"freeze": {"reason": "an incident"}}},
        {"platform:default", "tenants:t", "policies:t/default"},
    ),
    ("policy", UpdatePolicy, "default", "t", {}, {"policies:t/default", "tenants:t", "auto:t"}),
    ("rollout", Rollout, "r", "t", {}, {"tenants:t"}),
    (
        "finished rollout",
        Rollout,
        "r",
        "t",
        {"status": {"state": "failed"}},
        {"tenants:t", "archive:rollouts/t/r", "auto:t"},
    ),
    ("target", RolloutTarget, "r-00000", "t", {}, {"tenants:t"}),
    (
        "target in flight",
        RolloutTarget,
        "r-00000",
        "t",
        {"status": {"state": "in_progress"}},
        {"tenants:t", "policies:t/default", "platform:default", "actions:t/a"},
    ),
    ("namespace", Namespace, "t", None, {}, {"tenants:t", "policies:t/default", "auto:t"}),
    (
        "instance with another policy",
        Instance,
        "i",
        "t",
        {"spec": {"updatePolicy": {"runtime": "auto"}}},
        {"instances:t/i", "tenants:t", "actions:t/a", "auto:t"},
    ),
]


@pytest.mark.parametrize(
    ("kind", "name", "namespace", "parts", "woken"),
    [change[1:] for change in CHANGES],
    ids=[change[0] for change in CHANGES],
)
def test_a_change_wakes(
    world: World,
    kind: type[Resource],
    name: str,
    namespace: str | None,
    parts: dict[str, Any],
    woken: set[str],
) -> None:
    world.woken()
    world.put(kind, name, namespace, **parts)
    assert world.woken() == woken


def test_a_deletion_wakes_too(world: World) -> None:
    world.woken()
    world.stores.instances.remove("t/i", "Instance-t-i")
    assert world.woken() == {"instances:t/i", "tenants:t", "actions:t/a"}


def test_a_bundle_that_waits_to_go_is_asked_again_when_users_change(world: World) -> None:
    world.put(Bundle, NAME, metadata={"deletionTimestamp": "2030-01-01T00:00:00Z"})
    world.woken()
    world.put(Rollout, "r", "t")
    assert world.woken() == {"tenants:t", f"bundles:{NAME}"}
    world.put(Instance, "i", "t")
    assert f"bundles:{NAME}" in world.woken()


DONE = {"status": {"state": "succeeded"}}


def test_one_that_ends_has_the_archive_look_at_all_that_ended(world: World) -> None:
    """It may be one too many; so may be one that another, which goes, has kept from going."""
    world.put(Rollout, "old", "t", **DONE)
    world.put(Rollout, "open", "t")
    world.put(Rollout, "old", "u", **DONE)
    world.woken()
    world.put(Rollout, "r", "t", **DONE)
    both = {"archive:rollouts/t/r", "archive:rollouts/t/old"}
    assert world.woken() == {"tenants:t", "auto:t", *both}
    world.put(Rollout, "r", "t", **DONE)
    assert world.woken() == {"tenants:t", "archive:rollouts/t/r"}, "it had ended already"
    world.stores.rollouts.remove("t/r", "Rollout-t-r")
    assert world.woken() == {"tenants:t", "auto:t", *both}


HOOK = {"notifications": [{"name": "pager", "url": "https://hooks.example/"}]}


def test_only_news_wake_those_who_tell(world: World) -> None:
    world.put(UpdatePolicy, "default", "t", spec=HOOK)
    assert "notifications:t" in world.woken()
    world.put(UpdatePolicy, "default", "t", spec=HOOK, status={"inFlight": 3})
    world.put(Rollout, "r", "t", status={"state": "in_progress"})
    world.put(RolloutTarget, "r-00000", "t", status={"state": "in_progress"})
    assert "notifications:t" not in world.woken()
    over = {"state": "failed", "completedAt": "2030-01-01T00:00:00Z"}
    world.put(Rollout, "r", "t", status=over)
    assert "notifications:t" in world.woken()
    world.put(Rollout, "r", "t", status={**over, "message": "said otherwise"})
    assert "notifications:t" not in world.woken()
    world.put(UpdatePolicy, "default", "t")
    assert "notifications:t" in world.woken()


def test_at_the_start_tenants_with_webhooks_are_told(world: World) -> None:
    world.put(UpdatePolicy, "default", "t", spec=HOOK)
    world.wakeups.stop()
    world.woken()
    world.wakeups.start()
    assert "notifications:t" in world.woken()


def test_a_rollout_that_halts_wakes_its_bundle_once(world: World) -> None:
    halted = {"state": "paused", "haltReason": "bad", "haltedAt": "2030-01-01T00:00:00Z"}
    world.woken()
    world.put(Rollout, "r", "t", status=halted)
    assert world.woken() == {"tenants:t", f"bundles:{NAME}", "auto:t"}
    world.put(Rollout, "r", "t", status={**halted, "message": "1 in flight"})
    assert world.woken() == {"tenants:t"}


def test_after_stop_nothing_is_woken(world: World) -> None:
    world.woken()
    world.wakeups.stop()
    world.put(Instance, "i", "t")
    assert world.woken() == set()


READY = {"state": "running", "readyAt": "2030-01-01T00:00:00Z"}


def _ready(world: World, *, metadata: dict[str, Any] | None = None, **status: Any) -> set[str]:
    world.put(Instance, "ok", "t", metadata=metadata or {}, status={**READY, **status})
    return {key for key in world.woken() if key.startswith("instances:")}


def test_what_is_written_of_a_ready_instance_does_not_wake_it_again(world: World) -> None:
    _ready(world)
    assert _ready(world, healthStatus="degraded") == set()
    assert _ready(world, runtime={"version": "1.1.0", "bundleHash": SHA}) == set()


@pytest.mark.parametrize(
    "metadata",
    [
        {"generation": 2},
        {"annotations": {"hydracore.io/paused": "true"}},
        {"labels": {"a": "b"}},
        {"finalizers": ["x"]},
        {"uid": "another"},
    ],
)
def test_a_wish_wakes_a_ready_instance(world: World, metadata: dict[str, Any]) -> None:
    _ready(world)
    assert _ready(world, metadata=metadata) == {"instances:t/ok"}


def test_a_ready_instance_in_another_state_is_woken(world: World) -> None:
    _ready(world)
    assert _ready(world, state="error") == {"instances:t/ok"}
    assert _ready(world, readyAt=None) == {"instances:t/ok"}
