"""One tenant, indexed: everything the phases of the plan read, and where they put decisions.

Built once for each plan by :func:`hydracore_core.rollouts.survey.survey`. Phases never change the
models of the view; they set what is decided here and append to the outbox.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from hydracore_core.platform.freeze import Freeze
from hydracore_core.rollouts.model import Note, Slot, TenantView
from hydracore_core.rollouts.outbox import Outbox
from hydracore_core.rollouts.shelves import Shelves
from hydracore_core.windows import WindowState
from hydracore_crds import Instance, Rollout, RolloutTarget
from hydracore_crds.conditions import HALTED
from hydracore_crds.rollout import (
    FINAL_STATES,
    CancelMode,
    Counts,
    ProgressClock,
    RollbackStatus,
    Skipped,
    WaveStatus,
)

LONG_AGO = datetime.min.replace(tzinfo=UTC)
"""Stands for a time that is not known."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Why a rollout starts nothing now: a condition reason and a sentence."""

    reason: str
    message: str


@dataclass(slots=True)
class RolloutScope(Shelves):
    """One rollout with its targets as they are stored, and what this plan decided for it.

    Attributes:
        rollout: The rollout.
        cancel: How it is cancelled, if it is.
        back: Targets that take back what others have updated.
        rollback: How that goes; None where it has not begun.
        returning: Something is still to be taken back, or under way.
        retrying: Failed targets that the operator itself will try again; they do not count yet.
        removed: Targets that were deleted by hand, by what they count as.
        taken: Slots that its targets hold.
        drained: Targets that time or deletion settles in this very plan: what they mean for the
            threshold is only known in the next one, so nothing starts until then.
        gate: Why it starts nothing.
        wait: Why it started less than it has waiting, although no gate is closed.
        starting: How many targets this plan starts.
        last_started_at: The latest start of a target, where starts keep a distance.
        clock: How long nothing has succeeded, where it has a progress deadline.
        wave: The number of the wave it is in; None where it has no waves.
        waves: Its waves as this plan finds them.
        in_wave: A wave is not passed yet, so that it has not ended.
        halt_cause: Reason of the conditions while it is halted.
        halt_reason: Why it is halted, for people; None if it is not.
        halted_at: Since when.
        resumed_at: The newest resume that was honoured.
        accepted_until: Failures up to this time do not count towards the threshold.
        reopened: It had finished, and a retry has put it back to work.
        missing: How many of its targets are still to be created.
        completed: Who is skipped, once this plan finds that all its targets are there.
        plan_hash: The fingerprint of its plan, where this plan completes its set.
        begun: Its work has begun, for this very object, and history knows or will know it.
        refused: Why it must never begin: the same work already ran for another object.
    """

    rollout: Rollout
    cancel: CancelMode | None
    back: Shelves = field(default_factory=Shelves)
    rollback: RollbackStatus | None = None
    returning: bool = False
    retrying: list[RolloutTarget] = field(default_factory=list)
    removed: Counts = field(default_factory=Counts)
    taken: int = 0
    drained: int = 0
    gate: Gate | None = None
    wait: Gate | None = None
    starting: int = 0
    last_started_at: datetime | None = None
    clock: ProgressClock | None = None
    wave: int | None = None
    waves: list[WaveStatus] | None = None
    in_wave: bool = False
    halt_cause: str = HALTED
    halt_reason: str | None = None
    halted_at: datetime | None = None
    resumed_at: datetime | None = None
    accepted_until: datetime | None = None
    reopened: bool = False
    missing: int = 0
    completed: Skipped | None = None
    plan_hash: str | None = None
    begun: bool = False
    refused: str | None = None

    @property
    def name(self) -> str:
        """The rollout's name."""
        return self.rollout.metadata.name

    @property
    def subject(self) -> str:
        """How notes refer to it."""
        return f"rollout/{self.rollout.metadata.name}"

    @property
    def counts(self) -> Counts:
        """Its targets by stored state, those that were deleted by hand among them."""
        there, gone = self.there.model_dump(), self.removed.model_dump()
        return Counts(**{state: number + gone[state] for state, number in there.items()})

    @property
    def executed(self) -> int:
        """How many targets ran to an end: succeeded, failed or uncertain."""
        counts = self.counts
        return counts.succeeded + counts.failed + counts.uncertain

    @property
    def unfinished(self) -> bool:
        """Whether a target is still to be run, now or again, or runs, or is to be taken back."""
        return self.working or self.returning or bool(self.retrying)

    @property
    def over(self) -> bool:
        """Whether it has ended, and nothing has put it back to work."""
        return self.stored_final and not self.unfinished

    @property
    def startable(self) -> list[RolloutTarget]:
        """Targets that wait and whose turn has come."""
        if self.rollback is not None:
            return self.back.waiting
        if self.wave is None:
            return self.waiting
        return [target for target in self.waiting if target.spec.wave <= self.wave]

    @property
    def stored_final(self) -> bool:
        """Whether the stored state is final."""
        return self.rollout.status.state in FINAL_STATES

    @property
    def growing(self) -> bool:
        """Whether targets may still be added to it."""
        return not self.rollout.status.targets_created or self.rollout.spec.dynamic

    @property
    def admitted(self) -> bool:
        """Whether the set of its targets is complete."""
        return bool(self.rollout.status.targets_created) or self.completed is not None


@dataclass(slots=True)
class TenantScope:
    """The tenant.

    Attributes:
        view: What was read.
        window: The tenant's window now.
        freeze: The freeze of the platform that holds now, if any.
        limit: How many slots there are.
        rollouts: All rollouts, oldest first.
        instances: Instances by name.
        orphans: Targets whose rollout is gone (or is a namesake of theirs).
        slots: Ledger entries by task id.
        slot_targets: Targets that ledger entries name, by target name.
        held: Names of instances that an order may be on its way to, or works on.
        taken: How many slots are taken.
        wanted: How many it could use, if the platform granted them.
        wakes: Times at which the answer changes by itself.
        out: The decisions.
    """

    view: TenantView
    window: WindowState
    freeze: Freeze | None
    limit: int
    rollouts: list[RolloutScope]
    instances: dict[str, Instance]
    orphans: list[RolloutTarget] = field(default_factory=list)
    slots: dict[str, Slot] = field(default_factory=dict)
    slot_targets: dict[str, RolloutTarget] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    taken: int = 0
    wanted: int = 0
    wakes: list[datetime] = field(default_factory=list)
    out: Outbox = field(default_factory=Outbox)

    @property
    def now(self) -> datetime:
        """The time of this plan."""
        return self.view.now

    def note(self, subject: str, text: str) -> None:
        """Explain a decision."""
        self.out.notes.append(Note(subject, text))


def age_key(rollout: Rollout) -> tuple[datetime, str]:
    """Return the key by which rollouts are older or newer; names decide within one second."""
    return (rollout.metadata.creation_timestamp or LONG_AGO, rollout.metadata.name)


def queue_key(target: RolloutTarget) -> tuple[int, str]:
    """Return the key of a target's place in its rollout."""
    return (target.spec.order, target.metadata.name)
