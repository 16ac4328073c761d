"""Allow and deny windows together: the spans of time in which updates may start.

The rule is Argo CD's: without any allow window updates may always start, else one must be open; an
open deny window always wins.

Every span's ends are exact. The search is bounded by time and by steps, for there are policies with
openings every minute of which none ever counts; a search that ran out says how far it got.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hydracore_core.windows.compiled import Window
from hydracore_core.windows.recurrence import NEVER, Always, Times

HORIZON = timedelta(days=366 * 12)
"""How far ahead openings are looked for. 29 February may be eight years away."""

MAX_STEPS = 2000
"""How many openings and ends one search looks at."""


class SearchEndedError(Exception):
    """The search went as far as it may.

    Attributes:
        at: Nothing is known from this time on.
        final: It reached the horizon; else only its number of steps.
    """

    def __init__(self, at: datetime, *, final: bool) -> None:
        super().__init__(at, final)
        self.at = at
        self.final = final


@dataclass(slots=True)
class Search:
    """One bounded search.

    Attributes:
        horizon: No further than this.
        steps: How many steps are left.
    """

    horizon: datetime
    steps: int = MAX_STEPS

    def step(self, at: datetime) -> None:
        """Count one step that brings the search to ``at``.

        Raises:
            SearchEndedError: It may go no further.
        """
        if at != NEVER and at > self.horizon:
            raise SearchEndedError(at, final=True)
        self.steps -= 1
        if self.steps < 0:
            raise SearchEndedError(at, final=False)


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time in which updates may start.

    Attributes:
        start: Its first instant; None where it had begun when the search did.
        end: The first instant after it; ``NEVER`` if it does not end.
        cut: The search ended before it found the end: the span lasts at least until ``end``.
    """

    start: datetime | None
    end: datetime
    cut: SearchEndedError | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The windows of one policy.

    Attributes:
        windows: All of them.
    """

    windows: Sequence[Window]
    _allows: tuple[Times, ...] = field(init=False)
    _denies: tuple[Times, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Fail closed: what cannot be evaluated never allows, and always denies."""
        allows = [w for w in self.windows if w.kind == "allow"]
        evaluable = tuple(w.times for w in allows if w.times is not None)
        denies = tuple(w.times or Always() for w in self.windows if w.kind == "deny")
        object.__setattr__(self, "_allows", evaluable if allows else (Always(),))
        object.__setattr__(self, "_denies", denies)

    def spans(self, since: datetime, search: Search) -> Iterator[Span]:
        """Yield the spans from ``since`` on, in order; they neither touch nor overlap.

        Raises:
            SearchEndedError: No further span was found as far as the search went. After a span
                that is ``cut`` there is none either.
        """
        at = since
        while at != NEVER:
            if (unblocked := covered(self._denies, at, search)) > at:
                at = unblocked
            elif not any(times.covers_until(at) for times in self._allows):
                at = first_opening(self._allows, at)
                search.step(at)
            else:
                found = self._span(at, search)
                yield found if at > since else replace(found, start=None)
                if found.cut is not None:
                    raise found.cut
                at = found.end

    def _span(self, start: datetime, search: Search) -> Span:
        """Return the span that begins at ``start``, where no deny window is open."""
        denied = first_opening(self._denies, start)
        try:
            end = covered(self._allows, start, search, until=denied)
        except SearchEndedError as cut:
            return Span(start, cut.at, cut)
        return Span(start, min(end, denied))

    def blocked_until(self, at: datetime, search: Search) -> datetime:
        """Return when the deny windows that are open at ``at`` have ended; ``at`` if none is.

        Raises:
            SearchEndedError: The end was not found.
        """
        return covered(self._denies, at, search)

    def open_at(self, at: datetime) -> list[Window]:
        """Return the windows that are open, or must be taken for open, at ``at``."""
        return [
            window
            for window in self.windows
            if (
                window.times.covers_until(at) is not None
                if window.times is not None
                else window.kind == "deny"
            )
        ]


def covered(
    all_times: Sequence[Times], at: datetime, search: Search, *, until: datetime = NEVER
) -> datetime:
    """Return how long windows that follow one another without a gap cover the time from ``at`` on.

    Args:
        all_times: The windows.
        at: From here on; it is returned if none of them covers it.
        search: Bounds the search.
        until: An end from here on is as good as any.

    Raises:
        SearchEndedError: The end was not found; up to there all is covered.
    """
    end = at
    while end < until:
        ends = [times.covers_until(end) for times in all_times]
        further = max((found for found in ends if found is not None), default=None)
        if further is None:
            break
        search.step(further)
        end = further
    return end


def first_opening(all_times: Sequence[Times], after: datetime) -> datetime:
    """Return the first opening of any window after a time; ``NEVER`` if there is none."""
    found = [times.opens_after(after) for times in all_times]
    return min((opening for opening in found if opening is not None), default=NEVER)
