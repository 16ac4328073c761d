"""The client against the real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
import pytest_asyncio

from hydracore_crds import Instance, ObjectMeta
from hydracore_crds.base import set_condition
from hydracore_crds.instance import InstanceSpec, InstanceStatus, RuntimeStatus
from hydracore_crds.names import FINALIZER
from hydracore_kube import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    KubeClient,
    Namespace,
    NotFound,
    ObjectStore,
    Reflector,
    Where,
)

pytestmark = pytest.mark.cluster


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kube(admin_kubeconfig: str) -> AsyncIterator[KubeClient]:
    client = await KubeClient.connect(admin_kubeconfig, field_manager="test")
    yield client
    await client.close()


def _instance(namespace: str, name: str = "one", **spec: Any) -> Instance:
    return Instance(
        metadata=ObjectMeta(name=name, namespace=namespace),
        spec=InstanceSpec(class_name="small", region_id="eu", **spec),
    )


async def test_create_get_list_delete(kube: KubeClient, namespace: str) -> None:
    made = await kube.create(_instance(namespace))
    assert made.metadata.uid
    assert (await kube.get(Instance, "one", namespace)).metadata.uid == made.metadata.uid
    with pytest.raises(AlreadyExists):
        await kube.create(_instance(namespace))
    items, version = await kube.list(Instance, namespace)
    assert [i.key for i in items] == [f"{namespace}/one"]
    assert version.isdigit()
    await kube.delete(Instance, "one", namespace)
    with pytest.raises(NotFound):
        await kube.get(Instance, "one", namespace)


async def test_lists_come_in_pages(
    kube: KubeClient, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hydracore_kube.raw.PAGE", 2)
    for n in range(5):
        await kube.create(_instance(namespace, f"i{n}"))
    items, _ = await kube.list(Instance, namespace)
    assert [i.metadata.name for i in items] == [f"i{n}" for n in range(5)]
    found, _ = await kube.list(Instance, namespace, field_selector="spec.className=small")
    assert len(found) == 5


async def test_a_list_does_not_read_again_what_is_held(kube: KubeClient, namespace: str) -> None:
    store = ObjectStore(Instance)
    for name in ("kept", "changed"):
        store.upsert(await kube.create(_instance(namespace, name)))
    note = {"metadata": {"annotations": {"x": "y"}}}
    newest = await kube.patch(Instance, "changed", namespace, note)
    items, _ = await kube.list(Instance, namespace, held=store.held)
    found = {item.metadata.name: item for item in items}
    assert found["kept"] is store.get(f"{namespace}/kept")
    assert found["changed"].metadata.resource_version == newest.metadata.resource_version


async def test_invalid_names_the_field(kube: KubeClient, namespace: str) -> None:
    made = await kube.create(_instance(namespace))
    with pytest.raises(Invalid) as caught:
        await kube.patch(Instance, made.metadata.name, namespace, {"spec": {"className": "other"}})
    assert any("className cannot be changed" in message for _, message in caught.value.causes)
    with pytest.raises(Invalid, match="nonsense"):
        await kube.patch(Instance, made.metadata.name, namespace, {"spec": {"nonsense": 1}})


async def test_status_is_written_by_difference_and_not_at_all_without_one(
    kube: KubeClient, namespace: str
) -> None:
    made = await kube.create(_instance(namespace))
    running = InstanceStatus(state="running", runtime=RuntimeStatus(version="1.0.0"))
    stored = await kube.update_status(made, running)
    assert stored.status.state == "running"
    assert await kube.update_status(stored, running) is stored
    assert (await kube.get(Instance, "one", namespace)).metadata.resource_version == (
        stored.metadata.resource_version
    )
    cleared = await kube.update_status(stored, InstanceStatus(state="running"))
    assert cleared.status.runtime is None


async def test_status_refuses_a_stale_version(kube: KubeClient, namespace: str) -> None:
    made = await kube.create(_instance(namespace))
    await kube.patch(Instance, "one", namespace, {"metadata": {"labels": {"x": "y"}}})
    with pytest.raises(Conflict):
        await kube.update_status(made, InstanceStatus(state="running"))
    assert (await kube.get(Instance, "one", namespace)).status.state is None


async def test_nothing_lands_on_a_namesake(kube: KubeClient, namespace: str) -> None:
    old = await kube.create(_instance(namespace))
    await kube.delete(Instance, "one", namespace)
    with pytest.raises(NotFound):
        await kube.update_status(old, InstanceStatus(state="running"))
    new = await kube.create(_instance(namespace))
    with pytest.raises(Conflict):
        await kube.update_status(old, InstanceStatus(state="running"))
    with pytest.raises(Conflict):
        await kube.set_finalizers(old, [FINALIZER])
    with pytest.raises(Conflict):
        await kube.delete(Instance, "one", namespace, uid=old.metadata.uid)
    # Even with the namesake's own resourceVersion the uid refuses.
    newer = {"resource_version": new.metadata.resource_version}
    forged = old.model_copy(update={"metadata": old.metadata.model_copy(update=newer)})
    with pytest.raises(Conflict):
        await kube.set_finalizers(forged, [FINALIZER])
    found = await kube.get(Instance, "one", namespace)
    assert found.metadata.resource_version == new.metadata.resource_version


async def test_finalizers_hold_an_object(kube: KubeClient, namespace: str) -> None:
    held = await kube.set_finalizers(await kube.create(_instance(namespace)), [FINALIZER])
    assert await kube.set_finalizers(held, [FINALIZER]) is held
    await kube.delete(Instance, "one", namespace)
    deleting = await kube.get(Instance, "one", namespace)
    assert deleting.deleting
    await kube.set_finalizers(deleting, [])
    with pytest.raises(NotFound):
        await kube.get(Instance, "one", namespace)


async def test_conditions_survive_the_wire(kube: KubeClient, namespace: str) -> None:
    made = await kube.create(_instance(namespace))
    assert made.metadata.creation_timestamp is not None
    conditions = set_condition(
        [],
        "Ready",
        "True",
        reason="Provisioned",
        message="all well",
        now=made.metadata.creation_timestamp,
        generation=1,
    )
    stored = await kube.update_status(made, InstanceStatus(conditions=conditions))
    assert stored.status.conditions == conditions
    assert await kube.update_status(stored, InstanceStatus(conditions=conditions)) is stored


async def test_a_watch_tells_what_changes(kube: KubeClient, namespace: str) -> None:
    _, version = await kube.list(Instance, namespace)
    made = await kube.create(_instance(namespace))
    await kube.delete(Instance, "one", namespace)
    stream = kube.watch(Instance, namespace, resource_version=version)
    types = []
    async with asyncio.timeout(10), aclosing(stream) as events:
        async for event in events:
            if event.obj is not None:
                assert event.obj.metadata.uid == made.metadata.uid
                types.append(event.type)
            if event.type == "DELETED":
                break
    assert types == ["ADDED", "DELETED"]


async def test_a_version_too_old_is_gone(kube: KubeClient, namespace: str) -> None:
    stream = kube.watch(Instance, namespace, resource_version="1")
    async with asyncio.timeout(10):
        with pytest.raises(Gone):
            await anext(stream)


async def test_raw_objects_replace_with_precondition(kube: KubeClient, namespace: str) -> None:
    maps = Where("v1", "configmaps", namespace)
    one = Where("v1", "configmaps", namespace, "slots")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "slots"}}
    made = await kube.create_raw(maps, {**body, "data": {"a": "1"}})
    replaced = await kube.replace_raw(one, {**made, "data": {"a": "2"}})
    with pytest.raises(Conflict):
        await kube.replace_raw(one, {**made, "data": {"a": "3"}})
    patched = await kube.patch_raw(one, {"data": {"b": "1"}})
    assert patched["data"] == {"a": "2", "b": "1"}
    assert replaced["metadata"]["resourceVersion"] != patched["metadata"]["resourceVersion"]
    found, _ = await kube.list_raw(maps)
    assert "slots" in [item["metadata"]["name"] for item in found]
    await kube.delete_raw(one, uid=made["metadata"]["uid"])
    with pytest.raises(NotFound):
        await kube.get_raw(one)


async def test_namespaces_know_their_tenant(kube: KubeClient, namespace: str) -> None:
    found = await kube.get(Namespace, namespace)
    assert found.tenant_id == namespace
    assert not found.terminating
    assert (await kube.get(Namespace, "default")).tenant_id is None


async def test_rights_are_kept(api_kubeconfig: str, namespace: str) -> None:
    api = await KubeClient.connect(api_kubeconfig, field_manager="test")
    try:
        made = await api.create(_instance(namespace))
        with pytest.raises(Forbidden):
            await api.update_status(made, InstanceStatus(state="running"))
    finally:
        await api.close()


async def test_a_reflector_outlives_the_api_server(
    cluster: Any, kube: KubeClient, namespace: str
) -> None:
    store = ObjectStore(Instance)
    reflector = Reflector(kube, store, namespace=namespace)
    task = asyncio.create_task(reflector.run())
    try:
        async with asyncio.timeout(10):
            await store.ready.wait()
        await cluster.restart_apiserver()
        seen = asyncio.Event()
        store.subscribe(lambda _old, _new: seen.set())
        await kube.create(_instance(namespace, "after"))
        async with asyncio.timeout(30):
            await seen.wait()
        assert store.get(f"{namespace}/after") is not None
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
