"""The log of transitions: what happened to rollouts and their targets, when, and by whom."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, fields

from sqlalchemy import select

from hydracore_history.database import Database
from hydracore_history.records import TransitionRecord
from hydracore_history.tables import TransitionRow

BATCH = 500
"""So many are stored in one transaction, so that other writers get their turn."""

_FIELDS = tuple(one.name for one in fields(TransitionRecord))


class Transitions:
    """Appends and reads steps. Each is told as often as it takes, and stands there once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, records: Sequence[TransitionRecord]) -> None:
        """Store steps; those that are there already (uid, seq and time) stay as they are."""
        statement = self._database.insert(TransitionRow).on_conflict_do_nothing()
        # In one order for all, so that two who tell the same at once do not wait for each other.
        ordered = sorted(records, key=lambda one: (one.uid, one.seq, one.at))
        for start in range(0, len(ordered), BATCH):
            rows = [asdict(one) for one in ordered[start : start + BATCH]]
            async with self._database.write() as session:
                await session.execute(statement, rows)

    async def missing(
        self, rollout_uid: str, records: Collection[TransitionRecord]
    ) -> list[TransitionRecord]:
        """Return those of some steps of one rollout and its targets that are not stored."""
        query = select(TransitionRow.uid, TransitionRow.seq, TransitionRow.at).where(
            TransitionRow.rollout_uid == rollout_uid
        )
        async with self._database.read() as session:
            stored = {tuple(row) for row in await session.execute(query)}
        return [one for one in records if (one.uid, one.seq, one.at) not in stored]

    async def of_rollout(self, rollout_uid: str) -> list[TransitionRecord]:
        """Return the steps of a rollout and its targets, oldest first."""
        columns = [getattr(TransitionRow, name) for name in _FIELDS]
        query = (
            select(*columns)
            .where(TransitionRow.rollout_uid == rollout_uid)
            .order_by(TransitionRow.at, TransitionRow.uid, TransitionRow.seq)
        )
        async with self._database.read() as session:
            return [TransitionRecord(*row) for row in await session.execute(query)]
