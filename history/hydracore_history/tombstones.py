"""Tombstones: what is kept of a deleted Instance, written before its finalizer is released."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hydracore_history.database import Database
from hydracore_history.records import Tombstone
from hydracore_history.tables import TombstoneRow


class Tombstones:
    """Stores tombstones; the first one of an instance stays."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(
        self,
        instance_id: str,
        *,
        tenant_id: str,
        namespace: str,
        name: str,
        customer_id: str | None,
        snapshot: dict[str, Any],
        deleted_at: datetime,
    ) -> None:
        """Store a tombstone; repeating it changes nothing."""
        statement = self._database.insert(TombstoneRow).values(
            instance_id=instance_id,
            tenant_id=tenant_id,
            namespace=namespace,
            name=name,
            customer_id=customer_id,
            snapshot=snapshot,
            deleted_at=deleted_at,
        )
        async with self._database.write() as session:
            await session.execute(statement.on_conflict_do_nothing())

    async def get(self, instance_id: str) -> Tombstone | None:
        """Return an instance's tombstone, or None."""
        async with self._database.read() as session:
            row = await session.get(TombstoneRow, instance_id)
        if row is None:
            return None
        return Tombstone(
            instance_id=row.instance_id,
            tenant_id=row.tenant_id,
            namespace=row.namespace,
            name=row.name,
            customer_id=row.customer_id,
            snapshot=row.snapshot,
            deleted_at=row.deleted_at,
        )
