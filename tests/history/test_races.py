"""Races decided with both sides in the middle of their transactions, on real connections.

The first side writes and waits before its commit; the second side starts, is seen waiting for the
first one's lock, and then the first commits or gives up. SQLite has one writer at a time, so
these are PostgreSQL's; the same promises under load are tested on both in the other files.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hydracore_history import History, StageResult

Result = TypeVar("Result")
Step = Callable[[History], Awaitable[Result]]
WAITING = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


class GaveUp(Exception):  # noqa: N818  # it names what happened
    """The first side dies before its commit."""


class Slow(History):
    """Waits before each commit until it is told to go on, or to give up."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.wrote = asyncio.Event()
        self.go = asyncio.Event()
        self.gives_up = False
        plain = self._database.write

        @asynccontextmanager
        async def write() -> AsyncIterator[AsyncSession]:
            async with plain() as session:
                yield session
                await session.flush()
                self.wrote.set()
                await self.go.wait()
                if self.gives_up:
                    raise GaveUp

        self._database.write = write  # type: ignore[method-assign]


@pytest.fixture
async def second(postgres_url: str) -> AsyncIterator[History]:
    found = History(postgres_url)
    yield found
    await found.close()


@pytest.fixture
async def first(postgres_url: str, second: History) -> AsyncIterator[Slow]:
    found = Slow(postgres_url)
    yield found
    await found.close()


async def waiting(history: History) -> int:
    async with history._database.read() as session:
        return int(await session.scalar(WAITING) or 0)


async def race(
    first: Slow, second: History, one: Step[Result], two: Step[Result], *, end: str = "commits"
) -> tuple[Result | None, Result]:
    """Let both sides collide, and return their results (None for one that gave up)."""
    first.gives_up = end == "gives up"
    leading = asyncio.ensure_future(one(first))
    async with asyncio.timeout(10):
        await first.wrote.wait()
        following = asyncio.ensure_future(two(second))
        while not await waiting(second):  # noqa: ASYNC110  # only the server knows
            await asyncio.sleep(0.01)
    assert not following.done()
    first.go.set()
    if first.gives_up:
        with pytest.raises(GaveUp):
            await leading
        return None, await following
    return await leading, await following


@pytest.mark.parametrize("end", ["commits", "gives up"])
async def test_the_claim_of_a_key(first: Slow, second: History, at: datetime, end: str) -> None:
    def claim(who: str) -> Step[Any]:
        return lambda history: history.idempotency.claim(
            "t", "k", body_hash=who, instance_id=f"i-{who}", name=who, at=at
        )

    one, two = await race(first, second, claim("a"), claim("b"), end=end)
    if first.gives_up:
        assert two.body_hash == "b"
    else:
        assert one == two
        assert two.body_hash == "a"
    assert await second.idempotency.get("t", "k") == two


@pytest.mark.parametrize("end", ["commits", "gives up"])
async def test_the_issue_of_a_key(first: Slow, second: History, at: datetime, end: str) -> None:
    await second.credentials.arm("i-1", namespace="ns", name="one", token_hash="t")

    def issue(who: str) -> Step[bool]:
        return lambda history: history.credentials.issue_key(
            "i-1", key_hash=who, public_key=who, at=at
        )

    one, two = await race(first, second, issue("a"), issue("b"), end=end)
    assert (one, two) == ((None, True) if first.gives_up else (True, False))
    stored = await second.credentials.get("i-1")
    assert stored is not None
    assert (stored.key_hash, stored.public_key) == (("b", "b") if first.gives_up else ("a", "a"))


async def test_no_key_for_a_token_that_ends_meanwhile(
    first: Slow, second: History, at: datetime
) -> None:
    await second.credentials.arm("i-1", namespace="ns", name="one", token_hash="t")
    _, issued = await race(
        first,
        second,
        lambda history: history.credentials.disarm("i-1", at),
        lambda history: history.credentials.issue_key("i-1", key_hash="k", public_key="p", at=at),
    )
    assert issued is False


@pytest.mark.parametrize(
    ("seqs", "end", "expected"),
    [
        ((5, 4), "commits", StageResult(accepted=False, last_seq=5)),
        ((5, 5), "commits", StageResult(accepted=False, last_seq=5)),
        ((5, 6), "commits", StageResult(accepted=True, last_seq=6)),
        ((5, 4), "gives up", StageResult(accepted=True, last_seq=4)),
    ],
)
async def test_the_order_of_stage_reports(
    first: Slow,
    second: History,
    at: datetime,
    seqs: tuple[int, int],
    end: str,
    expected: StageResult,
) -> None:
    def record(seq: int) -> Step[StageResult]:
        return lambda history: history.stages.record(
            "i-1", stage="booting", seq=seq, level="info", message=f"{seq}", at=at
        )

    _, two = await race(first, second, record(seqs[0]), record(seqs[1]), end=end)
    assert two == expected
    latest = await second.stages.latest("i-1")
    assert latest is not None
    assert latest.seq == expected.last_seq
    kept = [
        seq
        for seq, stays in zip(seqs, (not first.gives_up, expected.accepted), strict=True)
        if stays
    ]
    lines = await second.provision_log.list("i-1")
    assert [(line.seq, line.message) for line in lines] == [
        (n, str(seq)) for n, seq in enumerate(kept, start=1)
    ]


@pytest.mark.parametrize("end", ["commits", "gives up"])
async def test_lines_with_one_key(first: Slow, second: History, at: datetime, end: str) -> None:
    def append(who: str) -> Step[int]:
        return lambda history: history.provision_log.append(
            "i-1", stage="ordered", level="info", message=who, at=at, key="k"
        )

    _, two = await race(first, second, append("a"), append("b"), end=end)
    assert two == 1
    lines = await second.provision_log.list("i-1")
    assert [line.message for line in lines] == ["b" if first.gives_up else "a"]
    again = await second.provision_log.append(
        "i-1", stage="ordered", level="info", message="next", at=at
    )
    assert again == 2


async def test_failures_are_counted_one_by_one(first: Slow, second: History, at: datetime) -> None:
    def poll(history: History) -> Awaitable[None]:
        return history.health.poll("i-1", at=at, ok=False, status=None, error="refused")

    await race(first, second, poll, poll)
    row = await second.health.get("i-1")
    assert row is not None
    assert row.failures == 2


@pytest.mark.parametrize("end", ["commits", "gives up"])
async def test_two_archives_of_one_rollout(
    first: Slow, second: History, at: datetime, end: str
) -> None:
    def archive(state: str) -> Step[None]:
        body = {"metadata": {"name": "r"}, "status": {"state": state}}
        return lambda history: history.rollouts.archive(
            body, [], tenant_id="t", namespace="ns", uid="r-1", at=at
        )

    await race(first, second, archive("a"), archive("b"), end=end)
    found = await second.rollouts.get("r-1")
    assert found is not None
    assert found.rollout["status"]["state"] == "b"
