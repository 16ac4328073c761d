"""Idempotency keys: the first claim of a tenant's key decides what it stands for."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from hydracore_history.database import Database
from hydracore_history.records import IdempotencyRecord
from hydracore_history.tables import IdempotencyRow


class Idempotency:
    """Claims keys; a claim is never freed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self,
        tenant_id: str,
        key: str,
        *,
        body_hash: str,
        instance_id: str,
        name: str,
        at: datetime,
    ) -> IdempotencyRecord:
        """Claim a key and return the stored record, whoever won; compare its ``body_hash``."""
        statement = self._database.insert(IdempotencyRow).values(
            tenant_id=tenant_id,
            key=key,
            body_hash=body_hash,
            instance_id=instance_id,
            name=name,
            created_at=at,
        )
        statement = statement.on_conflict_do_nothing(
            index_elements=[IdempotencyRow.tenant_id, IdempotencyRow.key]
        )
        async with self._database.write() as session:
            await session.execute(statement)
            return _record(await session.get_one(IdempotencyRow, (tenant_id, key)))

    async def get(self, tenant_id: str, key: str) -> IdempotencyRecord | None:
        """Return what a key stands for, or None."""
        async with self._database.read() as session:
            row = await session.get(IdempotencyRow, (tenant_id, key))
        return _record(row) if row is not None else None

    async def by_instance(self, instance_id: str) -> IdempotencyRecord | None:
        """Return the claim that chose this instance id, or None."""
        query = select(IdempotencyRow).where(IdempotencyRow.instance_id == instance_id)
        async with self._database.read() as session:
            row = await session.scalar(query)
        return _record(row) if row is not None else None

    async def set_task(self, tenant_id: str, key: str, task_id: str) -> None:
        """Store the uid of the object that the key made, once."""
        statement = (
            update(IdempotencyRow)
            .where(
                IdempotencyRow.tenant_id == tenant_id,
                IdempotencyRow.key == key,
                IdempotencyRow.task_id.is_(None),
            )
            .values(task_id=task_id)
        )
        async with self._database.write() as session:
            await session.execute(statement)


def _record(row: IdempotencyRow) -> IdempotencyRecord:
    return IdempotencyRecord(
        tenant_id=row.tenant_id,
        key=row.key,
        body_hash=row.body_hash,
        instance_id=row.instance_id,
        name=row.name,
        task_id=row.task_id,
        created_at=row.created_at,
    )
