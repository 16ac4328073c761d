"""What webhooks are to be told: recorded before the first attempt, ended once, kept for good."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func, select, update

from hydracore_history.database import Database
from hydracore_history.tables import NotificationRow

Outcome = Literal["delivered", "given_up", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to one webhook of a tenant.

    Attributes:
        id: The same for every attempt and every webhook: what receivers deduplicate by.
        webhook: Its name in the tenant's policy.
        namespace: The tenant's namespace.
        subject_uid: uid of what it tells of: a Rollout, or the policy that named the webhook.
        event: What it tells.
        body: The exact text that is sent and signed.
        created_at: When it was recorded; attempts count from here.
        outcome: ``delivered``, ``given_up`` or ``withdrawn``; None while it is open.
        fault: Why it was given up.
        ended_at: When it ended.
    """

    id: str
    webhook: str
    namespace: str
    subject_uid: str
    event: str
    body: str
    created_at: datetime
    outcome: str | None = None
    fault: str | None = None
    ended_at: datetime | None = None


class Notifications:
    """The outbox of every tenant's webhooks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, notifications: Sequence[Notification]) -> None:
        """Store what is to be told; what was recorded before stays as it is."""
        if not notifications:
            return
        statement = self._database.insert(NotificationRow).on_conflict_do_nothing()
        async with self._database.write() as session:
            await session.execute(statement, [asdict(one) for one in notifications])

    async def open(self, namespace: str, limit: int) -> list[Notification]:
        """Return what has not ended yet, oldest first, at most so many."""
        query = (
            select(NotificationRow)
            .where(NotificationRow.namespace == namespace, NotificationRow.ended_at.is_(None))
            .order_by(NotificationRow.created_at, NotificationRow.id, NotificationRow.webhook)
            .limit(limit)
        )
        async with self._database.read() as session:
            return [_record(row) for row in await session.scalars(query)]

    async def end(
        self, notification: Notification, outcome: Outcome, *, fault: str | None, at: datetime
    ) -> None:
        """Record how it ended; the first outcome stays."""
        statement = (
            update(NotificationRow)
            .where(
                NotificationRow.id == notification.id,
                NotificationRow.webhook == notification.webhook,
                NotificationRow.ended_at.is_(None),
            )
            .values(outcome=outcome, fault=fault, ended_at=at)
        )
        async with self._database.write() as session:
            await session.execute(statement)

    async def since(self, namespace: str, subject_uid: str) -> dict[str, datetime]:
        """Return when each webhook was first to be told of this subject, by its name."""
        query = (
            select(NotificationRow.webhook, func.min(NotificationRow.created_at))
            .where(
                NotificationRow.namespace == namespace, NotificationRow.subject_uid == subject_uid
            )
            .group_by(NotificationRow.webhook)
        )
        async with self._database.read() as session:
            return {row[0]: row[1] for row in await session.execute(query)}

    async def latest(self, namespace: str, webhooks: Collection[str]) -> list[Notification]:
        """Return, of each webhook, what was delivered or given up last."""
        found = []
        async with self._database.read() as session:
            for webhook in webhooks:
                query = (
                    select(NotificationRow)
                    .where(
                        NotificationRow.namespace == namespace,
                        NotificationRow.webhook == webhook,
                        NotificationRow.outcome.in_(("delivered", "given_up")),
                    )
                    .order_by(NotificationRow.ended_at.desc())
                    .limit(1)
                )
                found += [_record(row) for row in await session.scalars(query)]
        return found


def _record(row: NotificationRow) -> Notification:
    return Notification(
        id=row.id,
        webhook=row.webhook,
        namespace=row.namespace,
        subject_uid=row.subject_uid,
        event=row.event,
        body=row.body,
        created_at=row.created_at,
        outcome=row.outcome,
        fault=row.fault,
        ended_at=row.ended_at,
    )
