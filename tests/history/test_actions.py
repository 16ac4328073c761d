"""The archive of InstanceActions."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from hydracore_crds.base import format_time
from hydracore_history import History
from hydracore_history.tables import ArchivedActionRow


def action(n: int, at: datetime, state: str = "succeeded") -> dict[str, Any]:
    created = format_time(at + timedelta(minutes=n))
    return {
        "metadata": {"name": f"a{n}", "uid": f"a-{n}", "creationTimestamp": created},
        "spec": {"instanceName": "one", "action": "reboot"},
        "status": {"state": state},
    }


async def archive(
    history: History, n: int, at: datetime, *, state: str = "succeeded", instance: str = "i-1"
) -> None:
    await history.actions.archive(
        action(n, at, state),
        tenant_id="t",
        namespace="ns",
        uid=f"a-{n}",
        at=at,
        instance_id=instance,
    )


async def rows(history: History) -> int:
    async with history._database.read() as session:
        return await session.scalar(select(func.count()).select_from(ArchivedActionRow)) or 0


async def test_other_content_adds_a_revision_and_the_same_adds_none(
    history: History, at: datetime
) -> None:
    await archive(history, 1, at, state="uncertain")
    await archive(history, 1, at, state="uncertain")
    assert await rows(history) == 1
    assert not await history.actions.holds(action(1, at), uid="a-1")
    await archive(history, 1, at)
    assert await rows(history) == 2
    assert await history.actions.holds(action(1, at), uid="a-1")
    found = await history.actions.get("a-1")
    assert found is not None
    assert (found.name, found.instance_name, found.instance_id) == ("a1", "one", "i-1")
    assert (found.tenant_id, found.namespace) == ("t", "ns")
    assert (found.created_at, found.archived_at) == (at + timedelta(minutes=1), at)
    assert found.wire == action(1, at)


async def test_an_action_that_was_never_archived(history: History, at: datetime) -> None:
    assert await history.actions.get("a-1") is None
    assert not await history.actions.holds(action(1, at), uid="a-1")


async def test_the_newest_come_first(history: History, at: datetime) -> None:
    for n in range(5):
        await archive(history, n, at, instance="i-1" if n % 2 else "i-2")
    page = await history.actions.list("ns", 2, 1)
    assert [one.uid for one in page] == ["a-3", "a-2"]
    mine = await history.actions.list("ns", 9, 0, instance_id="i-1")
    assert [one.uid for one in mine] == ["a-3", "a-1"]
    rest = await history.actions.list("ns", 9, 0, without=["a-4", "a-0"])
    assert [one.uid for one in rest] == ["a-3", "a-2", "a-1"]
    assert await history.actions.list("other", 9, 0) == []


async def test_many_at_once_leave_one_row(
    history: History, database_url: str, at: datetime
) -> None:
    other = History(database_url, timeout_seconds=20)
    await asyncio.gather(*(archive(one, 1, at) for one in (history, other) * 4))
    await other.close()
    assert await rows(history) == 1
