"""The progress deadline: halt when for so long nothing succeeded although the rollout could go on.

The clock of a rollout runs while it has orders in flight, or would send some if instances or
failed targets let it. It stands still while a gate is closed (paused, halted, the platform frozen,
outside the window, baking, awaiting approval, bundle or history not to be had) and while it has to
wait for slots of others or for its stagger. A success sets it back to 0, so does a resume, a
person's retry, and a pause. The operator's own retries do not: what fails again and again makes no
progress.

What it showed is stored when it stops or begins to run, and at no other time: later successes are
found on the targets. So nothing is written while all goes well, and a new leader knows the time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hydracore_core.rollouts.automatic import by_person
from hydracore_core.rollouts.gates import halted
from hydracore_core.rollouts.halts import halt
from hydracore_core.rollouts.model import Requeue
from hydracore_core.rollouts.scope import RolloutScope, TenantScope
from hydracore_core.rollouts.starts import in_the_way
from hydracore_core.rollouts.texts import count, listed
from hydracore_core.rollouts.thresholds import failures
from hydracore_core.windows import window_state
from hydracore_crds.conditions import (
    HALT_CAUSES,
    PAUSED,
    PROGRESS_DEADLINE_EXCEEDED,
    QUEUED,
    WAITING_FOR_INSTANCE,
    WAITING_FOR_RETRY,
)
from hydracore_crds.rollout import ProgressClock

GRACE = timedelta(seconds=60)
"""How long a process must have followed the tenant before it halts by this deadline: successes
that nobody has heard of are to be heard of first."""

_RUNS = frozenset({WAITING_FOR_INSTANCE, WAITING_FOR_RETRY})
"""What a rollout waits for while it could go on."""
_STOPPED = HALT_CAUSES | {PAUSED}
"""Gates that a person opens again: then the clock begins anew."""


def check_progress(scope: TenantScope) -> None:
    """Halt every rollout whose clock has reached its deadline; it starts nothing then."""
    for rollout in scope.rollouts:
        limit = rollout.rollout.spec.strategy.progress_deadline_seconds
        clock = rollout.rollout.status.progress_clock
        if limit is None or clock is None or not clock.running or rollout.stored_final:
            continue
        if rollout.rollback is not None:
            continue
        left = rollout.waiting or rollout.missing or rollout.retrying
        if rollout.gate is not None or not left or _heard_since(scope) > scope.now:
            continue
        if _shown(scope, rollout, clock) >= limit:
            head = (
                f"no target succeeded in {count(limit, 'second')} in which it could go on "
                f"(progressDeadlineSeconds); it waited for {_waited_for(scope, rollout)}"
            )
            failed = [*failures(rollout), *rollout.retrying]
            halt(scope, rollout, (PROGRESS_DEADLINE_EXCEEDED, head, failed))
            if rollout.halt_reason is not None:
                rollout.gate = halted(rollout)
            scope.note(rollout.subject, head)


def keep_clocks(scope: TenantScope) -> None:
    """Stop clocks, set them going, and wake when the first of them reaches its deadline."""
    for rollout in scope.rollouts:
        limit = rollout.rollout.spec.strategy.progress_deadline_seconds
        if limit is None or rollout.rollback is not None:
            continue
        clock = rollout.clock = _set(scope, rollout)
        if clock is not None and clock.running:
            left = limit - _shown(scope, rollout, clock)
            wake = max(scope.now + timedelta(seconds=left), _heard_since(scope))
            if wake > scope.now:
                scope.wakes.append(wake)


def _set(scope: TenantScope, rollout: RolloutScope) -> ProgressClock | None:
    """Return the clock as it is to be stored: as it is, unless it stops, starts or is set back."""
    stored = rollout.rollout.status.progress_clock
    runs = _goes_on(rollout)
    if runs is None or (stored is None and not runs):
        return stored
    stopped = rollout.gate is not None and rollout.gate.reason in _STOPPED
    zero = stored is None or stopped or _retried(scope, rollout)
    if stored is not None and stored.running == runs:
        behind = runs and _end_of(scope, rollout, stored) < scope.now
        if not behind and not (zero and (runs or stored.seconds)):
            return stored
    seconds = 0 if zero or stored is None else round(_shown(scope, rollout, stored))
    return ProgressClock(running=runs, seconds=seconds, since=scope.now)


def _goes_on(rollout: RolloutScope) -> bool | None:
    """Whether the clock runs; None where this very plan cannot tell, so that it stays as it is."""
    if rollout.gate is not None:
        return None if rollout.gate.reason == QUEUED else False
    if not rollout.unfinished:
        return False
    if rollout.taken or rollout.starting:
        return True
    if rollout.wait is None or rollout.wait.reason == QUEUED:
        return None
    return rollout.wait.reason in _RUNS


def _shown(scope: TenantScope, rollout: RolloutScope, clock: ProgressClock) -> float:
    """Return what a clock shows now, in seconds."""
    reset = _set_back_at(rollout)
    if reset is not None and reset >= clock.since:
        clock = ProgressClock(running=clock.running, seconds=0, since=reset)
    if not clock.running:
        return clock.seconds
    ran = (_end_of(scope, rollout, clock) - clock.since).total_seconds()
    return clock.seconds + max(0.0, ran)


def _end_of(scope: TenantScope, rollout: RolloutScope, clock: ProgressClock) -> datetime:
    """Return until when a running clock has run: now, or when the window closed meanwhile.

    It closed unseen where no operator was there.
    """
    state = window_state(scope.view.policy, clock.since)
    if rollout.rollout.spec.override_window or not state.open or state.next_change is None:
        return scope.now
    return min(scope.now, state.next_change)


def _set_back_at(rollout: RolloutScope) -> datetime | None:
    """Return when the clock was last set back by a success, a resume or a reopening."""
    ends = [target.status.completed_at for target in rollout.succeeded]
    return max((t for t in (*ends, rollout.accepted_until) if t is not None), default=None)


def _retried(scope: TenantScope, rollout: RolloutScope) -> bool:
    """Whether this plan accepts a retry that a person has asked for."""
    accepted = {i.target_name for i in scope.out.retry if isinstance(i, Requeue)}
    ended = (*rollout.failed, *rollout.uncertain) if accepted else ()
    return any(t.metadata.name in accepted and by_person(rollout, t, scope.now) for t in ended)


def _heard_since(scope: TenantScope) -> datetime:
    """Return from when what is not known can be taken for not having happened."""
    since = scope.view.followed_since
    return scope.now if since is None else since + GRACE


def _waited_for(scope: TenantScope, rollout: RolloutScope) -> str:
    """Say what has kept the rollout from a success, for the text of its halt."""
    found = []
    if rollout.in_progress:
        names = listed([target.spec.instance_name for target in rollout.in_progress])
        found.append(f"{count(len(rollout.in_progress), 'target')} in flight ({names})")
    if rollout.retrying:
        names = listed([target.spec.instance_name for target in rollout.retrying])
        text = f"{count(len(rollout.retrying), 'failed target')} to be tried again ({names})"
        found.append(text)
    verdicts = []
    for target in rollout.startable:
        instance = scope.instances[target.spec.instance_name]
        verdict = in_the_way(scope, rollout, instance)
        if verdict is not None:
            verdicts.append(verdict[2])
    if verdicts:
        found.append(f"{count(len(verdicts), 'target')} passed over ({listed(verdicts)})")
    return "; ".join(found) or "nothing that is known"
