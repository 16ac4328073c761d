"""The log of transitions: what happened to rollouts and their targets, when, and by whom."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from sqlalchemy import Index, Integer, String, select
from sqlalchemy.orm import Mapped, mapped_column

from hydracore_history.columns import FreeText
from hydracore_history.database import Database
from hydracore_history.tables import APPEND_ONLY, Base

BATCH = 500
"""So many are stored in one transaction, so that other writers get their turn."""


class TransitionRow(Base):
    """One step in the life of a Rollout or RolloutTarget, and who took it.

    The time is part of the key: an object that came back from a backup may count anew.
    """

    __tablename__ = "transitions"
    __table_args__ = (
        Index("ix_transitions_rollout_uid", "rollout_uid"),
        Index("ix_transitions_namespace_at", "namespace", "at"),
        APPEND_ONLY,
    )

    uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(63))
    rollout_uid: Mapped[str] = mapped_column(String(64))
    tenant_id: Mapped[str] = mapped_column(String(63))
    namespace: Mapped[str] = mapped_column(String(63))
    name: Mapped[str] = mapped_column(String(63))
    event: Mapped[str] = mapped_column(String(63))
    state: Mapped[str] = mapped_column(String(63))
    actor: Mapped[str] = mapped_column(FreeText)
    attempt: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str | None] = mapped_column(String(63))
    message: Mapped[str | None] = mapped_column(FreeText)


@dataclass(frozen=True, slots=True)
class TransitionRecord:
    """One step in the life of a Rollout or RolloutTarget.

    Attributes:
        uid: ``metadata.uid`` of the object.
        seq: Its number in the object's trail.
        at: When it was taken, to the millisecond.
        kind: ``Rollout`` or ``RolloutTarget``.
        rollout_uid: The rollout that it belongs to; of a Rollout itself, its uid.
        tenant_id: The tenant.
        namespace: The tenant's namespace then.
        name: The object's name.
        event: What happened (:data:`hydracore_crds.transition.TransitionEvent`).
        state: The state that followed.
        actor: Who did it.
        attempt: Of a target; None for a rollout.
        reason: Reason of the condition that came with it, if any.
        message: What there was to say, if anything.
    """

    uid: str
    seq: int
    at: datetime
    kind: str
    rollout_uid: str
    tenant_id: str
    namespace: str
    name: str
    event: str
    state: str
    actor: str
    attempt: int | None = None
    reason: str | None = None
    message: str | None = None


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
