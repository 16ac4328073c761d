"""Bundles on the real API server: verified, refused, held while needed, released."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from hydracore_artifacts.errors import (
    ArtifactError,
    ArtifactMissing,
    DigestMismatch,
    SignatureInvalid,
    StoreUnavailable,
    UntrustedKey,
)
from hydracore_crds import Bundle, Instance, InstanceClass, Rollout
from hydracore_crds.base import find
from hydracore_crds.names import FINALIZER
from hydracore_kube import NotFound
from hydracore_operator.bundles import BundleReconciler
from hydracore_operator.bundles.users import sentence
from tests.operator.instances.world import World, bundle

pytestmark = pytest.mark.cluster


class Bundles:
    """A BundleReconciler and its one Bundle."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.name = f"runtime-{world.slug}-1.0.0"
        self.reconciler = BundleReconciler(world.ctx)

    async def once(self) -> timedelta | datetime | None:
        await self.world.refresh()
        return await self.reconciler.reconcile(self.name)

    async def get(self) -> Bundle:
        return await self.world.admin.get(Bundle, self.name)

    async def ready(self) -> tuple[str, str, str]:
        found = find((await self.get()).status.conditions, "Ready")
        assert found is not None
        return found.status, found.reason, found.message


@pytest.fixture
async def bundles(world: World) -> Bundles:
    await world.publish(ready=False)
    return Bundles(world)


async def test_verified_once_and_then_left_alone(bundles: Bundles) -> None:
    assert await bundles.once() is None
    status, reason, message = await bundles.ready()
    assert (status, reason) == ("True", "Verified")
    assert bundles.world.digest in message
    assert "key k" in message
    before = await bundles.get()
    assert before.metadata.finalizers == [FINALIZER]
    for _ in range(3):
        await bundles.once()
    assert bundles.world.artifacts.verified == 1
    assert (await bundles.get()).metadata.resource_version == before.metadata.resource_version
    bundles.reconciler = BundleReconciler(bundles.world.ctx)
    await bundles.once()
    assert bundles.world.artifacts.verified == 2
    assert (await bundles.get()).metadata.resource_version == before.metadata.resource_version


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ArtifactMissing("not there"), "ArtifactMissing"),
        (DigestMismatch("other bytes"), "DigestMismatch"),
        (SignatureInvalid("not signed"), "SignatureInvalid"),
        (UntrustedKey("unknown key"), "UntrustedKey"),
        (StoreUnavailable("no answer"), "StoreUnavailable"),
    ],
)
async def test_what_is_wrong_becomes_the_reason_and_may_be_mended(
    bundles: Bundles, error: ArtifactError, reason: str
) -> None:
    world = bundles.world
    world.artifacts.error = error
    again = await bundles.once()
    assert (await bundles.ready())[:2] == ("False", reason)
    assert str(error) in (await bundles.ready())[2]
    assert isinstance(again, datetime)
    await bundles.once()  # an event in between does not ask the store again
    assert world.artifacts.verified == 1
    world.artifacts.error = None
    world.later(seconds=(again - world.now).total_seconds())
    await bundles.once()
    assert (await bundles.ready())[:2] == ("True", "Verified")


async def test_a_store_that_is_away_backs_off_and_unmakes_nothing(bundles: Bundles) -> None:
    world = bundles.world
    await bundles.once()
    bundles.reconciler = BundleReconciler(world.ctx)
    world.artifacts.error = StoreUnavailable("no answer")
    waits = []
    for _ in range(4):
        again = await bundles.once()
        assert isinstance(again, datetime)
        waits.append((again - world.now).total_seconds())
        world.later(seconds=waits[-1])
    assert waits == [2, 4, 8, 16]
    assert (await bundles.ready())[:2] == ("True", "Verified")


async def test_a_version_that_the_schema_cannot_refuse(world: World) -> None:
    bundles = Bundles(world)
    bundles.name = f"runtime-{world.slug}-1.0.0-01"
    body = bundle(bundles.name, world.slug, "1.0.0-01")
    await world.admin.create(Bundle.model_validate(body))
    await bundles.once()
    assert (await bundles.ready())[:2] == ("False", "InvalidVersion")
    assert world.artifacts.verified == 0


async def test_deleted_when_nobody_needs_it(bundles: Bundles) -> None:
    await bundles.once()
    await bundles.world.admin.delete(Bundle, bundles.name, None)
    assert await bundles.once() is None
    with pytest.raises(NotFound):
        await bundles.get()


async def put_class(world: World) -> Any:
    await world.sell()
    return lambda: world.admin.delete(InstanceClass, f"class-{world.namespace}", None)


async def put_rollout(world: World) -> Any:
    body = {
        "metadata": {"name": "push", "namespace": world.namespace},
        "spec": {"bundleName": f"runtime-{world.slug}-1.0.0"},
    }
    await world.admin.create(Rollout.model_validate(body))
    done = {"status": {"state": "succeeded"}}
    return lambda: world.admin.patch(Rollout, "push", world.namespace, done, subresource="status")


async def put_running(world: World) -> Any:
    await world.create()
    runs = {"status": {"runtime": {"version": "1.0.0", "bundleHash": world.digest}}}
    await world.admin.patch(Instance, "ada", world.namespace, runs, subresource="status")
    return lambda: world.admin.delete(Instance, "ada", world.namespace)


async def put_previous(world: World) -> Any:
    made = await world.create(id="11111111-2222-4333-8444-555555555555")
    assert made.spec.id is not None
    last = {"bundleHash": "cd" * 32, "previousBundleHash": world.digest}
    health = world.ctx.history.health
    await health.poll(made.spec.id, at=world.now, ok=True, status=last, error=None)
    return lambda: health.remove(made.spec.id or "")


@pytest.mark.parametrize(
    ("need", "named"),
    [
        (put_class, "InstanceClass class-"),
        (put_rollout, "/push"),
        (put_running, "/ada (runs it)"),
        (put_previous, "/ada (may go back to it)"),
    ],
)
async def test_held_while_somebody_needs_it(bundles: Bundles, need: Any, named: str) -> None:
    world = bundles.world
    await bundles.once()
    let_go = await need(world)
    await world.admin.delete(Bundle, bundles.name, None)
    assert await bundles.once() is not None
    status, reason, message = await bundles.ready()
    assert (status, reason) == ("False", "InUse")
    assert named in message
    before = (await bundles.get()).metadata.resource_version
    await bundles.once()
    assert (await bundles.get()).metadata.resource_version == before
    await let_go()
    await bundles.once()
    with pytest.raises(NotFound):
        await bundles.get()


def test_many_users_are_named_in_one_bounded_sentence() -> None:
    assert sentence(["a", "b"]) == "a, b"
    assert sentence([str(n) for n in range(9)]) == "0, 1, 2, 3, 4 and 4 more"
