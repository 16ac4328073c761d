"""Stage reports of servers that are being set up; only a higher number than the last counts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import case, delete

from hydracore_history.database import Database
from hydracore_history.provision_log import MAX_MESSAGE, append_line
from hydracore_history.records import ProvisionLogEntry, StageReport, StageResult
from hydracore_history.tables import StageRow


class Stages:
    """Records stage reports and returns the newest one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(
        self,
        instance_id: str,
        *,
        stage: str,
        seq: int,
        level: str,
        message: str,
        at: datetime,
    ) -> StageResult:
        """Store a report, unless it is stale, and a provision log line if it says anything new."""
        text = message[:MAX_MESSAGE]
        fresh = {"stage": stage, "seq": seq, "level": level, "message": text}
        statement = self._database.insert(StageRow).values(
            instance_id=instance_id, since=at, **fresh
        )
        begun = case((StageRow.stage == stage, StageRow.since), else_=at)
        statement = statement.on_conflict_do_update(
            index_elements=[StageRow.instance_id],
            set_={**fresh, StageRow.since: begun},
            where=StageRow.seq < seq,
        )
        async with self._database.write() as session:
            before = await session.get(StageRow, instance_id)
            known = before and (before.stage, before.level, before.message)
            stored = await session.scalar(statement.returning(StageRow.seq))
            if stored is None:
                row = await session.get_one(StageRow, instance_id, populate_existing=True)
                return StageResult(accepted=False, last_seq=row.seq)
            if known != (stage, level, text):
                entry = ProvisionLogEntry(0, stage, level, text, at)
                await append_line(self._database, session, instance_id, entry, None)
        return StageResult(accepted=True, last_seq=seq)

    async def latest(self, instance_id: str) -> StageReport | None:
        """Return the newest report, or None."""
        async with self._database.read() as session:
            return report_of(await session.get(StageRow, instance_id))

    async def remove(self, instance_id: str) -> None:
        """Forget an instance's newest report; its provision log stays."""
        async with self._database.write() as session:
            await session.execute(delete(StageRow).where(StageRow.instance_id == instance_id))


def report_of(row: StageRow | None) -> StageReport | None:
    """Return what a row says; None without one."""
    if row is None:
        return None
    return StageReport(row.instance_id, row.stage, row.seq, row.level, row.message, row.since)
