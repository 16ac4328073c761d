"""The calendar of one tenant: its timeline, its own share of the jitter, and what it found last."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hydracore_core.windows.explain import Closed, why_open
from hydracore_core.windows.recurrence import NEVER
from hydracore_core.windows.timeline import HORIZON, Search, SearchEndedError, Span, Timeline

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_REMEMBERED = timedelta(days=1)
"""How long is kept what no known change ends."""


@dataclass(frozen=True, slots=True)
class WindowState:
    """Whether updates may start at one moment.

    Attributes:
        open: Whether they may start now.
        next_change: When ``open`` changes next (aware UTC), exactly; None if it does not within
            the next twelve years, or if the search for it ran out.
        wake_at: When to ask again: at the next change, where the search for it ran out, or sooner
            where ``why`` changes; None if never.
        why: A sentence for people: which window is open or blocks, and until when.
    """

    open: bool
    next_change: datetime | None = None
    wake_at: datetime | None = None
    why: str = ""


ALWAYS_OPEN = WindowState(open=True, why="there is no window: updates may always start")


@dataclass(frozen=True, slots=True)
class _Finding:
    """What a search found: it holds from ``now`` on until ``until``.

    Attributes:
        now: When was searched.
        span: The span that is open then, or the next one; None if there is none.
        begins: When this tenant begins in it.
        change: When updates may start, or may no longer; None if that never is or was not found.
        ended: Where the search ran out of steps, if it did.
    """

    now: datetime
    span: Span | None = None
    begins: datetime | None = None
    change: datetime | None = None
    ended: datetime | None = None

    @property
    def open(self) -> bool:
        return self.begins is not None and self.begins <= self.now

    @property
    def until(self) -> datetime | None:
        return self.change or self.ended


class Calendar:
    """Answers for one policy of one tenant.

    What was found holds until the next change, so that it is looked for once and then kept.
    """

    def __init__(self, timeline: Timeline, jitter: int, uid: str) -> None:
        """Take the windows.

        Args:
            timeline: The windows.
            jitter: ``openingJitterSeconds``.
            uid: What makes this tenant differ from others: ``metadata.uid`` of its policy.
        """
        self._timeline = timeline
        self._jitter = timedelta(seconds=jitter)
        self._uid = uid
        self._found = _Finding(NEVER)
        self._answer = ALWAYS_OPEN
        self._since = self._until = NEVER

    def state(self, now: datetime) -> WindowState:
        """Return the state at ``now`` (aware UTC)."""
        if not self._since <= now < self._until:
            found = self._found
            if not found.now <= now < (found.until or found.now + _REMEMBERED):
                found = self._found = self._find(now)
            self._answer = self._open(now, found) if found.open else self._closed(now, found)
            self._since, self._until = now, self._answer.wake_at or now + _REMEMBERED
        return self._answer

    def _find(self, now: datetime) -> _Finding:
        """Find the span in which updates may start now, or the next one."""
        try:
            # A span that began longer ago than the jitter has begun for every tenant.
            for span in self._timeline.spans(now - self._jitter, Search(now + HORIZON)):
                begins = self._begins(span)
                if now < begins:
                    return _Finding(now, span, begins, change=begins)
                if now < span.end:
                    end = span.end if span.cut is None and span.end != NEVER else None
                    return _Finding(now, span, begins, change=end, ended=_limit(span.cut))
        except SearchEndedError as ended:
            return _Finding(now, ended=_limit(ended))
        return _Finding(now)

    def _begins(self, span: Span) -> datetime:
        """Return when a span begins for this tenant.

        The delay follows from tenant and opening alone. It takes at most half of the span, so that
        no tenant is left without time.

        Raises:
            SearchEndedError: How long the span lasts was not found, and so not half of it.
        """
        if span.start is None:
            return _LONG_AGO
        half = (span.end - span.start) / 2
        if span.cut is not None and half < self._jitter:
            raise span.cut
        digest = hashlib.sha256(f"{self._uid} {span.start.isoformat()}".encode()).digest()
        most = int(min(self._jitter, half).total_seconds())
        return span.start + timedelta(seconds=int.from_bytes(digest[:8], "big") % (most + 1))

    def _open(self, now: datetime, found: _Finding) -> WindowState:
        why = why_open(self._timeline, now, found.change)
        return WindowState(open=True, next_change=found.change, wake_at=found.until, why=why)

    def _closed(self, now: datetime, found: _Finding) -> WindowState:
        unblocked = self._unblocked(now)
        # What is told to people changes when the deny windows of now have ended.
        news = unblocked if unblocked is not None and unblocked > now else NEVER
        wake_at = min(found.until or NEVER, news)
        closed = Closed(self._timeline, now, unblocked, found.span, found.begins, found.until)
        return WindowState(
            open=False,
            next_change=found.change,
            wake_at=wake_at if wake_at != NEVER else None,
            why=closed.why(),
        )

    def _unblocked(self, now: datetime) -> datetime | None:
        """Return when the deny windows of now have ended; None if that was not found."""
        try:
            return self._timeline.blocked_until(now, Search(now + HORIZON))
        except SearchEndedError:
            return None


def _limit(ended: SearchEndedError | None) -> datetime | None:
    """Return where a search ran out of steps; None where it saw as far as anybody looks."""
    return None if ended is None or ended.final else ended.at
