"""What happened to a rollout and its targets, and by whom: the trail that each object bears.

An object bears its newest steps; where it had more, history's log has the ones before. Archived
objects bear what the live ones did, so that both answer alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hydracore_api.rollouts.lookup import Found
from hydracore_api.rollouts.schemas import TimelineEvent
from hydracore_api.services import Services
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.transition import Transition
from hydracore_history import HistoryError, TransitionRecord


@dataclass(frozen=True, slots=True)
class Events:
    """The steps that objects do not bear any more.

    Attributes:
        older: Steps in history's log by the object's uid, oldest first.
        complete: False where the log was needed and could not be asked.
    """

    older: Mapping[str, Sequence[TransitionRecord]] = field(default_factory=dict)
    complete: bool = True

    def of(self, obj: Rollout | RolloutTarget) -> list[TimelineEvent]:
        """Return all that is known to have happened to an object, oldest first."""
        trail = obj.status.transitions
        if not _is_cut(trail):
            return [_event(one) for one in trail]
        before = [one for one in self.older.get(obj.metadata.uid, ()) if one.seq < trail[0].seq]
        return [*(_event(one) for one in before), *(_event(one) for one in trail)]


async def events_of(services: Services, found: Found) -> Events:
    """Ask history's log where an object has had more steps than it bears.

    Raises:
        HistoryUnavailable: It cannot be asked, and the rollout is archived. Of a live one the
            newest steps are told, and that these are not all.
    """
    everything: list[Rollout | RolloutTarget] = [found.rollout, *found.targets]
    if not any(_is_cut(one.status.transitions) for one in everything):
        return Events()
    try:
        rows = await services.history.transitions.of_rollout(found.rollout.metadata.uid)
    except HistoryError:
        if not found.live:
            raise
        return Events(complete=False)
    older: dict[str, list[TransitionRecord]] = defaultdict(list)
    for row in rows:
        older[row.uid].append(row)
    return Events(older)


def _is_cut(trail: Sequence[Transition]) -> bool:
    return bool(trail) and trail[0].seq > 1


def _event(one: Transition | TransitionRecord) -> TimelineEvent:
    return TimelineEvent(
        seq=one.seq,
        event=one.event,
        status=one.state,
        at=one.at,
        actor=one.actor,
        attempt=one.attempt,
        reason=one.reason,
        message=one.message,
    )
