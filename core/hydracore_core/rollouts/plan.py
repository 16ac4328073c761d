"""The rollout plan: from everything known about a tenant to what is to be done now.

Pure: the same view gives the same plan, in whatever order its lists are. No I/O, no clock, no
randomness, and the view's models are left as they are. Each phase stands in a file of its own and
decides one concern; :mod:`hydracore_core.rollouts.scope` holds what they share.
"""

from __future__ import annotations

from hydracore_core.rollouts.automatic import retry_failed
from hydracore_core.rollouts.begin import look_up, note_ends
from hydracore_core.rollouts.finalizers import hold, let_go
from hydracore_core.rollouts.fit import check_fit
from hydracore_core.rollouts.gates import close_gates
from hydracore_core.rollouts.inflight import follow
from hydracore_core.rollouts.ledger import settle_slots
from hydracore_core.rollouts.model import Plan, TenantView
from hydracore_core.rollouts.progress import check_progress, keep_clocks
from hydracore_core.rollouts.queue import decide_queues
from hydracore_core.rollouts.rollback import recall
from hydracore_core.rollouts.stagger import recall_starts
from hydracore_core.rollouts.starts import start
from hydracore_core.rollouts.status import report
from hydracore_core.rollouts.survey import survey
from hydracore_core.rollouts.thresholds import check_thresholds
from hydracore_core.rollouts.waves import check_waves

PHASES = (
    hold,
    look_up,
    recall,
    follow,
    settle_slots,
    decide_queues,
    check_thresholds,
    check_waves,
    close_gates,
    check_fit,
    check_progress,
    retry_failed,
    recall_starts,
    start,
    keep_clocks,
    note_ends,
    report,
    let_go,
)
"""In the order in which they depend on each other: failures are looked at before any start."""


def plan(view: TenantView) -> Plan:
    """Decide what to do for one tenant.

    Applying the intents and planning again, with nothing new, gives only intents that ask agents:
    ``Track``, and while an agent does not answer ``Resolve`` and ``Abort``; likewise ``AskHistory``
    while history does not.

    Args:
        view: Everything that is known; ``view.now`` must be an aware time.

    Returns:
        Intents in the order in which to carry them out, notes for people, and when to plan again
        at the latest.

    Raises:
        ValueError: ``view.now`` is naive.
    """
    scope = survey(view)
    for phase in PHASES:
        phase(scope)
    return Plan(
        intents=scope.out.intents(),
        notes=tuple(scope.out.notes),
        wake_at=min(scope.wakes, default=None),
        window_open=scope.window.open,
        next_opens_at=None if scope.window.open else scope.window.next_change,
        limit=scope.limit,
        in_flight=scope.taken,
        wanted=scope.wanted,
    )
