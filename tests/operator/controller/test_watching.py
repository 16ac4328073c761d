"""kopf's events reach the stores on the real API server, with the operator's rights alone."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import pytest_asyncio

from hydracore_crds import KINDS, Bundle, Instance, PlatformPolicy, Resource, UpdatePolicy
from hydracore_kube import KubeClient, Namespace
from hydracore_operator.context import Stores
from hydracore_operator.controller.relist import Relister
from hydracore_operator.controller.watching import WatchEnded, Watcher
from tests.operator.controller.test_wakeups import SPECS
from tests.operator.fakes import FakeClock, settle, until

# Each in a loop of its own: they count the tasks that stay.
pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="function")]


@pytest_asyncio.fixture(loop_scope="function")
async def admin(admin_kubeconfig: str) -> AsyncIterator[KubeClient]:
    client = await KubeClient.connect(admin_kubeconfig, field_manager="test")
    yield client
    await client.close()


class Running:
    """A watcher and a relister over fresh stores."""

    def __init__(self, kubeconfig: str, kube: KubeClient) -> None:
        self.stores = Stores()
        self.listed: list[str] = []
        self.relister = Relister(kube, self.stores.each(), retry_seconds=0.2)
        self.watcher = Watcher(kubeconfig, self.stores.each(), listed=self._listed)

    def _listed(self, plural: str) -> None:
        self.listed.append(plural)
        self.relister.want(plural)


@asynccontextmanager
async def _running(kubeconfig: str) -> AsyncIterator[Running]:
    kube = await KubeClient.connect(kubeconfig, field_manager="hydracore-operator")
    running = Running(kubeconfig, kube)
    before = asyncio.all_tasks()
    tasks = [
        asyncio.create_task(running.watcher.run()),
        asyncio.create_task(running.relister.run()),
    ]
    try:
        await until(lambda: all(store.ready.is_set() for store in running.stores.each()))
        yield running
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await kube.close()
    await settle()
    left = asyncio.all_tasks() - before
    # kopf leaves these behind where it is cancelled while a watch begins; a process ends with them.
    waiters = {task for task in left if task.get_name().startswith("pause-waiter for ")}
    for task in waiters:
        task.cancel()
    assert left <= waiters


def _wire(kind: type[Resource], name: str, namespace: str) -> Any:
    metadata = {"name": name, "namespace": namespace if kind.KIND.namespaced else None}
    return kind.model_validate({"metadata": metadata, "spec": SPECS[kind]})


def _name(kind: type[Resource], namespace: str) -> str:
    if kind is Bundle:
        return "runtime-expressclaw-1.0.0"
    return "default" if kind in {PlatformPolicy, UpdatePolicy} else namespace


async def test_events_of_every_kind_reach_their_store(
    admin: KubeClient, operator_kubeconfig: str, namespace: str
) -> None:
    async with _running(operator_kubeconfig) as running:
        by_kind = {store.kind: store for store in running.stores.each()}
        await until(lambda: running.stores.namespaces.get(namespace) is not None)
        made = [await admin.create(_wire(k, _name(k, namespace), namespace)) for k in KINDS]
        for obj in made:
            await until(lambda obj=obj: by_kind[type(obj)].get(obj.key) is not None)  # type: ignore[misc]
        # A change and a deletion of each, too.
        for obj in made:
            place = (type(obj), obj.metadata.name, obj.metadata.namespace)
            await admin.patch(*place, {"metadata": {"annotations": {"x": "y"}}})
            await until(
                lambda obj=obj: by_kind[type(obj)].get(obj.key).metadata.annotations.get("x") == "y"  # type: ignore[misc,union-attr]
            )
            await admin.delete(*place)
            await until(lambda obj=obj: by_kind[type(obj)].get(obj.key) is None)  # type: ignore[misc]
        assert set(running.watcher.ages()) == {store.kind.KIND.plural for store in by_kind.values()}
        assert max(running.watcher.ages().values()) < 60


async def test_watching_writes_nothing(
    admin: KubeClient, operator_kubeconfig: str, namespace: str
) -> None:
    made = await admin.create(_wire(Instance, "quiet", namespace))
    async with _running(operator_kubeconfig) as running:
        await until(lambda: running.stores.instances.get(made.key) is not None)
        await asyncio.sleep(1.0)
        found = await admin.get(Instance, "quiet", namespace)
    assert found.metadata.resource_version == made.metadata.resource_version
    events, _ = await admin.list_raw(("v1", "events", namespace, None))
    assert events == []


async def test_after_an_api_server_restart_events_go_on_and_no_ghost_stays(
    cluster: Any, admin: KubeClient, operator_kubeconfig: str, namespace: str
) -> None:
    for name in ("kept", "goes"):
        await admin.create(_wire(Instance, name, namespace))
    async with _running(operator_kubeconfig) as running:
        await until(lambda: len(running.stores.instances.in_namespace(namespace)) == 2)
        await cluster.restart_apiserver()
        await admin.delete(Instance, "goes", namespace)
        await admin.create(_wire(Instance, "comes", namespace))
        await until(
            lambda: (
                {i.metadata.name for i in running.stores.instances.in_namespace(namespace)}
                == {"kept", "comes"}
            ),
            seconds=60,
        )


async def test_a_relist_of_kopf_asks_for_a_list_of_ours(operator_kubeconfig: str) -> None:
    async with _running(operator_kubeconfig) as running:
        plurals = {store.kind.KIND.plural for store in running.stores.each()}
        assert set(running.listed) == plurals


async def test_a_ghost_goes_with_the_list_after_a_relist(
    operator_kubeconfig: str, namespace: str
) -> None:
    async with _running(operator_kubeconfig) as running:
        ghost = Namespace.model_validate(
            {"metadata": {"name": "ghost", "uid": "ghost", "resourceVersion": "1"}}
        )
        running.stores.namespaces.upsert(ghost)
        running.relister.want("namespaces")
        await until(lambda: running.stores.namespaces.get("ghost") is None)
        assert running.stores.namespaces.get(namespace) is not None


async def test_a_blind_watch_ends_the_process(operator_kubeconfig: str) -> None:
    clock = FakeClock()
    stores, listed = Stores(), set[str]()
    watcher = Watcher(operator_kubeconfig, stores.each(), listed=listed.add, clock=clock)
    task = asyncio.create_task(watcher.run())
    await until(lambda: len(listed) == len(stores.each()))
    for _ in range(100):  # a watch that has only just begun is a sign of life
        clock.freeze(601)
        await clock.advance(10)
        await asyncio.sleep(0.05)
        if task.done():
            break
    with pytest.raises(WatchEnded, match="no sign of life from the watches of"):
        async with asyncio.timeout(20):
            await task


async def test_without_credentials_it_ends_with_the_reason(tmp_path: Any) -> None:
    watcher = Watcher(str(tmp_path / "nowhere"), Stores().each(), listed=lambda _plural: None)
    before = asyncio.all_tasks()
    with pytest.raises(WatchEnded, match="there is no such file"):
        async with asyncio.timeout(20):
            await watcher.run()
    # kopf leaves its scan of the API behind, which waits for credentials; a process ends with it.
    for task in asyncio.all_tasks() - before:
        task.cancel()
    await settle()


async def test_whenever_it_is_cancelled_no_generator_of_kopf_stays_open(
    operator_kubeconfig: str,
) -> None:
    """Early, kopf's tasks are cancelled between two items of a list."""
    begun: list[AsyncGenerator[Any, Any]] = []
    with _begun_generators(begun):
        for moment in range(12):
            watcher = Watcher(operator_kubeconfig, Stores().each(), listed=lambda _plural: None)
            task = asyncio.create_task(watcher.run())
            await watcher.started.wait()
            await asyncio.sleep(moment * 0.015)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    of_kopf = [g for g in begun if "/kopf/" in g.ag_code.co_filename]
    assert of_kopf
    assert [g for g in of_kopf if g.ag_frame is not None] == []


@contextmanager
def _begun_generators(begun: list[AsyncGenerator[Any, Any]]) -> Iterator[None]:
    """Collect, and keep, every asynchronous generator that is begun in this thread."""
    before = sys.get_asyncgen_hooks()

    def note(generator: AsyncGenerator[Any, Any]) -> None:
        begun.append(generator)
        assert before.firstiter is not None
        before.firstiter(generator)

    sys.set_asyncgen_hooks(firstiter=note)
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(firstiter=before.firstiter)
