"""How long the rollout executor waits for what. All durations are in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """The executor's durations and bounds.

    Attributes:
        long_poll: How long an agent may keep a question about an order in flight waiting for the
            order's end; it grants at most 20. An answer that is lost costs at most so long.
        poll_first: First pause before an agent is asked again that has not kept the question: it
            restarts, is of an older release, or has not taken the order.
        poll_factor: By how much every further pause is longer.
        poll_max: The longest pause between two questions about an order in flight.
        evidence_poll: Wait between two questions about a target whose outcome is uncertain.
        trouble_grace: How long an agent may stay silent (it restarts) before its target says so.
        clock_grace: How far past its deadline an order that the agent never saw is given up;
            more than clocks differ.
        fence_after: How long another operator's claim may stand without its target in progress
            before its order is forbidden at the agent; that operator may be just about to store it.
        start_patience: How long ``in_progress`` is tried to be stored before the start is given up
            and made anew, with its full time.
        counts_every: Shortest time between two writes of a rollout's counts.
        coalesce: Shortest time between two passes over one tenant, so that one ledger write
            frees and claims for all that finished meanwhile.
        coalesce_max: The longest such time.
        load_factor: A pass that took t is followed by a pause of at least this times t: planning
            for thousands of targets leaves the orders themselves their time, and one ledger write
            serves more of them.
        hurry_factor: Likewise where there are many slots to fill.
        many: This share of a tenant's slots is many: a pass that fills them is worth its cost.
        retry: Wait before a failed write to the API server or to SQL is tried again.
        writes_at_once: Writes to the API server that one pass has under way at once.
        creates_at_once: Targets that are created at once while there are enough to fill every slot
            anew, so that those that are there start and end meanwhile.
        conflicts: How often one status write is decided again after a conflict.
        passes: How often one reconcile plans again before it yields to other tenants.
    """

    long_poll: float = 10.0
    poll_first: float = 0.5
    poll_factor: float = 2.0
    poll_max: float = 2.0
    evidence_poll: float = 15.0
    trouble_grace: float = 10.0
    clock_grace: float = 5.0
    fence_after: float = 2.0
    start_patience: float = 30.0
    counts_every: float = 1.5
    coalesce: float = 0.025
    coalesce_max: float = 0.5
    load_factor: float = 20.0
    hurry_factor: float = 3.0
    many: float = 0.1
    retry: float = 2.0
    writes_at_once: int = 32
    creates_at_once: int = 8
    conflicts: int = 20
    passes: int = 6

    def pause(self, took: float, *, hurry: bool) -> float:
        """Return the least time between the end of a pass and the beginning of the next.

        Args:
            took: What the pass took.
            hurry: There are many slots to fill.
        """
        factor = self.hurry_factor if hurry else self.load_factor
        return min(max(self.coalesce, factor * took), self.coalesce_max)

    def polls(self) -> Iterator[float]:
        """Yield the pauses between questions about one order: growing, then constant."""
        wait = self.poll_first
        while True:
            yield wait
            wait = min(wait * self.poll_factor, self.poll_max)
