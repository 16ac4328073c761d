"""A rollout as a person wants to see it at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hydracore_core.rollouts.texts import at, called, count
from hydracore_crds.names import PAUSED_BY_ANNOTATION
from hydracore_crds.rollout import FINAL_STATES, Rollout, WaveStatus
from hydracore_crds.rollout_target import RolloutTarget


@dataclass(frozen=True, slots=True)
class TargetView:
    """One instance of the rollout."""

    instance: str
    state: str
    attempt: int
    seconds: float | None
    said: str


@dataclass(frozen=True, slots=True)
class WaveView:
    """One wave: what it is called, its state, and what there is to say about it."""

    called: str
    state: str
    said: str


@dataclass(frozen=True, slots=True)
class RolloutView:
    """The rollout and its targets.

    Attributes:
        name: Name of the Rollout.
        bundle: What it delivers.
        state: Its state; ``queued`` before the operator has seen it.
        message: What the operator says about it.
        halt_reason: Why it halted, if it did.
        paused_by: Who paused it, if somebody did.
        counts: Targets by state, in the order of their lives; states without any are left out.
        targets: In the order of the plan.
        waves: In order; none where the rollout has none.
    """

    name: str
    bundle: str
    state: str
    message: str
    halt_reason: str | None
    paused_by: str | None
    counts: dict[str, int] = field(default_factory=dict)
    targets: tuple[TargetView, ...] = ()
    waves: tuple[WaveView, ...] = ()

    @property
    def final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state in FINAL_STATES


def make_view(
    rollout: Rollout,
    targets: Sequence[RolloutTarget],
    now: datetime,
    labels: Mapping[str, str] | None = None,
) -> RolloutView:
    """Return the view at the time ``now``; ``labels`` says what people call the instances."""
    status = rollout.status
    paused_by = rollout.metadata.annotations.get(PAUSED_BY_ANNOTATION)
    counts = status.counts.model_dump() if status.counts is not None else {}
    ordered = sorted(targets, key=lambda t: (t.spec.rollback_of is not None, t.spec.order))
    return RolloutView(
        name=rollout.metadata.name,
        bundle=rollout.spec.bundle_name,
        state=status.state or "queued",
        message=status.message or "",
        halt_reason=status.halt_reason,
        paused_by=paused_by or ("spec.paused" if rollout.spec.paused else None),
        counts={name: number for name, number in counts.items() if number or name == "total"},
        targets=tuple(_target_view(target, now, labels or {}) for target in ordered),
        waves=tuple(_wave_views(status.waves or ())),
    )


def _wave_views(waves: Sequence[WaveStatus]) -> Iterator[WaveView]:
    for number, wave in enumerate(waves, start=1):
        said = count(wave.planned, "target")
        if wave.state == "baking" and wave.bakes_until is not None:
            said += f", until {at(wave.bakes_until)}"
        elif wave.state == "awaiting_approval":
            said += f", of {wave.approval}"
        elif wave.state == "passed" and wave.approved_by is not None:
            said += f", approved by {wave.approved_by}"
        yield WaveView(called(number, waves), wave.state, said)


def _target_view(target: RolloutTarget, now: datetime, labels: Mapping[str, str]) -> TargetView:
    status, name = target.status, target.spec.instance_name
    seconds = None
    if status.started_at is not None:
        seconds = max(0.0, ((status.completed_at or now) - status.started_at).total_seconds())
    return TargetView(
        instance=labels.get(name, name) + (" (back)" if target.spec.rollback_of else ""),
        state=status.state or "queued",
        attempt=status.attempt or target.spec.attempt,
        seconds=seconds,
        said=status.error_message or status.last_result_status or "",
    )
