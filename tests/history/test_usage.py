"""Usage events: stored once, summed up by day, exactly."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from hydracore_history import History, UsageDay, UsageEvent

NOON = datetime(2030, 5, 1, 12, tzinfo=UTC)
TODAY = NOON.date()


def event(id_: str = "e-1", **changes: object) -> UsageEvent:
    base = UsageEvent(id_, NOON, "openai", "small", 10, 5, Decimal("0.000000001"), "u-1")
    return replace(base, **changes)  # type: ignore[arg-type]


async def record(history: History, *events: UsageEvent, instance: str = "i-1") -> int:
    return await history.usage.record(instance, events, namespace="ns", at=NOON)


async def day(history: History, which: date = TODAY, instance: str = "i-1") -> UsageDay:
    (found,) = await history.usage.days(instance, which, which)
    return found


async def test_an_event_counts_once_however_often_it_comes(history: History) -> None:
    assert await record(history, event(), event(input_tokens=99)) == 1
    assert await record(history, event(), event("e-2")) == 1
    assert await day(history) == UsageDay(TODAY, 2, 20, 10, Decimal("0.000000002"))


async def test_the_same_id_of_another_instance_is_another_event(history: History) -> None:
    assert await record(history, event()) == 1
    assert await record(history, event(), instance="i-2") == 1
    assert (await day(history)).requests == (await day(history, instance="i-2")).requests == 1


async def test_a_batch_that_comes_twice_at_once_counts_once(history: History) -> None:
    events = [event(f"e-{n}") for n in range(50)]
    backwards = list(reversed(events))
    taken = await asyncio.gather(*(record(history, *some) for some in (events, backwards) * 4))
    assert sum(taken) == 50
    assert (await day(history)).requests == 50


async def test_days_are_days_of_utc(history: History) -> None:
    late = datetime(2030, 5, 2, 1, 30, tzinfo=UTC).astimezone()
    midnight = datetime(2030, 5, 2, tzinfo=UTC)
    await record(history, event("a", occurred_at=late), event("b", occurred_at=midnight))
    await record(history, event("c", occurred_at=midnight - timedelta(microseconds=1)))
    assert (await day(history, date(2030, 5, 2))).requests == 2
    assert (await day(history, date(2030, 5, 1))).requests == 1


async def test_sums_are_exact_however_the_events_come(history: History) -> None:
    """Against a ledger of our own: random batches with repetitions, over days."""
    chance = random.Random(7)
    ledger: dict[date, list[UsageEvent]] = defaultdict(list)
    events = []
    for number in range(300):
        at = NOON - timedelta(hours=chance.randrange(96))
        cost = Decimal(chance.randrange(10**12)).scaleb(-9)
        events.append(event(f"e-{number}", occurred_at=at, cost_usd=cost))
        ledger[at.date()].append(events[-1])
    for _ in range(20):
        await record(history, *chance.choices(events, k=40))
    await record(history, *events)
    found = await history.usage.days("i-1", TODAY - timedelta(days=9), TODAY)
    assert {one.day: one.cost_usd for one in found} == {
        which: sum((one.cost_usd for one in some), Decimal(0)) for which, some in ledger.items()
    }
    assert sum(one.requests for one in found) == 300


async def test_end_users_are_counted_over_the_whole_window(history: History) -> None:
    yesterday = NOON - timedelta(days=1)
    await record(
        history,
        event("a", end_user_id="u-1"),
        event("b", end_user_id="u-1", occurred_at=yesterday),
        event("c", end_user_id="u-2", occurred_at=yesterday),
        event("d", end_user_id=None),
    )
    assert await history.usage.end_users("i-1", yesterday) == 2
    assert await history.usage.end_users("i-1", NOON) == 1
    assert await history.usage.end_users("i-9", yesterday) == 0


async def test_recent_calls_are_read_from_the_events(history: History) -> None:
    await record(history, event("a"), event("b", provider="anthropic"), event("c"))
    assert await history.usage.recent("i-1", NOON) == {"anthropic": 1, "openai": 2}
    assert await history.usage.recent("i-1", NOON + timedelta(seconds=1)) == {}


async def test_what_cannot_be_kept_exactly_is_refused(history: History) -> None:
    with pytest.raises(ValueError, match="more than 9 decimal places"):
        await record(history, event(cost_usd=Decimal("0.0000000001")))
    assert await history.usage.days("i-1", TODAY, TODAY) == []
