"""A status that is written while its object goes."""

from __future__ import annotations

from hydracore_crds import ObjectMeta, UpdatePolicy
from hydracore_crds.update_policy import UpdatePolicyStatus
from hydracore_kube import ObjectStore
from hydracore_operator.status_writes import write_status
from tests.operator.rollouts.fakes import FakeKube

POLICY = UpdatePolicy(metadata=ObjectMeta(name="default", namespace="acme"))
STATUS = UpdatePolicyStatus(in_flight=3)


async def test_the_store_has_what_was_written() -> None:
    kube, store = FakeKube(), ObjectStore(UpdatePolicy)
    policy = kube.put(POLICY)
    store.upsert(policy)
    written = await write_status(kube, store, policy, STATUS)  # type: ignore[arg-type]
    assert written is not None
    assert written.status.in_flight == 3
    assert store.get("acme/default") == written == kube.current(policy)


async def test_the_store_lets_go_of_what_is_gone() -> None:
    kube, store = FakeKube(), ObjectStore(UpdatePolicy)
    policy = kube.put(POLICY)
    store.upsert(policy)
    kube.remove(policy)
    assert await write_status(kube, store, policy, STATUS) is None  # type: ignore[arg-type]
    assert store.get("acme/default") is None


async def test_a_namesake_that_came_after_it_stays() -> None:
    kube, store = FakeKube(), ObjectStore(UpdatePolicy)
    policy = kube.put(POLICY)
    kube.remove(policy)
    namesake = policy.metadata.model_copy(update={"uid": "another", "resource_version": "999"})
    store.upsert(POLICY.model_copy(update={"metadata": namesake}))
    assert await write_status(kube, store, policy, STATUS) is None  # type: ignore[arg-type]
    kept = store.get("acme/default")
    assert kept is not None
    assert kept.metadata.uid == "another"
