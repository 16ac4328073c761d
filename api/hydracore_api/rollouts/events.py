"""What happened to a rollout and its targets, and by whom: the trail that each object bears.

An object bears its newest steps; where it had more, history's log has the ones before. Archived
objects bear what the live ones did, so that both answer alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from hydracore_api.auth.principal import Principal
from hydracore_api.rollouts.lookup import Found, find
from hydracore_api.rollouts.schemas import RolloutEvent, RolloutEvents
from hydracore_api.services import Services
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.transition import Transition
from hydracore_history import HistoryError, TransitionRecord

Step = Transition | TransitionRecord
Older = Mapping[str, Sequence[TransitionRecord]]
"""Steps in history's log by the object's uid, oldest first."""


async def list_(
    services: Services, principal: Principal, rollout_id: str, limit: int, offset: int
) -> RolloutEvents:
    """Return a page of the steps of a rollout and its targets, oldest first.

    Raises:
        NotFound: The tenant has no such rollout.
        HistoryUnavailable: It is archived, and history cannot be asked.
    """
    found = await find(services, principal, rollout_id)
    older = await _older(services, found)
    ordered = sorted(_steps(found, older or {}), key=_order)
    return RolloutEvents(
        rollout_id=found.rollout.metadata.uid,
        total_events=len(ordered),
        complete=older is not None,
        events=[_event(owner, step) for owner, step in ordered[offset : offset + limit]],
    )


async def _older(services: Services, found: Found) -> Older | None:
    """Ask history's log where an object has had more steps than it bears.

    Returns:
        What the log has; None where it cannot be asked about a rollout that is still live.

    Raises:
        HistoryUnavailable: It cannot be asked, and the rollout is archived.
    """
    if not any(_is_cut(one.status.transitions) for one in _objects(found)):
        return {}
    try:
        rows = await services.history.transitions.of_rollout(found.rollout.metadata.uid)
    except HistoryError:
        if not found.live:
            raise
        return None
    older: dict[str, list[TransitionRecord]] = defaultdict(list)
    for row in rows:
        older[row.uid].append(row)
    return older


def _objects(found: Found) -> list[Rollout | RolloutTarget]:
    return [found.rollout, *found.targets]


def _steps(found: Found, older: Older) -> Iterator[tuple[Rollout | RolloutTarget, Step]]:
    for obj in _objects(found):
        trail = obj.status.transitions
        if _is_cut(trail):
            for row in older.get(obj.metadata.uid, ()):
                if row.seq < trail[0].seq:
                    yield obj, row
        for step in trail:
            yield obj, step


def _is_cut(trail: Sequence[Transition]) -> bool:
    return bool(trail) and trail[0].seq > 1


def _order(pair: tuple[Rollout | RolloutTarget, Step]) -> tuple[datetime, int, int]:
    """Order by time; at the same time the rollout first, then its targets as planned."""
    owner, step = pair
    return step.at, owner.spec.order if isinstance(owner, RolloutTarget) else -1, step.seq


def _event(owner: Rollout | RolloutTarget, step: Step) -> RolloutEvent:
    target = owner if isinstance(owner, RolloutTarget) else None
    return RolloutEvent(
        target_id=target.metadata.uid if target else None,
        instance_id=target.spec.instance_id if target else None,
        seq=step.seq,
        event=step.event,
        status=step.state,
        at=step.at,
        actor=step.actor,
        attempt=step.attempt,
        reason=step.reason,
        message=step.message,
    )
