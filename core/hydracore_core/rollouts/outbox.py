"""Where the phases of the plan put their decisions, by kind."""

from __future__ import annotations

from dataclasses import dataclass, field

from hydracore_core.rollouts.model import (
    Abort,
    Admit,
    AskHistory,
    Hold,
    Intent,
    LetGo,
    Note,
    RaiseAttempt,
    RefuseRetry,
    Release,
    Report,
    Requeue,
    Resolve,
    Settle,
    Start,
    TakeBack,
    Track,
)


@dataclass(slots=True)
class Outbox:
    """Decisions by kind, so that the plan can put them into the right order."""

    hold: list[Hold] = field(default_factory=list)
    ask: list[AskHistory] = field(default_factory=list)
    settle: list[Settle] = field(default_factory=list)
    retry: list[Requeue | RefuseRetry] = field(default_factory=list)
    attempt: list[RaiseAttempt] = field(default_factory=list)
    abort: list[Abort] = field(default_factory=list)
    ledger: list[Release | Resolve] = field(default_factory=list)
    report: list[Report] = field(default_factory=list)
    start: list[Start] = field(default_factory=list)
    track: list[Track] = field(default_factory=list)
    admit: list[Admit] = field(default_factory=list)
    take_back: list[TakeBack] = field(default_factory=list)
    let_go: list[LetGo] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def intents(self) -> tuple[Intent, ...]:
        """Return all intents: stop and settle, report, start, follow, then the long work.

        A resume is reported before what it lets go on.
        """
        return (
            *self.hold,
            *sorted(self.settle, key=lambda s: (s.rollout_name, s.target_name)),
            *self.retry,
            *self.abort,
            *self.ledger,
            *self.report,
            *self.attempt,
            *self.start,
            *self.track,
            *self.ask,
            *self.admit,
            *self.take_back,
            *self.let_go,
        )
