"""Outcomes of polls on their way into SQL: collected, and stored many at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
import structlog

from hydracore_agentclient import AgentStatus
from hydracore_history import DeepHealthReport, HistoryError, PollRecord
from hydracore_history.health import Health
from hydracore_operator.clock import Clock

FLUSH_SECONDS = 1.0
"""Longest that an outcome waits: what SQL says about an agent is at most so much older."""
FLUSH_ROWS = 500
"""So many are stored at once; when that many wait, at once."""
TICKING = {"uptime_seconds", "active_connections"}
"""Fields of a status that change by themselves. They are not stored: the rest is the same for days,
so that most polls are a few numbers in SQL."""
REPEAT_SECONDS = 300.0
"""After so long a status is stored again though it says nothing new: the row may have been lost or
replaced by somebody else, such as a leader whose last write came late."""
AWAY_SECONDS = 10.0
"""After SQL was away, it is tried again so much later."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Waiting:
    """What became of one agent's polls since they were last stored."""

    at: datetime
    status: AgentStatus | None = None
    latency: float | None = None
    error: str | None = None
    failures: int = 0
    answered: bool = False


@dataclass(slots=True)
class _Kept:
    """What SQL has been told last: the object, a digest of what is stored of it, and when."""

    status: AgentStatus
    digest: int
    at: float


class Recorder:
    """One waiting record for each instance, the latest; so it is bounded by their number.

    While SQL is away records wait on: failures go on being counted, and the latest of each
    instance is stored when it is back.

    Args:
        health: Where they go.
        clock: Time.
    """

    def __init__(self, health: Health, clock: Clock) -> None:
        self._health = health
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}
        self._deep: dict[str, DeepHealthReport] = {}
        self._gone: set[str] = set()
        self._kept: dict[str, _Kept] = {}
        self._enough = asyncio.Event()
        self._away = False
        self._stopping = False
        self.stored = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._deep)

    @property
    def away(self) -> bool:
        """Whether SQL could not be reached the last time."""
        return self._away

    def answered(self, instance_id: str, at: datetime, status: AgentStatus, took: float) -> None:
        """Note a good answer and how many seconds it took."""
        self._waiting[instance_id] = _Waiting(at, status, took, answered=True)
        self._noted()

    def failed(self, instance_id: str, at: datetime, error: str) -> None:
        """Note a poll that failed."""
        waiting = self._waiting.setdefault(instance_id, _Waiting(at))
        waiting.at, waiting.error = at, error
        waiting.failures += 1
        self._noted()

    def examined(self, report: DeepHealthReport) -> None:
        """Note what an agent found when it examined itself."""
        self._deep[report.instance_id] = report
        self._noted()

    def forget(self, instance_id: str) -> None:
        """Drop what waits of an instance that is gone, so that its row does not come back."""
        self._waiting.pop(instance_id, None)
        self._deep.pop(instance_id, None)
        self._kept.pop(instance_id, None)
        self._gone.add(instance_id)

    async def run(self) -> None:
        """Store until :meth:`stop`, and then what still waits."""
        while not self._stopping:
            await self._rest(AWAY_SECONDS if self._away else FLUSH_SECONDS)
            await self.flush()
        await self.flush()  # what came while the one before was being stored

    def stop(self) -> None:
        """Let :meth:`run` end; a cancellation would break off what is being stored."""
        self._stopping = True
        self._enough.set()

    async def flush(self) -> None:
        """Store all that waits. Where SQL is away, it waits on."""
        self._gone.clear()
        while self._waiting or self._deep:
            some = {key: self._waiting.pop(key) for key in list(self._waiting)[:FLUSH_ROWS]}
            deep = {key: self._deep.pop(key) for key in list(self._deep)[:FLUSH_ROWS]}
            records = [_record(key, one, self._news(key, one)) for key, one in some.items()]
            try:
                await self._health.polls(records, list(deep.values()))
            except HistoryError as error:
                self._kept.clear()  # what it had taken may be lost with it
                self._put_back(some, deep)
                if not self._away:
                    log.warning("health_not_stored", waiting=len(self), error=str(error))
                self._away = True
                return
            except Exception:
                # Not stored again and again: it would stand in the way of all others.
                log.exception("health_not_stored", lost=len(some) + len(deep))
                self._kept.clear()
                return
            self.stored += len(records)
            if self._away:
                log.info("health_stored_again", rows=len(records))
            self._away = False

    def _put_back(self, some: dict[str, _Waiting], deep: dict[str, DeepHealthReport]) -> None:
        """Have them wait again, under what was noted meanwhile."""
        for key, older in some.items():
            if key not in self._gone:
                newer = self._waiting.get(key)
                self._waiting[key] = older if newer is None else _merged(older, newer)
        for key, report in deep.items():
            if key not in self._gone:
                self._deep.setdefault(key, report)

    def _news(self, key: str, waiting: _Waiting) -> dict[str, Any] | None:
        """Return the status if it says anything that SQL does not know from this process."""
        if waiting.status is None:
            return None
        status, now = waiting.status, self._clock.monotonic()
        kept = self._kept.get(key)
        if kept is not None and now - kept.at >= REPEAT_SECONDS:
            kept = None
        if kept is not None and kept.status is status:
            return None
        text = status.model_dump_json(by_alias=True, exclude_none=True, exclude=TICKING)
        digest = hash(text)
        if kept is not None and kept.digest == digest:
            kept.status = status
            return None
        self._kept[key] = _Kept(status, digest, now)
        found: dict[str, Any] = orjson.loads(text)
        return found

    def _noted(self) -> None:
        if len(self._waiting) >= FLUSH_ROWS and not self._away:
            self._enough.set()

    async def _rest(self, seconds: float) -> None:
        if len(self._waiting) < FLUSH_ROWS and not self._stopping:
            self._enough.clear()
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        enough = asyncio.ensure_future(self._enough.wait())
        try:
            await asyncio.wait({sleeping, enough}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            enough.cancel()


def _merged(older: _Waiting, newer: _Waiting) -> _Waiting:
    if newer.answered:
        return newer
    return replace(older, at=newer.at, error=newer.error, failures=older.failures + newer.failures)


def _record(instance_id: str, waiting: _Waiting, status: dict[str, Any] | None) -> PollRecord:
    return PollRecord(
        instance_id=instance_id,
        at=waiting.at,
        status=status,
        error=waiting.error,
        failures=waiting.failures,
        answered=waiting.answered,
        latency_ms=round(waiting.latency * 1000, 2) if waiting.latency is not None else None,
    )
