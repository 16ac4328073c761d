"""Quarantine: a bundle that went badly in one tenant comes to no other by itself.

What speaks against a bundle is a rollout of it that was halted, that took itself back, or that was
made by the operator and ended with failures. The bundle's condition ``Quarantined`` remembers it
when the rollout is gone. It goes away by a person's word only (the annotation
``release-quarantine``), never because a rollout went on and succeeded.

Everybody who may read bundles can read the condition, so it names neither tenants nor rollouts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from hydracore_crds import Bundle, Rollout
from hydracore_crds.base import Condition, find
from hydracore_crds.conditions import (
    HALT_CAUSES,
    HALTED,
    PROGRESSING,
    QUARANTINED,
    RELEASED,
    ROLLED_BACK,
    ROLLOUT_FAILED,
    ROLLOUT_HALTED,
)
from hydracore_crds.names import RELEASE_QUARANTINE_ANNOTATION


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a rollout says against its bundle.

    Attributes:
        at: When it happened (aware UTC).
        reason: Reason of the bundle's condition.
        text: The same for people, after a number of rollouts.
    """

    at: datetime
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be written.

    Attributes:
        condition: The condition ``Quarantined`` as it is to be; None where there is to be none.
        against: Keys of the rollouts that speak against the bundle now, for the operator's log.
        again: When to look again: the time of a release that lies ahead.
    """

    condition: Condition | None
    against: tuple[str, ...] = ()
    again: datetime | None = None


def quarantine_of(bundle: Bundle) -> Condition | None:
    """Return the condition that says why a bundle is in quarantine; None if it is not."""
    found = find(bundle.status.conditions, QUARANTINED)
    return found if found is not None and found.status == "True" else None


def warning_of(bundle: Bundle) -> str | None:
    """Say to somebody who rolls a bundle out that it is in quarantine, and why; None if it is not.

    They decide for their own tenant: nothing keeps a rollout that somebody asked for from going on.
    """
    found = quarantine_of(bundle)
    if found is None:
        return None
    return f"bundle {bundle.metadata.name} is in quarantine ({found.reason}): {found.message}"


def evidence(rollout: Rollout) -> Evidence | None:
    """Return what a rollout says against its bundle; None if nothing.

    A halt that a person has taken back says nothing any more; what it has led to stays. A rollback
    that a person has asked for may have any reason. Of failed ends only those of rollouts that the
    operator made count: a small tenant's has nothing left to halt before.
    """
    status = rollout.status
    if status.rollback is not None:
        asked = status.rollback.requested_by is not None
        at = status.rollback.started_at
        return None if asked else Evidence(at, ROLLED_BACK, "took itself back")
    if status.halt_reason is not None and status.halted_at is not None:
        return Evidence(status.halted_at, ROLLOUT_HALTED, f"halted ({_halt_cause(rollout)})")
    failed = status.counts.failed if status.counts is not None else 0
    if rollout.spec.only_auto and status.state == "failed" and failed and status.completed_at:
        return Evidence(status.completed_at, ROLLOUT_FAILED, "failed")
    return None


def judge(bundle: Bundle, rollouts: Iterable[Rollout], now: datetime) -> Judgement:
    """Decide whether a bundle is in quarantine.

    Args:
        bundle: The bundle with its stored condition, which stands until a person releases it.
        rollouts: Rollouts of all tenants.
        now: The time; a release that lies ahead of it does not count yet.
    """
    stored = find(bundle.status.conditions, QUARANTINED)
    release = _release(bundle)
    again = release if release is not None and release > now else None
    release = None if again is not None else release
    shut = stored is not None and stored.status == "True"
    if stored is not None and shut and (release is None or release < stored.last_transition_time):
        return Judgement(stored, again=again)
    forgiven = [release] if release is not None else []
    forgiven += [stored.last_transition_time] if stored is not None and not shut else []
    against = [
        (rollout, found)
        for rollout in rollouts
        if _delivers(rollout, bundle) and (found := evidence(rollout)) is not None
        if all(found.at > time for time in forgiven)
    ]
    if against:
        keys = tuple(sorted(rollout.key for rollout, _ in against))
        return Judgement(_shut(bundle, [found for _, found in against], now), keys, again)
    return Judgement(_released(bundle, now) if shut else stored, again=again)


def _delivers(rollout: Rollout, bundle: Bundle) -> bool:
    """Whether it is these very bytes that the rollout delivers, not those of a namesake."""
    artifact = rollout.status.artifact
    return (
        rollout.spec.bundle_name == bundle.metadata.name
        and artifact is not None
        and artifact.sha256 == bundle.spec.artifact.sha256
    )


def _halt_cause(rollout: Rollout) -> str:
    progressing = find(rollout.status.conditions, PROGRESSING)
    reason = progressing.reason if progressing is not None else HALTED
    return reason if reason in HALT_CAUSES else HALTED


def _release(bundle: Bundle) -> datetime | None:
    """Return the time in the annotation; None where it is no RFC 3339 time with a zone."""
    text = bundle.metadata.annotations.get(RELEASE_QUARANTINE_ANNOTATION, "")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if found.tzinfo is None else found.astimezone(UTC)


def _shut(bundle: Bundle, against: list[Evidence], now: datetime) -> Condition:
    first = min(against, key=lambda found: found.at)
    texts = Counter(found.text for found in against)
    said = ", ".join(
        f"{number} {'rollout' if number == 1 else 'rollouts'} {text}"
        for text, number in sorted(texts.items())
    )
    return Condition(
        type=QUARANTINED,
        status="True",
        reason=first.reason,
        message=f"{said}; it is rolled out to nobody by itself any more, until an administrator "
        f"sets its annotation {RELEASE_QUARANTINE_ANNOTATION} to a later time",
        last_transition_time=now,
        observed_generation=bundle.metadata.generation,
    )


def _released(bundle: Bundle, now: datetime) -> Condition:
    return Condition(
        type=QUARANTINED,
        status="False",
        reason=RELEASED,
        message="an administrator has released it; what spoke against it before counts no more",
        last_transition_time=now,
        observed_generation=bundle.metadata.generation,
    )
