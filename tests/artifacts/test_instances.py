"""What belongs to an instance: kept apart from others', and deleted to the last object."""

from __future__ import annotations

import asyncio

import obstore
import pytest

from hydracore_artifacts.errors import ArtifactMissing, StoreUnavailable
from hydracore_artifacts.instances import PAGE
from hydracore_artifacts.store import ArtifactStore
from tests.artifacts.conftest import Place

ONE = "0d5f4a1c-5b7e-4c7e-9a53-3f1f6f0f8b11"
OTHER = "0d5f4a1c-5b7e-4c7e-9a53-3f1f6f0f8b12"


async def names(store: ArtifactStore, instance_id: str) -> dict[str, int]:
    return {o.name: o.size_bytes async for o in store.instances.objects(instance_id)}


async def test_put_list_open_and_delete(store: ArtifactStore, place: Place) -> None:
    for instance_id in (ONE, OTHER):
        await store.instances.put(instance_id, "logs/a.txt", b"first")
        await store.instances.put(instance_id, "logs/a.txt", b"second!")
        await store.instances.put(instance_id, "b", b"")
    assert await names(store, ONE) == {"logs/a.txt": 7, "b": 0}
    content = [piece async for piece in store.instances.open(ONE, "logs/a.txt")]
    assert b"".join(content) == b"second!"
    assert await store.instances.delete_all(ONE) == 2
    assert await names(store, ONE) == {}
    with pytest.raises(ArtifactMissing, match=ONE):
        await anext(store.instances.open(ONE, "b"))
    assert await store.instances.delete_all(ONE) == 0
    assert place.files() == [f"instances/{OTHER}/b", f"instances/{OTHER}/logs/a.txt"]


async def test_a_deletion_that_was_killed_goes_on_over_many_pages(place: Place) -> None:
    """Killed after the first page, then repeated by another process."""
    store, number = place.open(), 2 * PAGE + 5
    folder = place.root / "instances" / ONE / "many"
    await store.instances.put(ONE, "many/first", b"x")
    for index in range(number - 1):
        (folder / f"{index:05}").write_bytes(b"x")
    deleted = 0
    real = store.instances._delete

    async def once(keys: list[str]) -> None:
        nonlocal deleted
        if deleted:
            raise asyncio.CancelledError
        deleted = len(keys)
        await real(keys)

    store.instances._delete = once  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await store.instances.delete_all(ONE)
    again = place.open()
    assert len(await names(again, ONE)) == number - deleted
    assert PAGE <= deleted < number
    assert await again.instances.delete_all(ONE) == number - deleted
    assert place.files() == []


async def test_two_that_delete_at_once_are_both_done(store: ArtifactStore, place: Place) -> None:
    for index in range(50):
        await store.instances.put(ONE, f"o{index}", b"x")
    await asyncio.gather(*(store.instances.delete_all(ONE) for _ in range(3)))
    assert place.files() == []


async def test_who_writes_on_and_on_does_not_hold_it_for_ever(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keeps(_store: object, _keys: object) -> None:
        """Delete nothing."""

    monkeypatch.setattr(obstore, "delete", keeps)
    monkeypatch.setattr("hydracore_artifacts.instances.MAX_PAGES", 3)
    await store.instances.put(ONE, "x", b"x")
    with pytest.raises(StoreUnavailable, match="still has objects below instances/0d5f4a1c"):
        await store.instances.delete_all(ONE)


@pytest.mark.parametrize("instance_id", ["", "..", ONE.upper(), f"{ONE}/x", "*", f"{ONE}\n"])
async def test_what_is_no_id_reaches_nothing(store: ArtifactStore, instance_id: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        await store.instances.delete_all(instance_id)


@pytest.mark.parametrize("name", ["", "../x", "a/../b", "/a", "a//b", ".", "a/.x", "é", "a\n"])
async def test_what_is_no_name_is_not_stored(store: ArtifactStore, place: Place, name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        await store.instances.put(ONE, name, b"x")
    assert not place.root.exists() or place.files() == []
