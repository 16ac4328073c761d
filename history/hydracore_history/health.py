"""The last heartbeat and the last poll of each agent: what changes too often for a resource."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from hydracore_history.database import Database
from hydracore_history.records import HealthRow
from hydracore_history.tables import HealthTable

MAX_ERROR = 2048
_CHUNK = 500


class Health:
    """Stores heartbeats and polls; one row for each instance."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def heartbeat(
        self,
        instance_id: str,
        *,
        at: datetime,
        versions: dict[str, Any],
        health_status: str,
        uptime_seconds: int,
    ) -> None:
        """Store what an agent said of itself when it called in."""
        fresh = {
            "last_heartbeat": at,
            "versions": versions,
            "versions_reported_at": at,
            "health_status": health_status,
            "uptime_seconds": uptime_seconds,
        }
        await self._upsert(instance_id, {"failures": 0, **fresh}, fresh)

    async def poll(
        self,
        instance_id: str,
        *,
        at: datetime,
        ok: bool,
        status: dict[str, Any] | None,
        error: str | None,
    ) -> None:
        """Store the outcome of asking an agent; failures in a row are counted, a success ends them.

        A failed poll keeps the last good ``status``.
        """
        if ok:
            fresh: dict[str, Any] = {
                "failures": 0,
                "last_poll_at": at,
                "last_status": status,
                "last_error": None,
            }
            await self._upsert(instance_id, fresh, fresh)
            return
        text = (error or "no answer")[:MAX_ERROR]
        first = {"failures": 1, "last_poll_at": at, "last_error": text}
        again = {**first, "failures": HealthTable.failures + 1}
        await self._upsert(instance_id, first, again)

    async def get(self, instance_id: str) -> HealthRow | None:
        """Return an instance's row, or None."""
        return (await self.get_many([instance_id])).get(instance_id)

    async def get_many(self, instance_ids: Sequence[str]) -> dict[str, HealthRow]:
        """Return the rows of these instances by id; unknown ones are left out."""
        found: dict[str, HealthRow] = {}
        async with self._database.read() as session:
            for start in range(0, len(instance_ids), _CHUNK):
                some = instance_ids[start : start + _CHUNK]
                query = select(HealthTable).where(HealthTable.instance_id.in_(some))
                found.update(
                    {row.instance_id: _record(row) for row in await session.scalars(query)}
                )
        return found

    async def remove(self, instance_id: str) -> None:
        """Forget an instance's row; unknown ones are no error."""
        async with self._database.write() as session:
            await session.execute(delete(HealthTable).where(HealthTable.instance_id == instance_id))

    async def _upsert(self, instance_id: str, new: dict[str, Any], change: dict[str, Any]) -> None:
        statement = self._database.insert(HealthTable).values(instance_id=instance_id, **new)
        statement = statement.on_conflict_do_update(
            index_elements=[HealthTable.instance_id], set_=change
        )
        async with self._database.write() as session:
            await session.execute(statement)


def _record(row: HealthTable) -> HealthRow:
    return HealthRow(
        instance_id=row.instance_id,
        failures=row.failures,
        last_heartbeat=row.last_heartbeat,
        versions=row.versions,
        versions_reported_at=row.versions_reported_at,
        health_status=row.health_status,
        uptime_seconds=row.uptime_seconds,
        last_poll_at=row.last_poll_at,
        last_status=row.last_status,
        last_error=row.last_error,
    )
