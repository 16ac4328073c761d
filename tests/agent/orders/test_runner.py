"""The task under way, from order to switch."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from hydracore_agent.http import Refusal
from hydracore_agent.orders.download import Downloader
from hydracore_agent.orders.manifest import Host
from hydracore_agent.orders.memory import OrderMemory
from hydracore_agent.orders.runner import OrderRunner, Surroundings
from hydracore_agent.orders.steps import Installer
from hydracore_agent.orders.token import Order
from hydracore_agent.settings import BundleRef, Tuning
from hydracore_agent.trust import read_bundle_keys
from tests.agent.support.bundles import digest, small_bundle
from tests.agent.support.world import OLD, TASK, World

API = "http://127.0.0.1:9"


def now() -> datetime:
    return datetime.now(UTC)


async def streamed(content: bytes) -> AsyncIterator[bytes]:
    yield content


class Bench:
    """A runner with a scripted bundle host."""

    def __init__(self, world: World, content: bytes) -> None:
        self.world = world
        self.content = content
        self.served = content
        self.gate: asyncio.Event | None = None
        self.asked: list[httpx.Request] = []
        self.reached = asyncio.Event()
        self.left = 0
        self.seen: list[str] = []
        self.memory = OrderMemory(world.layout.orders, world.layout.ledger, now)
        self.runner = self.make()

    def make(self) -> OrderRunner:
        tuning = Tuning(retry_first=0.01, retry_most=0.05)
        keys = read_bundle_keys(self.world.signer.bundle_keys())
        installer = Installer(Downloader(self.connect, tuning), lambda: keys, Host.here())
        around = Surroundings(OLD, API, lambda: "hca_key", self.changed, self.leave)
        return OrderRunner(self.world.layout, self.memory, installer, around, now)

    def changed(self) -> None:
        self.seen.append(self.memory.read().tasks[TASK].state)

    def leave(self) -> None:
        self.left += 1

    def connect(self, _url: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer))

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        self.reached.set()
        if self.gate is not None:
            await self.gate.wait()
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if start:
            headers = {"content-range": f"bytes {start}-{len(self.served) - 1}/*"}
            return httpx.Response(206, content=streamed(self.served[start:]), headers=headers)
        return httpx.Response(200, content=streamed(self.served))

    def order(self, seconds: float = 30, **changes) -> Order:
        sha256 = digest(self.content)
        signer = self.world.signer
        values = {
            "slug": "expressclaw",
            "version": "1.1.0",
            "sha256": sha256,
            "size_bytes": len(self.content),
            "key_id": signer.bundle_key_id,
            "signature": signer.sign_digest(sha256),
            **changes,
        }
        not_after = (now() + timedelta(seconds=seconds)).timestamp()
        url = f"{API}/agent/v1/bundles/{sha256}"
        return Order(TASK, 1, not_after, BundleRef(**values), url, force=False)  # type: ignore[arg-type]

    async def end(self):
        assert self.runner._driver is not None
        await asyncio.wait_for(asyncio.wait([self.runner._driver]), 20)
        return self.memory.read().tasks[TASK]


@pytest.fixture
def bench(world) -> Bench:
    return Bench(world, small_bundle())


async def test_takes_an_order_to_the_launcher(bench, world) -> None:
    status, task = await bench.runner.submit(bench.order())
    assert (status, task.state) == (202, "accepted")
    assert (await bench.end()).state == "switching"
    assert bench.left == 1
    assert json.loads(world.layout.next.read_text())["taskId"] == TASK
    assert (world.layout.staged(TASK) / "lib/hydracore_agent/__init__.py").exists()
    assert bench.asked[0].headers["authorization"] == "Bearer hca_key"
    assert world.events() == [
        "accepted", "downloading", "verifying", "unpacking", "switching",
    ]  # fmt: skip


async def test_every_change_is_told_once_it_is_stored(bench) -> None:
    await bench.runner.submit(bench.order())
    await bench.end()
    assert bench.seen == ["accepted", "downloading", "verifying", "unpacking", "switching"]


async def test_an_end_before_the_switch_is_told(bench) -> None:
    await bench.runner.submit(bench.order(key_id="mallory"))
    await bench.end()
    assert bench.seen[-1] == "rejected"


async def test_the_same_order_twice_at_once_is_carried_out_once(bench) -> None:
    order = bench.order()
    answers = await asyncio.gather(*(bench.runner.submit(order) for _ in range(5)))
    assert sorted(status for status, _ in answers) == [200, 200, 200, 200, 202]
    await bench.end()
    assert bench.left == 1
    assert len(bench.asked) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key_id": "mallory"}, "does not trust"),
        ({"signature": "AAAA"}, "is not one of key"),
        ({"version": "1.1.1"}, "the order is for runtime expressclaw 1.1.1"),
    ],
)
async def test_rejects_with_the_reason_and_cleans_up(bench, world, changes, reason) -> None:
    await bench.runner.submit(bench.order(**changes))
    task = await bench.end()
    assert task.state == "rejected"
    assert reason in task.message
    assert bench.left == 0
    assert not world.layout.next.exists()
    assert list(world.layout.incoming.iterdir()) == []
    assert list(world.layout.releases.iterdir()) == []


async def test_a_bundle_nobody_trusts_is_not_even_fetched(bench) -> None:
    await bench.runner.submit(bench.order(key_id="mallory"))
    await bench.end()
    assert bench.asked == []


async def test_another_digest_is_rejected(bench) -> None:
    bench.served = bench.content[:-1] + bytes([bench.content[-1] ^ 1])
    await bench.runner.submit(bench.order())
    task = await bench.end()
    assert (task.state, bench.left) == ("rejected", 0)
    assert digest(bench.served) in task.message


async def test_a_bundle_for_another_python_is_rejected(world) -> None:
    bench = Bench(world, small_bundle(python="cp27"))
    await bench.runner.submit(bench.order())
    task = await bench.end()
    assert task.state == "rejected"
    assert "built for cp27" in task.message


async def test_continues_a_part_after_a_kill(bench, world) -> None:
    bench.gate = asyncio.Event()
    await bench.runner.submit(bench.order())
    await asyncio.wait_for(bench.reached.wait(), 10)
    await bench.runner.close()
    assert bench.memory.read().tasks[TASK].state == "downloading"
    world.layout.part(digest(bench.content)).write_bytes(bench.content[:50])
    (world.layout.incoming / "leftover.part").write_bytes(b"x")
    bench.gate = None
    bench.runner = bench.make()
    await bench.runner.prepare()
    bench.runner.resume()
    assert (await bench.end()).state == "switching"
    assert bench.asked[-1].headers["range"] == "bytes=50-"
    assert not (world.layout.incoming / "leftover.part").exists()


async def test_a_part_that_a_kill_damaged_is_fetched_anew(bench, world) -> None:
    world.layout.part(digest(bench.content)).write_bytes(b"\0" * 50)
    await bench.runner.submit(bench.order())
    assert (await bench.end()).state == "switching"
    assert [request.headers.get("range") for request in bench.asked] == ["bytes=50-", None]


async def test_taken_up_too_late_it_is_expired(bench, world) -> None:
    world.remember(world.task(not_after=now().timestamp() - 1, state="downloading"))
    bench.runner.resume()
    task = await bench.end()
    assert (task.state, bench.asked, bench.left) == ("expired", [], 0)


async def test_a_host_that_never_answers_is_cut_at_the_deadline(bench) -> None:
    bench.gate = asyncio.Event()
    await bench.runner.submit(bench.order(seconds=0.4))
    task = await bench.end()
    assert (task.state, bench.left) == ("rejected", 0)
    assert "only 0 of" in task.message
    assert "before the order's deadline" in task.message


async def test_abort_stops_the_fetch(bench, world) -> None:
    bench.gate = asyncio.Event()
    await bench.runner.submit(bench.order())
    await asyncio.wait_for(bench.reached.wait(), 10)
    task = await bench.runner.abort(TASK, 1)
    assert task.state == "aborted"
    assert bench.seen[-1] == "aborted"
    assert (await bench.end()).state == "aborted"
    assert bench.left == 0
    assert world.events()[-1] == "aborted"
    status, again = await bench.runner.submit(bench.order())
    assert (status, again.state) == (200, "aborted")


async def test_a_refusal_is_in_the_ledger(bench, world) -> None:
    with world.memory.change() as memory:
        memory.raise_epoch(9)
    with pytest.raises(Refusal, match="epoch 1 is over"):
        await bench.runner.submit(bench.order())
    assert world.events() == ["refused"]


async def test_a_disk_that_takes_no_order_takes_none(bench, monkeypatch) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hydracore_agent.orders.memory.write_json", full)
    with pytest.raises(OSError, match="No space"):
        await bench.runner.submit(bench.order())
    assert bench.memory.read().tasks == {}
    assert bench.asked == []


async def test_a_disk_too_small_for_the_release(bench, monkeypatch) -> None:
    tiny = type("Usage", (), {"free": 10, "total": 100, "used": 90})
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: tiny)
    await bench.runner.submit(bench.order())
    task = await bench.end()
    assert task.state == "rejected"
    assert "the disk has 10 bytes free" in task.message


async def test_a_disk_that_fills_while_unpacking(bench, world, monkeypatch) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hydracore_agent.orders.steps.unpack", full)
    await bench.runner.submit(bench.order())
    task = await bench.end()
    assert task.state == "rejected"
    assert "could not store the release: No space left" in task.message
    assert list(world.layout.incoming.iterdir()) == []
