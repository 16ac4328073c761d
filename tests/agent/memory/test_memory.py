"""What the agent remembers: once each, bounded, found again, forgotten for good."""

from __future__ import annotations

from typing import Any

import pytest

from hydracore_agent.memory import store as module
from hydracore_agent.memory.store import MemoryStore, MemoryStoreError, Which
from hydracore_agentclient.models import Forgotten, Memory, MemoryItem
from tests.agent.support.clock import FakeClock
from tests.agent.support.surface import Bench

PATH = "/api/memory"


@pytest.fixture
def bench(world) -> Bench:
    return Bench(world)


async def add(bench: Bench, content: str, **more: Any) -> MemoryItem:
    answer = await bench.call("POST", PATH, {"content": content, **more})
    assert answer.status_code == 200, answer.text
    return MemoryItem.model_validate(answer.json())


async def found(bench: Bench, query: str = "") -> list[str]:
    answer = await bench.call("GET", f"{PATH}{query}")
    assert answer.status_code == 200, answer.text
    return [one.content for one in Memory.model_validate(answer.json()).items]


async def removed(bench: Bench, body: dict[str, Any]) -> int:
    answer = await bench.call("DELETE", PATH, body)
    assert answer.status_code == 200, answer.text
    return Forgotten.model_validate(answer.json()).removed


async def test_it_is_found_by_customer_and_conversation(bench) -> None:
    await add(bench, "likes tea", customerId="ada")
    await add(bench, "said so", customerId="ada", conversationId="c:1")
    await add(bench, "likes coffee", customerId="bob", kind="procedure")
    assert await found(bench) == ["likes coffee", "said so", "likes tea"]
    assert await found(bench, "?customerId=ada") == ["said so", "likes tea"]
    assert await found(bench, "?customerId=ada&conversationId=c:1") == ["said so"]
    assert await found(bench, "?limit=1") == ["likes coffee"]
    assert await found(bench, "?customerId=eve") == []


async def test_the_same_again_is_the_same_item(bench) -> None:
    first = await add(bench, "likes tea", customerId="ada")
    assert await add(bench, "likes tea", customerId="ada") == first
    assert (await add(bench, "likes tea")).id != first.id
    assert len(await found(bench)) == 2


async def test_it_outlives_the_process(bench) -> None:
    item = await add(bench, "likes tea")
    (kept,) = MemoryStore(bench.world.layout.memory, FakeClock()).find(Which(), 10)
    assert (kept.id, kept.content) == (item.id, "likes tea")


async def test_what_fits_is_forgotten_and_an_empty_condition_fits_all(bench) -> None:
    one = await add(bench, "a", customerId="ada")
    await add(bench, "b", customerId="ada", kind="procedure")
    await add(bench, "c", customerId="bob")
    await add(bench, "d")
    assert await removed(bench, {"id": one.id}) == 1
    assert await removed(bench, {"customerId": "ada", "kind": "fact"}) == 0
    assert await removed(bench, {"customerId": "ada"}) == 1
    assert await found(bench) == ["d", "c"]
    assert await removed(bench, {}) == 2
    assert await removed(bench, {}) == 0


def test_what_is_forgotten_is_not_in_the_file_any_more(tmp_path) -> None:
    path = tmp_path / "memory.db"
    store = MemoryStore(path, FakeClock())
    store.add("fact", "a secret that nobody shall read", "", "")
    assert b"nobody shall read" in path.read_bytes()
    assert store.remove(Which()) == 1
    assert b"nobody shall read" not in path.read_bytes()


def test_the_oldest_go_when_there_are_too_many(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "MAX_ITEMS", 3)
    store = MemoryStore(tmp_path / "memory.db", FakeClock())
    for number in range(5):
        store.add("fact", str(number), "", "")
    assert [one.content for one in store.find(Which(), 10)] == ["4", "3", "2"]
    assert store.count() == 3


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"content": ""},
        {"content": "x" * 4001},
        {"content": 1},
        {"content": "x", "kind": "rumour"},
        {"content": "x", "customerId": ""},
        {"content": "x", "customerId": 7},
        {"content": "x", "conversationId": "c" * 254},
    ],
)
async def test_what_cannot_be_remembered_is_refused(bench, body: dict[str, Any]) -> None:
    answer = await bench.call("POST", PATH, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert await found(bench) == []


async def test_a_misspelt_condition_forgets_nothing(bench) -> None:
    await add(bench, "a")
    for body in ({"customer": "ada"}, {"customerId": ""}, {"customerId": None}):
        assert (await bench.call("DELETE", PATH, body)).status_code == 400
    assert (await bench.call("GET", f"{PATH}?customer=ada")).status_code == 400
    for limit in ("0", "201", "x"):
        assert (await bench.call("GET", f"{PATH}?limit={limit}")).status_code == 400
    assert await found(bench) == ["a"]


async def test_a_damaged_store_is_said(bench) -> None:
    bench.world.layout.memory.write_bytes(b"not a database at all" * 100)
    for method, body in (("GET", None), ("POST", {"content": "a"}), ("DELETE", {})):
        answer = await bench.call(method, PATH, body)
        assert (answer.status_code, answer.json()["code"]) == (503, "memory_unavailable")
    with pytest.raises(MemoryStoreError):
        MemoryStore(bench.world.layout.memory, FakeClock()).count()
