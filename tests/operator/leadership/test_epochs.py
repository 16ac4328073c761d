"""The record of epochs, on the real API server with the operator's own rights."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_kube import Forbidden, KubeClient, NotFound, Where
from hydracore_operator.context import NotLeader
from hydracore_operator.leadership.epochs import RECORD_NAME, EpochRecord
from hydracore_operator.leadership.leader import Elector
from hydracore_operator.rollouts.entries import Entry
from hydracore_operator.rollouts.ledger import Ledger, ledger_name
from hydracore_operator.rollouts.ledgers import list_ledgers, remove_vanished

pytestmark = pytest.mark.cluster


@pytest_asyncio.fixture(loop_scope="session")
async def admin(admin_kubeconfig: str) -> AsyncIterator[KubeClient]:
    kube = await KubeClient.connect(admin_kubeconfig, field_manager="admin")
    yield kube
    await kube.close()


@pytest_asyncio.fixture(loop_scope="session")
async def kube(operator_kubeconfig: str) -> AsyncIterator[KubeClient]:
    made = await KubeClient.connect(operator_kubeconfig, field_manager="operator")
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def home(admin: KubeClient, kube: KubeClient) -> AsyncIterator[str]:
    """An operator's namespace of the test's own, with the operator's rights in it."""
    name = f"home-{secrets.token_hex(4)}"
    await admin.create_raw(Where("v1", "namespaces"), {"metadata": {"name": name}})
    rights = "rbac.authorization.k8s.io/v1"
    role = await admin.get_raw(Where(rights, "roles", "hydracore-system", "hydracore-operator"))
    binding = await admin.get_raw(
        Where(rights, "rolebindings", "hydracore-system", "hydracore-operator")
    )
    for kind, found in (("roles", role), ("rolebindings", binding)):
        body = {**found, "metadata": {"name": found["metadata"]["name"]}}
        await admin.create_raw(Where(rights, kind, name), body)
    await _until_allowed(kube, name)
    yield name
    await admin.delete_raw(Where("v1", "namespaces", None, name))


async def _until_allowed(kube: KubeClient, home: str) -> None:
    """Wait until the API server's authorizer knows the new role and its binding."""
    async with asyncio.timeout(20):
        while True:
            try:
                await kube.get_raw(Where("v1", "configmaps", home, RECORD_NAME))
            except NotFound:
                return
            except Forbidden:
                await asyncio.sleep(0.05)


def _elector(kube: KubeClient, home: str) -> Elector:
    return Elector(
        kube,
        namespace=home,
        identity=secrets.token_hex(4),
        lease_seconds=3,
        floor=EpochRecord(kube, home).floor,
    )


async def _claim(kube: KubeClient, home: str, uid: str, epoch: int) -> None:
    ledger = Ledger(kube, operator_namespace=home, namespace="acme", namespace_uid=uid)
    await ledger.load()
    entry = Entry(
        target="t",
        rollout="r",
        attempt=1,
        instance_name="i",
        instance_uid=f"uid-{epoch}",
        deadline=datetime(2030, 1, 1, tzinfo=UTC),
        epoch=epoch,
    )
    await ledger.write(claims={f"task-{epoch}": entry}, limit=9)


async def _delete_lease(admin: KubeClient, home: str) -> None:
    place = Where("coordination.k8s.io/v1", "leases", home, "hydracore-operator")
    with contextlib.suppress(NotFound):
        await admin.delete_raw(place)


async def test_a_lease_deleted_while_nobody_led_never_lowers_the_epoch(
    kube: KubeClient, admin: KubeClient, home: str
) -> None:
    for expected in (1, 2, 3):
        elector = _elector(kube, home)
        async with asyncio.timeout(10):
            assert await elector.acquire() == expected
        await EpochRecord(kube, home).remember(expected)
        await _delete_lease(admin, home)


async def test_slots_tell_the_epoch_where_the_record_is_gone_too(
    kube: KubeClient, home: str
) -> None:
    assert await EpochRecord(kube, home).floor() == 0
    await _claim(kube, home, "one", 4)
    await _claim(kube, home, "two", 11)
    assert await EpochRecord(kube, home).floor() == 11
    async with asyncio.timeout(10):
        assert await _elector(kube, home).acquire() == 12


async def test_the_record_never_falls(kube: KubeClient, home: str) -> None:
    record = EpochRecord(kube, home)
    await record.remember(5)
    await record.remember(5)
    with pytest.raises(NotLeader, match="epoch 5 is on record"):
        await record.remember(4)
    await asyncio.gather(*(record.remember(6) for _ in range(4)))
    assert await record.floor() == 6


async def test_a_record_spoilt_by_hand_is_mended_by_the_next_leader(
    kube: KubeClient, admin: KubeClient, home: str
) -> None:
    record = EpochRecord(kube, home)
    await record.remember(5)
    place = Where("v1", "configmaps", home, RECORD_NAME)
    await admin.patch_raw(place, {"data": {"epoch": "many"}})
    assert await record.floor() == 0
    await record.remember(6)
    assert await record.floor() == 6


async def test_ledgers_of_vanished_namespaces_are_removed_and_no_others(
    kube: KubeClient, admin: KubeClient, home: str, namespace: str
) -> None:
    living = await admin.get_raw(Where("v1", "namespaces", None, namespace))
    await _claim(kube, home, living["metadata"]["uid"], 1)
    await _claim(kube, home, "vanished", 1)
    await EpochRecord(kube, home).remember(1)
    labels = {MANAGED_BY_LABEL: "somebody"}
    stranger = {"metadata": {"name": "slots-of-a-casino", "namespace": home, "labels": labels}}
    await admin.create_raw(Where("v1", "configmaps", home), stranger)

    assert await remove_vanished(kube, home) == [ledger_name("vanished")]
    assert await remove_vanished(kube, home) == []
    left = [found["metadata"]["name"] for found in await list_ledgers(kube, home)]
    assert left == [ledger_name(living["metadata"]["uid"])]
    await admin.get_raw(Where("v1", "configmaps", home, RECORD_NAME))
    await admin.get_raw(Where("v1", "configmaps", home, "slots-of-a-casino"))
