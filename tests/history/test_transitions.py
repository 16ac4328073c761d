"""The log of transitions: everything once, however often and by whomever it is told."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from hydracore_history import History
from hydracore_history.transitions import BATCH
from tests.history.steps import step

SECOND = timedelta(seconds=1)


async def test_what_is_told_again_stands_there_once(history: History, at: datetime) -> None:
    told = [step("r-1", 0, at), step("r-1", 1, at + SECOND)]
    await history.transitions.record(told)
    await history.transitions.record([*told, step("r-1", 2, at + 2 * SECOND)])
    found = await history.transitions.of_rollout("r-1")
    assert [(one.seq, one.at) for one in found] == [(n, at + n * SECOND) for n in range(3)]
    assert found[0] == told[0]


async def test_the_first_to_tell_a_step_is_believed(history: History, at: datetime) -> None:
    await history.transitions.record([step("r-1", 1, at, actor="operator")])
    await history.transitions.record([step("r-1", 1, at, actor="somebody else")])
    assert [one.actor for one in await history.transitions.of_rollout("r-1")] == ["operator"]


async def test_an_object_that_counts_anew_after_a_restore_loses_nothing(
    history: History, at: datetime
) -> None:
    before, after = step("r-1", 1, at), step("r-1", 1, at + SECOND, event="cancelled")
    await history.transitions.record([before])
    await history.transitions.record([after])
    assert await history.transitions.of_rollout("r-1") == [before, after]


async def test_targets_are_found_by_their_rollout_and_others_are_not(
    history: History, at: datetime
) -> None:
    mine = step("t-1", 1, at + SECOND, kind="RolloutTarget", rollout_uid="r-1", attempt=2)
    await history.transitions.record([step("r-1", 0, at), mine, step("r-2", 0, at)])
    assert await history.transitions.of_rollout("r-1") == [step("r-1", 0, at), mine]


async def test_what_is_missing_is_known_to_the_millisecond(history: History, at: datetime) -> None:
    stored, other = step("r-1", 1, at), step("r-1", 1, at + timedelta(milliseconds=1))
    await history.transitions.record([stored])
    assert await history.transitions.missing("r-1", [stored, other]) == [other]


async def test_more_than_one_batch_is_stored_whole(history: History, at: datetime) -> None:
    many = [step("r-1", n, at + n * SECOND) for n in range(BATCH + 1)]
    await history.transitions.record(many)
    assert await history.transitions.missing("r-1", many) == []
    await history.transitions.record([])


async def test_two_leaders_may_tell_the_same_at_once(
    history: History, database_url: str, at: datetime
) -> None:
    other = History(database_url, timeout_seconds=20)
    told = [step("r-1", n, at + n * SECOND) for n in range(50)]
    backwards = told[::-1]
    await asyncio.gather(
        *(one.transitions.record(told) for one in (history, other)),
        *(one.transitions.record(backwards) for one in (history, other)),
    )
    await other.close()
    assert await history.transitions.of_rollout("r-1") == told


async def test_what_cannot_be_stored_is_replaced(history: History, at: datetime) -> None:
    await history.transitions.record([step("r-1", 1, at, message="a\0b\ud800")])
    found = await history.transitions.of_rollout("r-1")
    assert found[0].message == "a\ufffdb\ufffd"
