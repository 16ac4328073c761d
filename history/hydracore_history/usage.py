"""Usage events: what agents' calls of language models took, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from sqlalchemy import distinct, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hydracore_history.database import Database
from hydracore_history.event_tables import UsageDayRow, UsageEventRow

NANO_PLACES = 9
"""Decimal places of money that are kept."""

_SUMMED = ("requests", "input_tokens", "output_tokens", "cost_nano_usd")


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """One call of a language model.

    Attributes:
        event_id: Of the agent's making; the same one again is the same event.
        occurred_at: When, aware.
        provider: Whose model.
        model: Its name there.
        input_tokens: How many were sent.
        output_tokens: How many came back.
        cost_usd: In dollars, with at most nine decimal places.
        end_user_id: For whom, where that is known.
    """

    event_id: str
    occurred_at: datetime
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    end_user_id: str | None = None


@dataclass(frozen=True, slots=True)
class UsageDay:
    """The sums of a day (UTC); ``cost_usd`` is exact."""

    day: date
    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal


class UsageLog:
    """Stores usage events once, and sums them up by day in the same transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(
        self, instance_id: str, events: Sequence[UsageEvent], *, namespace: str, at: datetime
    ) -> int:
        """Store events; those that are known already are left as they are.

        Args:
            instance_id: Whose they are.
            events: In any order; of several with one id the first counts.
            namespace: The tenant's namespace.
            at: When they came in, aware.

        Returns:
            How many were new.

        Raises:
            ValueError: A cost has more than nine decimal places.
        """
        unique = {event.event_id: event for event in reversed(events)}
        # In one order, so that two batches with the same events cannot wait for each other.
        found = [unique[key] for key in sorted(unique)]
        if not found:
            return 0
        statement = (
            self._database.insert(UsageEventRow)
            .values(
                [
                    {
                        "instance_id": instance_id,
                        "event_id": event.event_id,
                        "namespace": namespace,
                        "occurred_at": event.occurred_at,
                        "ingested_at": at,
                        "provider": event.provider,
                        "model": event.model,
                        "input_tokens": event.input_tokens,
                        "output_tokens": event.output_tokens,
                        "cost_nano_usd": _nano(event.cost_usd),
                        "end_user_id": event.end_user_id,
                    }
                    for event in found
                ]
            )
            .on_conflict_do_nothing(
                index_elements=[UsageEventRow.instance_id, UsageEventRow.event_id]
            )
            .returning(UsageEventRow.event_id)
        )
        async with self._database.write() as session:
            new = set(await session.scalars(statement))
            await self._add(session, instance_id, [one for one in found if one.event_id in new])
        return len(new)

    async def days(self, instance_id: str, first: date, last: date) -> list[UsageDay]:
        """Return the days from ``first`` to ``last`` that have any usage, in their order."""
        query = (
            select(UsageDayRow)
            .where(UsageDayRow.instance_id == instance_id, UsageDayRow.day.between(first, last))
            .order_by(UsageDayRow.day)
        )
        async with self._database.read() as session:
            return [
                UsageDay(
                    day=row.day,
                    requests=row.requests,
                    input_tokens=row.input_tokens,
                    output_tokens=row.output_tokens,
                    cost_usd=Decimal(row.cost_nano_usd).scaleb(-NANO_PLACES),
                )
                for row in await session.scalars(query)
            ]

    async def end_users(self, instance_id: str, since: datetime) -> int:
        """Return how many different end users have caused usage since then."""
        query = select(func.count(distinct(UsageEventRow.end_user_id))).where(
            UsageEventRow.instance_id == instance_id, UsageEventRow.occurred_at >= since
        )
        async with self._database.read() as session:
            return await session.scalar(query) or 0

    async def recent(self, instance_id: str, since: datetime) -> dict[str, int]:
        """Return how many calls each provider has had since then, from the events themselves."""
        query = (
            select(UsageEventRow.provider, func.count().label("calls"))
            .where(UsageEventRow.instance_id == instance_id, UsageEventRow.occurred_at >= since)
            .group_by(UsageEventRow.provider)
            .order_by(UsageEventRow.provider)
        )
        async with self._database.read() as session:
            rows = await session.execute(query)
            return {row.provider: row.calls for row in rows}

    async def _add(
        self, session: AsyncSession, instance_id: str, events: Sequence[UsageEvent]
    ) -> None:
        for day, sums in sorted(_sums(events).items()):
            insert = self._database.insert(UsageDayRow).values(
                instance_id=instance_id, day=day, **dict(zip(_SUMMED, sums, strict=True))
            )
            fresh = insert.excluded
            added = {name: getattr(UsageDayRow, name) + fresh[name] for name in _SUMMED}
            keys = [UsageDayRow.instance_id, UsageDayRow.day]
            await session.execute(insert.on_conflict_do_update(index_elements=keys, set_=added))


def _sums(events: Sequence[UsageEvent]) -> dict[date, list[int]]:
    found: dict[date, list[int]] = {}
    for event in events:
        sums = found.setdefault(event.occurred_at.astimezone(UTC).date(), [0, 0, 0, 0])
        parts = (1, event.input_tokens, event.output_tokens, _nano(event.cost_usd))
        for place, part in enumerate(parts):
            sums[place] += part
    return found


def _nano(cost: Decimal) -> int:
    scaled = cost.scaleb(NANO_PLACES)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{cost} has more than {NANO_PLACES} decimal places")
    return int(scaled)
