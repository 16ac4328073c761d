"""Sentences for people: which window is open or blocks, and until when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hydracore_core.texts import at
from hydracore_core.windows.compiled import Window
from hydracore_core.windows.timeline import Span, Timeline

_LISTED = 3
_SEE_CONDITION = "the condition Valid of the UpdatePolicy says what to do"


def why_open(timeline: Timeline, now: datetime, end: datetime | None) -> str:
    """Say until when updates may start and by which window.

    Args:
        timeline: The windows.
        now: When they may start.
        end: When they may no longer; None if no end is known.
    """
    by = _named(_of(timeline.open_at(now), "allow"))
    if end is None:
        return f"updates may start{by}"
    deny = _of(timeline.open_at(end), "deny")
    if deny:
        return f"updates may start until {at(end)}, when {_list(deny)} begins{by}"
    return f"updates may start until {at(end)}{by}"


@dataclass(frozen=True, slots=True)
class Closed:
    """A moment in which updates may not start.

    Attributes:
        timeline: The windows.
        now: The moment.
        unblocked: When the deny windows that are open now have ended; ``now`` if none is, None if
            that is not known.
        span: The next time in which they may start, or the one whose jitter still runs; None if
            there is none.
        begins: When this tenant begins in that span.
        known_until: ``begins``, or else where the search for a span ran out, if it did.
    """

    timeline: Timeline
    now: datetime
    unblocked: datetime | None
    span: Span | None
    begins: datetime | None
    known_until: datetime | None

    def why(self) -> str:
        """Say what keeps updates from starting, and when they may."""
        opens = self._opens()
        deny = _of(self.timeline.open_at(self.now), "deny")
        if not deny:
            return opens
        broken = [window for window in deny if window.times is None]
        if broken:
            return f"blocked by {_list(broken)}, which cannot be evaluated: {_SEE_CONDITION}"
        if self.unblocked is None:
            return f"blocked by {_list(deny)}; {opens}"
        blocked = f"blocked by {_list(deny)} until {at(self.unblocked)}"
        return blocked if self.begins == self.unblocked else f"{blocked}; {opens}"

    def _opens(self) -> str:
        if self.span is not None and self.span.start is not None and self.begins is not None:
            by = _named(_of(self.timeline.open_at(self.span.start), "allow"))
            if self.span.start <= self.now:
                share = f"by openingJitterSeconds this tenant begins at {at(self.begins)}"
                return f"the maintenance window is open{by}; {share}"
            return f"the maintenance window opens at {at(self.begins)}{by}"
        if self.known_until is not None:
            return f"the maintenance window does not open before {at(self.known_until)}"
        broken = [w for w in self.timeline.windows if w.kind == "allow" and w.times is None]
        if broken:
            why = f"{_list(broken)} cannot be evaluated, and {_SEE_CONDITION}"
            return f"the maintenance window never opens: {why}"
        return "the maintenance window never opens"


def _of(windows: Iterable[Window], kind: str) -> list[Window]:
    return [window for window in windows if window.kind == kind]


def _named(windows: Iterable[Window]) -> str:
    """Name windows in brackets, if any of them has a name."""
    named = [window for window in windows if window.label]
    return f" ({_list(named)})" if named else ""


def _list(windows: Sequence[Window]) -> str:
    """Name the first few, and say how many more there are: the texts must stay short."""
    first = ", ".join(window.label for window in windows[:_LISTED])
    more = len(windows) - _LISTED
    return f"{first} and {more} more" if more > 0 else first
