"""When the agent of an order in flight is asked again, and how long it may keep the question."""

from __future__ import annotations

from hydracore_operator.rollouts.timing import Timing

KEPT_SHARE = 0.9
"""A question that was answered before this share of its time was not kept waiting for all of it."""
MOST_CUTS = 3
"""Questions that were to wait and came to nothing at once; then no more are asked."""


class Pace:
    """The rhythm of the questions about one order. It has no clock: it is told what took how long.

    A question that the agent keeps waiting paces itself. All others are followed by the pauses of
    :meth:`Timing.polls`: an older agent answers at once, one that restarts cannot be asked, and
    something between may cut what waits.

    Attributes:
        wait: Seconds that the agent may keep the next question waiting; 0: it shall answer at once.
        pause: Seconds until that question.
    """

    def __init__(self, timing: Timing) -> None:
        """Begin with an answer at once: nothing is known of the agent."""
        self._timing = timing
        self._polls = timing.polls()
        self._cuts = 0
        self.wait = 0.0
        self.pause = 0.0

    def note(self, *, works: bool, took: float) -> None:
        """Take in how a question went.

        Args:
            works: Whether the agent said that it works on the order. If not it could not be asked,
                or what it said settles nothing.
            took: Seconds that the question took.
        """
        waited = self.wait
        if waited:
            self._note_wait(works=works, took=took)
        self.wait = self._timing.long_poll if works and self._cuts < MOST_CUTS else 0.0
        early = waited > 0 and took < KEPT_SHARE * waited
        self.pause = next(self._polls) if early or not self.wait else 0.0

    def _note_wait(self, *, works: bool, took: float) -> None:
        long = took >= self._timing.poll_max
        if long or not works:
            # The agent was heard until now. If it restarts, it will be back soon.
            self._polls = self._timing.polls()
        if not long and not works:
            self._cuts += 1
