"""Waves: which one a rollout is in, and what must hold before the next one begins.

A wave is passed when all its targets have ended, enough of them well, when all that the rollout
has updated stayed healthy for the time to bake, and when a person has approved where one must. A
passed wave stays passed. Only targets of the current wave, and retries in earlier ones, start.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from hydracore_core.rollouts.approvals import token_of
from hydracore_core.rollouts.halts import Trouble, halt
from hydracore_core.rollouts.scope import Gate, RolloutScope, TenantScope
from hydracore_core.rollouts.starts import in_the_way
from hydracore_core.rollouts.texts import at, called, count, known_as, listed
from hydracore_core.rollouts.thresholds import failures, lately
from hydracore_core.rollouts.wishes import approval, approved_by
from hydracore_crds import Instance, RolloutTarget
from hydracore_crds.conditions import (
    AWAITING_APPROVAL,
    BAKING,
    UNHEALTHY_WHILE_BAKING,
    WAVE_FAILED,
)
from hydracore_crds.names import APPROVE_ANNOTATION
from hydracore_crds.rollout import Wave, WaveState, WaveStatus

LAST = Wave(percent=100, success_percent=0)
"""What is left after the listed waves: nothing follows that it could hold back."""

SICK = frozenset({"unhealthy", "unreachable"})


def check_waves(scope: TenantScope) -> None:
    """Find out which wave every rollout is in; halt it where a wave went badly."""
    for rollout in scope.rollouts:
        status = rollout.rollout.status
        if status.waves is None:
            continue
        rollout.wave, rollout.waves = status.wave or 1, list(status.waves)
        stopped = rollout.cancel or rollout.refused or rollout.rollback
        if not rollout.over and not stopped:
            _walk(scope, rollout, rollout.waves)


def _walk(scope: TenantScope, rollout: RolloutScope, waves: list[WaveStatus]) -> None:
    """Go from wave to wave as far as they are passed."""
    number = rollout.wave or 1
    while True:
        found = waves[number - 1] = _judge(scope, rollout, number, waves[number - 1])
        rollout.wave = number
        if found.state != "passed":
            rollout.in_wave = True
            return
        if number == len(waves):
            return
        number += 1


def _judge(scope: TenantScope, rollout: RolloutScope, number: int, kept: WaveStatus) -> WaveStatus:
    """Return where a wave stands; what it waits for becomes the rollout's gate or its halt."""
    if kept.state == "passed":
        return kept
    wave = _Wave(scope, rollout, number)
    if not rollout.admitted or wave.under_way():
        return _now(kept, "running")
    until = wave.bakes_until()
    trouble = wave.failure() or (wave.sickness() if until is not None else None)
    if trouble is not None and (rollout.halt_reason is None or rollout.halt_cause == trouble[0]):
        halt(scope, rollout, trouble)
    if rollout.halt_reason is not None or rollout.rollback is not None:
        return _now(kept, kept.state if kept.state != "waiting" else "running")
    if until is not None and (until > scope.now or wave.unknown()):
        rollout.gate = rollout.gate or wave.baking(until)
        return _now(kept, "baking", bakes_until=until)
    if wave.needs_approval():
        rollout.gate = rollout.gate or wave.asking()
        return _now(kept, "awaiting_approval", approval=wave.token)
    by = approved_by(rollout.rollout) if wave.asks else None
    return _now(kept, "passed", passed_at=scope.now, approved_by=by)


def _now(kept: WaveStatus, state: WaveState, **changes: object) -> WaveStatus:
    return kept.model_copy(update={"state": state, **changes})


class _Wave:
    """One wave of one rollout with its targets, as they are stored."""

    def __init__(self, scope: TenantScope, rollout: RolloutScope, number: int) -> None:
        waves = rollout.rollout.spec.strategy.waves or []
        self._scope, self._rollout, self._number = scope, rollout, number
        self._last = len(rollout.waves or ())
        self._plan = rollout.rollout.status.plan_hash
        self.spec = waves[number - 1] if number <= len(waves) else LAST

    @property
    def called(self) -> str:
        """How people are told of it: ``wave 1 of 3 (canary)``."""
        return called(self._number, self._rollout.waves or ())

    @property
    def token(self) -> str:
        """What approves it."""
        return token_of(self._number, self._plan)

    @property
    def asks(self) -> bool:
        """Whether a person is asked before the next one begins; after the last one nobody is."""
        return self.spec.approval and self._number < self._last

    def under_way(self) -> bool:
        """Whether one of its targets is still to be run, now or again, or runs.

        Once another one has run, those that cannot be reached for now are not waited for.
        """
        rollout = self._rollout
        if any(self._mine(rollout.in_progress)) or any(self._mine(rollout.retrying)):
            return True
        queued = list(self._mine(rollout.queued))
        if not any(self._mine(rollout.executed_targets())):
            return bool(queued)
        return not all(self._out_of_reach(target) for target in queued)

    def failure(self) -> Trouble | None:
        """Return why it is not good enough to go on, if anything is left to go on with."""
        rollout = self._rollout
        if self._number == self._last or rollout.rollout.spec.strategy.on_failure == "continue":
            return None
        good, bad = list(self._mine(rollout.succeeded)), list(self._mine(failures(rollout)))
        ran = len(good) + len(bad)
        if not ran and self.spec.success_percent:
            return self._nothing_known()
        if not bad or 100 * len(good) >= self.spec.success_percent * ran:
            return None
        head = (
            f"{self.called} is not good enough: {len(good)} of {count(ran, 'target')} that ran "
            f"succeeded, {self.spec.success_percent}% are asked"
        )
        return WAVE_FAILED, head, bad

    def _nothing_known(self) -> Trouble | None:
        """Return the trouble of a wave that ran, and proved nothing: outcomes were ignored."""
        unknown = lately(self._rollout, self._mine(self._rollout.uncertain))
        if not unknown:
            return None
        head = f"{self.called} proves nothing: {count(len(unknown), 'outcome')} unknown, none known"
        return WAVE_FAILED, head, unknown

    def bakes_until(self) -> datetime | None:
        """Return when its time to bake is over; None if it has none, or was resumed in it."""
        if not self.spec.bake_seconds:
            return None
        ends = [t.status.completed_at for t in self._mine(self._rollout.executed_targets())]
        ended = max((end for end in ends if end is not None), default=None)
        accepted = self._rollout.accepted_until
        if ended is None or (accepted is not None and accepted >= ended):
            return None
        return ended + timedelta(seconds=self.spec.bake_seconds)

    def sickness(self) -> Trouble | None:
        """Return which of the instances that the rollout has updated are not healthy."""
        updated = self._updated()
        sick = [i for i in updated if i.status.health_status in SICK]
        if not sick:
            return None
        named = listed([f"{known_as(i)} is {i.status.health_status}" for i in sick])
        head = (
            f"{len(sick)} of {count(len(updated), 'updated instance')} did not stay healthy "
            f"while {self.called} was baking: {named}"
        )
        return UNHEALTHY_WHILE_BAKING, head, []

    def unknown(self) -> int:
        """Return of how many updated instances nobody knows the health."""
        return sum(i.status.health_status in {None, "unknown"} for i in self._updated())

    def baking(self, until: datetime) -> Gate:
        """Say what it waits for while it bakes."""
        if until > self._scope.now:
            self._scope.wakes.append(until)
            watched = count(len(self._updated()), "updated instance")
            return Gate(BAKING, f"the wave bakes until {at(until)}: {watched} watched")
        text = f"the wave has baked; the health of {count(self.unknown(), 'instance')}"
        return Gate(BAKING, f"{text} is not known yet")

    def needs_approval(self) -> bool:
        """Whether a person is asked and has not approved this very wave of this very plan."""
        return self.asks and approval(self._rollout.rollout) != self.token

    def asking(self) -> Gate:
        """Say what to approve, and how."""
        name, said = self._rollout.name, approval(self._rollout.rollout)
        text = (
            f"the wave went well; the next begins once it is approved: hydracore rollouts "
            f"approve {name} {self.token}, or annotate it {APPROVE_ANNOTATION}={self.token}"
        )
        passed = {token_of(number, self._plan) for number in range(1, self._number)}
        if said is not None and said not in passed:
            text += f" (what was approved, {said[:80]}, is another wave or plan)"
        return Gate(AWAITING_APPROVAL, text)

    def _out_of_reach(self, target: RolloutTarget) -> bool:
        instance = self._scope.instances.get(target.spec.instance_name)
        if instance is None:
            return False
        verdict = in_the_way(self._scope, self._rollout, instance)
        return verdict is not None and verdict[0] == "wait"

    def _mine(self, targets: Iterable[RolloutTarget]) -> Iterable[RolloutTarget]:
        return (t for t in targets if t.spec.wave == self._number)

    def _updated(self) -> list[Instance]:
        """Return the instances that the rollout has updated, in this wave and those before it."""
        found = (self._scope.instances.get(t.spec.instance_name) for t in self._rollout.succeeded)
        return [instance for instance in found if instance is not None]
