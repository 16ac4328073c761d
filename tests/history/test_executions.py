"""What has begun is remembered once, whoever asks and however often."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from hydracore_history import Execution, History


async def begin(
    history: History, at: datetime, uid: str, *, name: str = "r", spec_hash: str = "h"
) -> Execution:
    return await history.executions.begin(
        kind="Rollout", namespace="ns", name=name, spec_hash=spec_hash, uid=uid, at=at
    )


async def test_the_first_object_stays(history: History, at: datetime) -> None:
    first = await begin(history, at, "r-1")
    assert first == Execution("Rollout", "ns", "r", "h", "r-1", at)
    again = await begin(history, at + timedelta(hours=1), "r-1")
    assert again == first
    other = await begin(history, at + timedelta(hours=2), "r-2")
    assert other == first
    stored = await history.executions.get(kind="Rollout", namespace="ns", name="r", spec_hash="h")
    assert stored == first


async def test_other_work_begins(history: History, at: datetime) -> None:
    await begin(history, at, "r-1")
    assert (await begin(history, at, "r-2", name="s")).uid == "r-2"
    assert (await begin(history, at, "r-3", spec_hash="i")).uid == "r-3"
    key = {"kind": "InstanceAction", "namespace": "ns", "name": "r", "spec_hash": "h"}
    assert await history.executions.get(**key) is None
    assert (await history.executions.begin(**key, uid="a-1", at=at)).uid == "a-1"


async def test_of_many_at_once_one_begins(
    history: History, database_url: str, at: datetime
) -> None:
    other = History(database_url, timeout_seconds=20)
    found = await asyncio.gather(
        *(begin(one, at, f"r-{n}") for n, one in enumerate((history, other) * 6))
    )
    await other.close()
    assert len(set(found)) == 1
