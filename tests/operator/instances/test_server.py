"""One server for one Instance, at any time; the oracle is the provider's own ledger."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hydracore_crds import Instance
from hydracore_crds.names import INSTANCE_ID_LABEL
from hydracore_operator.context import NotLeader, RetryLater
from hydracore_operator.instances import InstanceReconciler
from hydracore_operator.providers import Providers, server_name
from hydracore_operator.providers.errors import (
    AuthError,
    QuotaError,
    TransientError,
    UnknownOutcomeError,
)
from tests.operator.instances.world import World, reason, server_id

pytestmark = pytest.mark.cluster


async def test_lost_create_reply_is_adopted_not_repeated(world: World) -> None:
    world.provider.lose_replies = 1
    made = await world.create()
    await world.once("ada")
    await world.once("ada")
    seen = await world.instance("ada")
    assert server_id(seen) is None
    assert reason(seen) == "OutcomeUnknown"
    seen = await world.until("ada", lambda i: server_id(i) is not None)
    assert len(world.provider.ever[made.metadata.uid]) == 1
    assert world.provider.count("create") == 1


async def test_too_many_requests_never_means_absent(world: World) -> None:
    world.provider.lose_replies = 1
    made = await world.create()
    await world.once("ada")
    await world.once("ada")
    world.provider.fail_next("find", QuotaError("429"), QuotaError("429"))
    await world.once("ada")
    await world.once("ada")
    assert reason(await world.instance("ada")) == "QuotaExceeded"
    assert world.provider.count("create") == 1
    await world.until("ada", lambda i: server_id(i) is not None)
    assert len(world.provider.ever[made.metadata.uid]) == 1


async def test_crash_after_create_finds_the_same_server(world: World) -> None:
    made = await world.create()
    await world.once("ada")
    await world.refresh()
    scope_before = await world.instance("ada")
    await world.once("ada")
    # The write of the id is lost: put the status back as it was.
    body = {"status": {"provider": {"serverId": None}, "agentUrl": None}}
    await world.admin.patch(Instance, "ada", world.namespace, body, subresource="status")
    assert server_id(scope_before) is None
    world.restart()
    await world.until("ada", lambda i: server_id(i) is not None)
    assert len(world.provider.ever[made.metadata.uid]) == 1
    assert world.provider.count("create") == 1


@pytest.mark.parametrize(
    ("error", "code", "state"),
    [
        (AuthError("token refused"), "ProviderUnauthorized", "provisioning"),
        (QuotaError("429"), "QuotaExceeded", "provisioning"),
        (TransientError("503"), "ProviderUnavailable", "provisioning"),
        (UnknownOutcomeError("timeout"), "OutcomeUnknown", "provisioning"),
    ],
)
async def test_provider_errors_become_conditions_and_pass(
    world: World, error: Exception, code: str, state: str
) -> None:
    world.provider.fail_next("create", error)  # type: ignore[arg-type]
    await world.create()
    await world.once("ada")
    again = await world.once("ada")
    seen = await world.instance("ada")
    assert (reason(seen), seen.status.state) == (code, state)
    assert again is not None
    assert again.total_seconds() >= 2
    await world.until("ada", lambda i: server_id(i) is not None)


async def test_a_strangers_server_of_that_name_is_never_touched(world: World) -> None:
    made = await world.create()
    stranger = world.provider.add_stranger(server_name("ada", made.metadata.uid))
    await world.once("ada")
    await world.once("ada")
    seen = await world.instance("ada")
    assert (reason(seen), seen.status.state) == ("ServerNameTaken", "failed")
    await world.admin.delete(Instance, "ada", world.namespace)
    await world.once("ada")
    assert world.provider.servers == {stranger.id: stranger}
    assert world.provider.count("delete") == 0


async def test_two_instances_with_one_id_get_one_server(world: World) -> None:
    first = await world.ready()
    told = await world.ctx.history.provision_log.list(first.spec.id or "")
    await world.create("copy", id=first.spec.id)
    await world.once("copy")
    copy = await world.instance("copy")
    assert reason(copy) == "DuplicateId"
    assert "is of the Instance ada." in (copy.status.error_message or "")
    assert await world.ctx.history.provision_log.list(first.spec.id or "") == told
    await world.admin.delete(Instance, "copy", world.namespace)
    await world.once("copy")
    await world.once("copy")
    assert len(world.provider.of(first.spec.id or "")) == 1
    assert await world.ctx.history.credentials.get(first.spec.id or "") is not None
    assert await world.ctx.history.tombstones.get(first.spec.id or "") is None


async def test_a_server_that_is_off_is_switched_on(world: World) -> None:
    seen = await world.ready()
    world.provider.switch_off(server_id(seen) or "")
    await world.once("ada")
    assert world.provider.count("power_on") == 1
    assert world.provider.servers[server_id(seen) or ""].state == "running"


async def test_a_lost_server_is_an_error_and_never_replaced(world: World) -> None:
    seen = await world.ready()
    world.provider.servers.clear()
    await world.once("ada")
    await world.once("ada")
    lost = await world.instance("ada")
    assert (lost.status.state, lost.status.error_code) == ("error", "ServerLost")
    assert world.provider.count("create") == 1
    assert len(world.provider.ever[seen.spec.id or ""]) == 1


async def test_a_provider_that_is_away_changes_nothing_of_a_running_instance(world: World) -> None:
    before = await world.ready()
    world.provider.fail_next("get", TransientError("503"))
    await world.once("ada")
    after = await world.instance("ada")
    assert after.metadata.resource_version == before.metadata.resource_version


async def test_deleted_and_recreated_inherits_nothing(world: World) -> None:
    old = await world.ready()
    stale = world.ctx.stores.instances.get(f"{world.namespace}/ada")
    assert stale is not None
    await world.admin.delete(Instance, "ada", world.namespace)
    await world.once("ada")
    new = await world.create()
    assert new.metadata.uid != old.metadata.uid
    await world.until("ada", lambda i: server_id(i) is not None)
    seen = await world.instance("ada")
    assert seen.spec.id == new.metadata.uid
    assert server_id(seen) != server_id(old)
    assert seen.status.agent_public_key is None
    (server,) = world.provider.servers.values()
    assert server.labels[INSTANCE_ID_LABEL] == new.metadata.uid


async def test_a_stale_view_of_a_recreated_object_writes_nothing(world: World) -> None:
    await world.create()
    await world.once("ada")
    stale = await world.instance("ada")
    await world.admin.patch(Instance, "ada", world.namespace, {"metadata": {"finalizers": []}})
    await world.admin.delete(Instance, "ada", world.namespace)
    fresh = await world.create()
    await world.refresh()
    stores = world.ctx.stores
    stores.instances.replace([])
    object.__setattr__(stores, "instances", type(stores.instances)(Instance))
    stores.instances.upsert(stale)
    before = world.provider.count("create")
    with pytest.raises(RetryLater, match="changed since"):
        await world.reconciler.reconcile(f"{world.namespace}/ada")
    assert world.provider.count("create") == before
    after = await world.instance("ada")
    assert after.metadata.resource_version == fresh.metadata.resource_version


async def test_who_does_not_lead_orders_and_deletes_nothing(world: World) -> None:
    def lost() -> int:
        raise NotLeader("the Lease is another's")

    providers = Providers({"local": world.provider})
    deposed = InstanceReconciler(replace(world.ctx, epoch=lost), providers)
    await world.create()
    await world.once("ada")
    await world.refresh()
    with pytest.raises(NotLeader):
        await deposed.reconcile(f"{world.namespace}/ada")
    assert world.provider.count("create") == 0
    await world.until("ada", lambda i: server_id(i) is not None)
    await world.admin.delete(Instance, "ada", world.namespace)
    await world.refresh()
    with pytest.raises(NotLeader):
        await deposed.reconcile(f"{world.namespace}/ada")
    assert world.provider.count("delete") == 0
