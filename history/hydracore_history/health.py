"""The last heartbeat and the last poll of each agent: what changes too often for a resource."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, func, select

from hydracore_history import poll_rows
from hydracore_history.database import Database
from hydracore_history.records import DeepHealthReport, HealthRow, PollRecord
from hydracore_history.tables import HealthTable

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
        """Store what an agent said of itself when it called in.

        The manifest and ``versions_changed_at`` are only written where the manifest is another;
        ``versions_reported_at`` says how fresh it is.
        """
        new = {
            "instance_id": instance_id,
            "failures": 0,
            "last_heartbeat": at,
            "versions": versions,
            "versions_digest": _digest(versions),
            "versions_reported_at": at,
            "versions_changed_at": at,
            "health_status": health_status,
            "uptime_seconds": uptime_seconds,
        }
        insert = self._database.insert(HealthTable)
        fresh = insert.excluded
        same = HealthTable.versions_digest == fresh.versions_digest
        statement = insert.on_conflict_do_update(
            index_elements=[HealthTable.instance_id],
            set_={
                "last_heartbeat": fresh.last_heartbeat,
                "versions": case((same, HealthTable.versions), else_=fresh.versions),
                "versions_digest": fresh.versions_digest,
                "versions_reported_at": fresh.versions_reported_at,
                "versions_changed_at": case(
                    (same, HealthTable.versions_changed_at), else_=fresh.versions_changed_at
                ),
                "health_status": fresh.health_status,
                "uptime_seconds": fresh.uptime_seconds,
            },
        )
        async with self._database.write() as session:
            await session.execute(statement, [new])

    async def poll(
        self,
        instance_id: str,
        *,
        at: datetime,
        ok: bool,
        status: dict[str, Any] | None,
        error: str | None,
    ) -> None:
        """Store the outcome of asking one agent; see :meth:`polls`."""
        answered = status if ok else None
        text = None if ok else error or "no answer"
        failures = 0 if ok else 1
        record = PollRecord(instance_id, at, answered, text, failures, answered=ok)
        await self.polls([record])

    async def polls(
        self, records: Sequence[PollRecord], deep: Sequence[DeepHealthReport] = ()
    ) -> None:
        """Store what became of many polls in one transaction.

        Failures in a row are counted, a success ends them. A failed poll keeps the last good
        status, a failed examination the last report.

        Args:
            records: At most one for each instance.
            deep: Likewise.
        """
        dialect = self._database.dialect
        groups = [
            (poll_rows.statement(dialect, on_top=on_top), poll_rows.rows(some, dialect))
            for on_top in (False, True)
            if (some := [one for one in records if one.answered is not on_top])
        ]
        reports = sorted((_deep_values(one) for one in deep), key=_by_id)
        if not groups and not reports:
            return
        async with self._database.write() as session:
            for statement, rows in groups:
                await session.execute(statement, {"rows": rows})
            if reports:
                await session.execute(self._deep_statement(), reports)

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

    def _deep_statement(self) -> Any:
        insert = self._database.insert(HealthTable)
        fresh = insert.excluded
        return insert.on_conflict_do_update(
            index_elements=[HealthTable.instance_id],
            set_={
                "deep_health": func.coalesce(fresh.deep_health, HealthTable.deep_health),
                "deep_health_at": func.coalesce(fresh.deep_health_at, HealthTable.deep_health_at),
                "deep_health_error": fresh.deep_health_error,
            },
        )


def _deep_values(report: DeepHealthReport) -> dict[str, Any]:
    return {
        "instance_id": report.instance_id,
        "failures": 0,
        "deep_health": report.report,
        "deep_health_at": report.at if report.report is not None else None,
        "deep_health_error": poll_rows.bounded(report.error),
    }


def _by_id(values: Mapping[str, Any]) -> str:
    return str(values["instance_id"])


def _digest(versions: dict[str, Any]) -> str:
    plain = json.dumps(versions, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def _record(row: HealthTable) -> HealthRow:
    return HealthRow(
        instance_id=row.instance_id,
        failures=row.failures,
        last_heartbeat=row.last_heartbeat,
        versions=row.versions,
        versions_reported_at=row.versions_reported_at,
        versions_changed_at=row.versions_changed_at,
        health_status=row.health_status,
        uptime_seconds=row.uptime_seconds,
        last_poll_at=row.last_poll_at,
        last_status=row.last_status,
        last_error=row.last_error,
        latency_ms=row.latency_ms,
        deep_health=row.deep_health,
        deep_health_at=row.deep_health_at,
        deep_health_error=row.deep_health_error,
    )
