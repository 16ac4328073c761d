"""Rules of usage: days are days of UTC, today is the last one, and none is left out."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from hydracore_api.auth.principal import Principal
from hydracore_api.instances.lookup import find
from hydracore_api.services import Services
from hydracore_api.usage.schemas import DailyUsage, InstanceUsage
from hydracore_history import UsageDay


async def usage(services: Services, principal: Principal, id_: str, days: int) -> InstanceUsage:
    """Return an instance's usage.

    Args:
        services: The services.
        principal: Who asks.
        id_: The instance.
        days: How many days, today's included.

    Raises:
        NotFound: There is no such instance.
    """
    instance = await find(services, principal, id_)
    last = services.now().astimezone(UTC).date()
    first = last - timedelta(days=days - 1)
    found = await services.history.usage.days(id_, first, last)
    users = await services.history.usage.end_users(
        id_, datetime.combine(first, time.min, tzinfo=UTC)
    )
    return InstanceUsage(
        instance_id=id_,
        hostname=instance.status.hostname,
        total_requests=sum(one.requests for one in found),
        total_tokens=sum(_tokens(one) for one in found),
        total_cost_usd=money(sum((one.cost_usd for one in found), Decimal(0))),
        unique_end_users=users,
        daily=_filled(found, first, days),
    )


def money(cost: Decimal) -> str:
    """Return an amount as text, without an exponent and without needless zeros."""
    return format(cost.normalize(), "f")


def _filled(found: list[UsageDay], first: date, days: int) -> list[DailyUsage]:
    known = {one.day: one for one in found}
    shown = []
    for place in range(days):
        day = first + timedelta(days=place)
        one = known.get(day) or UsageDay(day, 0, 0, 0, Decimal(0))
        shown.append(
            DailyUsage(
                date=day.isoformat(),
                requests=one.requests,
                tokens=_tokens(one),
                cost_usd=money(one.cost_usd),
            )
        )
    return shown


def _tokens(one: UsageDay) -> int:
    return one.input_tokens + one.output_tokens
