"""The reflector against a scripted server: ghosts, 410, faults, signs of life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from hydracore_crds import Instance
from hydracore_kube import (
    Gone,
    KubeClient,
    KubeError,
    ObjectStore,
    Reflector,
    Unavailable,
    WatchEvent,
)
from tests.kube.objects import instance

Step = WatchEvent[Instance] | KubeError


class Script:
    """Lists and watches as written down; what was asked is recorded."""

    def __init__(
        self, lists: list[tuple[list[Instance], str] | KubeError], watches: list[list[Step]]
    ) -> None:
        self.lists = lists
        self.watches = watches
        self.asked: list[str] = []
        self.done = asyncio.Event()

    async def list(self, _kind: type[Instance], _namespace: str | None, **_: Any) -> Any:
        self.asked.append("list")
        answer = self.lists.pop(0)
        if isinstance(answer, KubeError):
            raise answer
        return answer

    async def watch(
        self, _kind: type[Instance], _namespace: str | None, *, resource_version: str
    ) -> AsyncIterator[WatchEvent[Instance]]:
        self.asked.append(f"watch {resource_version}")
        if not self.watches:
            self.done.set()
            await asyncio.Event().wait()
        for step in self.watches.pop(0):
            if isinstance(step, KubeError):
                raise step
            yield step


async def _nap(_seconds: float) -> None:
    await asyncio.sleep(0)


async def _play(script: Script) -> ObjectStore[Instance]:
    store = ObjectStore(Instance)
    reflector = Reflector(cast("KubeClient", script), store, sleep=_nap)
    assert reflector.age() == float("inf")
    task = asyncio.create_task(reflector.run())
    async with asyncio.timeout(5):
        await script.done.wait()
    assert reflector.age() < 5
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return store


async def test_it_goes_on_from_the_last_version_and_relists_after_410() -> None:
    script = Script(
        lists=[([instance("a", 5), instance("ghost", 6)], "10"), ([instance("a", 5)], "30")],
        watches=[
            [
                WatchEvent("ADDED", instance("b", 12), "12"),
                WatchEvent("BOOKMARK", None, "20"),
            ],
            [Gone("too old", status=410)],
        ],
    )
    store = await _play(script)
    assert script.asked == ["list", "watch 10", "watch 20", "list", "watch 30"]
    # The deletions of "ghost" and "b" fell into the gap: only the second list shows them.
    assert [o.key for o in store.all()] == ["t/a"]


async def test_a_broken_stream_is_taken_up_without_a_new_list() -> None:
    script = Script(
        lists=[Unavailable("away"), Unavailable("away"), ([], "10")],
        watches=[[WatchEvent("ADDED", instance("a", 11), "11"), Unavailable("cut")]],
    )
    store = await _play(script)
    assert script.asked == ["list", "list", "list", "watch 10", "watch 11"]
    assert [o.key for o in store.all()] == ["t/a"]


async def test_deletions_arrive() -> None:
    script = Script(
        lists=[([instance("a", 5)], "10")],
        watches=[[WatchEvent("DELETED", instance("a", 11), "11")]],
    )
    assert (await _play(script)).all() == []
