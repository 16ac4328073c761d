"""The store stays right whatever order events, lists and answers come in."""

from __future__ import annotations

from uuid import uuid4

import pytest

from hydracore_crds import Instance, ObjectMeta
from hydracore_crds.instance import InstanceSpec
from hydracore_kube import ObjectStore
from tests.kube.objects import instance

Change = tuple[str | None, str | None]


@pytest.fixture
def store() -> ObjectStore[Instance]:
    return ObjectStore(Instance)


@pytest.fixture
def changes(store: ObjectStore[Instance]) -> list[Change]:
    seen: list[Change] = []
    store.subscribe(
        lambda old, new: seen.append(
            (
                old.metadata.resource_version if old else None,
                new.metadata.resource_version if new else None,
            )
        )
    )
    return seen


def test_an_older_event_does_not_undo_an_own_write(
    store: ObjectStore[Instance], changes: list[Change]
) -> None:
    store.apply("ADDED", instance("a", 5))
    store.upsert(instance("a", 9))
    assert store.apply("MODIFIED", instance("a", 7)) is False
    assert changes == [(None, "5"), ("5", "9")]


def test_versions_compare_as_numbers(store: ObjectStore[Instance]) -> None:
    store.upsert(instance("a", 99))
    assert store.upsert(instance("a", 100)) is True


def test_an_echo_of_the_same_version_tells_nobody(
    store: ObjectStore[Instance], changes: list[Change]
) -> None:
    store.upsert(instance("a", 5))
    assert store.apply("MODIFIED", instance("a", 5)) is False
    assert len(changes) == 1


def test_only_the_very_same_version_is_held(store: ObjectStore[Instance]) -> None:
    known = instance("a", 5)
    store.upsert(known)
    wire = known.to_wire()["metadata"]
    assert store.held(wire) is known
    assert store.held({**wire, "resourceVersion": "6"}) is None
    assert store.held({**wire, "uid": "another"}) is None
    assert store.held({**wire, "name": "other"}) is None


def test_a_late_answer_does_not_revive_a_deleted_object(store: ObjectStore[Instance]) -> None:
    store.apply("ADDED", instance("a", 5))
    store.apply("DELETED", instance("a", 8))
    assert store.upsert(instance("a", 7)) is False
    assert store.upsert(instance("a", 9)) is False
    assert store.get("t/a") is None


def test_a_namesake_is_a_new_object_and_an_old_deletion_does_not_take_it(
    store: ObjectStore[Instance],
) -> None:
    store.apply("ADDED", instance("a", 5, uid="one"))
    store.apply("ADDED", instance("a", 12, uid="two"))
    assert store.remove("t/a", "one") is False
    found = store.get("t/a")
    assert found is not None
    assert found.metadata.uid == "two"
    assert store.upsert(instance("a", 20, uid="one")) is False


def test_a_relist_drops_ghosts_and_reports_what_changed(
    store: ObjectStore[Instance], changes: list[Change]
) -> None:
    for name in ("kept", "changed", "ghost"):
        store.apply("ADDED", instance(name, 5))
    changes.clear()
    changed = store.replace([instance("kept", 5), instance("changed", 8), instance("new", 9)], "10")
    assert changed == {"t/changed", "t/ghost", "t/new"}
    assert sorted(o.metadata.name for o in store.all()) == ["changed", "kept", "new"]
    assert ("5", None) in changes
    assert store.ready.is_set()


def test_a_list_cannot_drop_what_it_could_not_know_yet(store: ObjectStore[Instance]) -> None:
    store.apply("ADDED", instance("young", 15))
    assert store.replace([], "10") == set()
    assert store.get("t/young") is not None


def test_a_list_from_before_a_deletion_brings_no_ghost(store: ObjectStore[Instance]) -> None:
    store.apply("ADDED", instance("a", 5))
    store.apply("DELETED", instance("a", 11))
    assert store.replace([instance("a", 5)], "10") == set()
    assert len(store) == 0


def test_after_a_restore_of_etcd_the_list_is_the_truth(store: ObjectStore[Instance]) -> None:
    store.replace([instance("a", 90), instance("b", 95)], "100")
    changed = store.replace([instance("a", 40)], "50")
    assert changed == {"t/a", "t/b"}
    found = store.get("t/a")
    assert found is not None
    assert found.metadata.resource_version == "40"


def test_namespaces_are_kept_apart(store: ObjectStore[Instance]) -> None:
    store.upsert(instance("a", 1, namespace="x"))
    store.upsert(instance("a", 2, namespace="y", uid="other"))
    assert [o.key for o in store.in_namespace("x")] == ["x/a"]
    store.remove("x/a", "uid-a")
    assert store.in_namespace("x") == []
    assert len(store) == 1


def test_a_failing_subscriber_does_not_stop_the_others(store: ObjectStore[Instance]) -> None:
    def broken(_old: Instance | None, _new: Instance | None) -> None:
        raise RuntimeError("subscriber")

    seen: list[str] = []
    store.subscribe(broken)
    end = store.subscribe(lambda _old, new: seen.append(new.key if new else ""))
    store.upsert(instance("a", 1))
    end()
    store.upsert(instance("a", 2))
    assert seen == ["t/a"]


def test_the_index_follows_every_change() -> None:
    store = ObjectStore(Instance, index=lambda found: found.spec.id)
    one, two = str(uuid4()), str(uuid4())

    def made(name: str, version: int, identity: str | None, uid: str = "") -> Instance:
        meta = ObjectMeta(name=name, namespace="n", uid=uid or name, resource_version=str(version))
        return Instance(
            metadata=meta, spec=InstanceSpec(id=identity, class_name="c", region_id="r")
        )

    def names(identity: str) -> set[str]:
        return {found.metadata.name for found in store.indexed(identity)}

    store.upsert(made("a", 1, None))
    assert names(one) == set()
    store.upsert(made("a", 2, one))
    store.upsert(made("b", 3, one))
    assert names(one) == {"a", "b"}
    store.upsert(made("b", 4, two))
    assert (names(one), names(two)) == ({"a"}, {"b"})
    store.upsert(made("a", 5, two, uid="another a"))
    assert (names(one), names(two)) == (set(), {"a", "b"})
    store.remove("n/b", "b")
    assert names(two) == {"a"}
    store.replace([], "9")
    assert names(two) == set()
