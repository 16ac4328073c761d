"""The ledger's compare-and-swap."""

from __future__ import annotations

import asyncio

import pytest

from hydracore_kube import Unavailable
from hydracore_operator.rollouts.ledger import Ledger, LedgerMovedError, ledger_name
from tests.operator.rollouts.fakes import FakeKube
from tests.operator.rollouts.test_entries import entry


def ledger(kube: FakeKube) -> Ledger:
    return Ledger(kube, operator_namespace="sys", namespace="acme", namespace_uid="u1")


async def test_an_absent_ledger_is_empty_and_made_by_the_first_claim() -> None:
    kube = FakeKube()
    mine = ledger(kube)
    await mine.load()
    assert len(mine) == 0
    assert kube.raw == {}
    await mine.write(claims={"a": entry(1)}, limit=2)
    assert set(kube.raw["sys", ledger_name("u1")]["data"]) == {"a"}


async def test_nothing_is_written_where_nothing_changes() -> None:
    kube = FakeKube()
    mine = ledger(kube)
    await mine.load()
    await mine.write(claims={}, frees={"x"}, limit=2)
    assert kube.writes.total() == 0


async def test_a_faster_writer_means_plan_again_with_the_new_content() -> None:
    kube = FakeKube()
    mine, other = ledger(kube), ledger(kube)
    await mine.load()
    await other.load()
    await other.write(claims={"a": entry(1)}, limit=1)
    with pytest.raises(LedgerMovedError):
        await mine.write(claims={"b": entry(2)}, limit=1)
    assert set(mine.entries) == {"a"}
    changed = await mine.write(claims={"b": entry(2)}, limit=1)
    assert set(changed.refused) == {"b"}


async def test_many_writers_never_exceed_the_limit() -> None:
    kube = FakeKube()
    writers = [ledger(kube) for _ in range(8)]
    for writer in writers:
        await writer.load()

    async def claim(writer: Ledger, number: int) -> None:
        for step in range(10):
            task = f"t{number}-{step}"
            try:
                await writer.write(claims={task: entry(number * 100 + step)}, limit=3)
            except LedgerMovedError:
                continue
            assert len(writer) <= 3
            await writer.write(claims={}, frees={task}, limit=3) if task in writer.entries else None

    async def guarded(writer: Ledger, number: int) -> None:
        try:
            await claim(writer, number)
        except LedgerMovedError:
            return

    most = 0

    async def look(_verb: str, _name: str) -> None:
        nonlocal most
        most = max(most, len(kube.raw["sys", ledger_name("u1")]["data"]))

    kube.after = look
    await asyncio.gather(*(guarded(w, n) for n, w in enumerate(writers)))
    assert 0 < most <= 3


async def test_after_a_lost_answer_it_is_read_again_and_claims_are_doubtful() -> None:
    kube = FakeKube()
    mine = ledger(kube)
    await mine.load()

    async def lose(_verb: str, _name: str) -> None:
        raise Unavailable("the answer was lost")

    kube.after = lose
    with pytest.raises(Unavailable):
        await mine.write(claims={"a": entry(1)}, limit=2)
    assert not mine.loaded
    assert mine.doubtful == {"a"}
    await mine.load()
    assert set(mine.entries) == {"a"}


async def test_a_deleted_ledger_is_noticed() -> None:
    kube = FakeKube()
    mine = ledger(kube)
    await mine.load()
    await mine.write(claims={"a": entry(1)}, limit=2)
    kube.raw.clear()
    with pytest.raises(LedgerMovedError):
        await mine.write(claims={"b": entry(2)}, limit=2)
    assert len(mine) == 0


async def test_a_ledger_that_cannot_be_read_has_no_free_slots() -> None:
    kube = FakeKube()
    mine = ledger(kube)
    await mine.load()
    await mine.write(claims={"a": entry(1)}, limit=2)
    kube.raw["sys", ledger_name("u1")]["data"]["b"] = "scribble"
    with pytest.raises(ValueError, match=r"(?s)ConfigMap sys/slots-u1 .*'b'.* delete that key"):
        await mine.load()
    assert not mine.loaded
