"""Who carries actions out: the agent itself or, for a reboot, the provider of its server."""

from __future__ import annotations

from typing import Protocol

from hydracore_operator.actions.outcome import Outcome
from hydracore_operator.actions.run import Job, Progress


class Carrier(Protocol):
    """Carries out each action at most once, by its id.

    Every method answers with the outcome, or with that it is under way. What cannot be known now
    is ``Progress(known=False)``: an error is never taken for "it did not happen".
    """

    async def send(self, job: Job) -> Outcome | Progress:
        """Have an action carried out. Called at most once for each."""
        ...

    async def ask(self, job: Job) -> Outcome | Progress:
        """Ask how an action goes that was acknowledged."""
        ...

    async def settle(self, job: Job) -> Outcome | Progress:
        """Find out what became of an action that may or may not have arrived, and never runs now.

        What has not begun by now is kept from beginning, where the carrier can do that.
        """
        ...
