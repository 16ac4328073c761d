"""Wire forms of usage."""

from __future__ import annotations

from pydantic import Field

from hydracore_api.wire import View


class DailyUsage(View):
    """One day (UTC)."""

    date: str = Field(description="YYYY-MM-DD.")
    requests: int
    tokens: int
    cost_usd: str = Field(description="Exact, a decimal number as text.")


class InstanceUsage(View):
    """What an instance's calls of language models took."""

    instance_id: str
    hostname: str | None
    total_requests: int
    total_tokens: int
    total_cost_usd: str = Field(description="The exact sum, a decimal number as text.")
    unique_end_users: int = Field(description="Different ones over all of the days.")
    daily: list[DailyUsage] = Field(description="Every day that was asked for, oldest first.")
