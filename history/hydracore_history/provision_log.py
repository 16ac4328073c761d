"""The provision log: what happened to an instance on its way from nothing to Ready."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hydracore_history.database import Database
from hydracore_history.records import ProvisionLogEntry
from hydracore_history.tables import ProvisionLogHead, ProvisionLogLine

MAX_MESSAGE = 4096
MAX_LINES = 1000
"""At most so many lines are returned: the newest ones."""


class ProvisionLog:
    """Appends and reads provision log lines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(
        self,
        instance_id: str,
        *,
        stage: str,
        level: str,
        message: str,
        at: datetime,
        key: str | None = None,
    ) -> int:
        """Append one line and return its number; the same ``key`` twice writes once."""
        async with self._database.write() as session:
            entry = ProvisionLogEntry(0, stage, level, message, at)
            return await append_line(self._database, session, instance_id, entry, key)

    async def list(self, instance_id: str) -> list[ProvisionLogEntry]:
        """Return the newest lines, oldest first; none for an unknown instance."""
        query = (
            select(ProvisionLogLine)
            .where(ProvisionLogLine.instance_id == instance_id)
            .order_by(ProvisionLogLine.seq.desc())
            .limit(MAX_LINES)
        )
        async with self._database.read() as session:
            rows = list(await session.scalars(query))
        return [
            ProvisionLogEntry(row.seq, row.stage, row.level, row.message, row.created_at)
            for row in reversed(rows)
        ]


async def append_line(
    database: Database,
    session: AsyncSession,
    instance_id: str,
    entry: ProvisionLogEntry,
    key: str | None,
) -> int:
    """Append a line within a transaction; ``entry.seq`` is ignored, the new number returned."""
    known = await _seq_of(session, instance_id, key)
    if known is not None:
        return known
    statement = database.insert(ProvisionLogHead).values(instance_id=instance_id, last_seq=1)
    statement = statement.on_conflict_do_update(
        index_elements=[ProvisionLogHead.instance_id],
        set_={"last_seq": ProvisionLogHead.last_seq + 1},
    )
    seq: int | None = await session.scalar(statement.returning(ProvisionLogHead.last_seq))
    assert seq is not None  # noqa: S101  # an upsert that updates always returns its row
    # The head's row is locked from here on: look again for a line written in between.
    known = await _seq_of(session, instance_id, key)
    if known is not None:
        head = await session.get_one(ProvisionLogHead, instance_id, populate_existing=True)
        head.last_seq = seq - 1
        return known
    session.add(
        ProvisionLogLine(
            instance_id=instance_id,
            seq=seq,
            stage=entry.stage,
            level=entry.level,
            message=entry.message[:MAX_MESSAGE],
            dedup_key=key,
            created_at=entry.created_at,
        )
    )
    return seq


async def _seq_of(session: AsyncSession, instance_id: str, key: str | None) -> int | None:
    if key is None:
        return None
    return await session.scalar(
        select(ProvisionLogLine.seq).where(
            ProvisionLogLine.instance_id == instance_id, ProvisionLogLine.dedup_key == key
        )
    )
