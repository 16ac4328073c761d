"""The steps of rollouts and targets, one write at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.trail import Step, extended, rollout_steps, target_steps
from hydracore_crds import Rollout
from hydracore_crds.rollout import RollbackStatus, WaveStatus
from hydracore_crds.transition import MAX_TRANSITIONS
from tests.core.rollouts.builders import NOW, condition, done, fleet, raised, rollout, running

KEY = "api-key laptop (k-1)"
SOON = NOW + timedelta(minutes=1)


def at(reason: str, **status: Any) -> Rollout:
    """A rollout whose status has this state and reason."""
    found = rollout()
    return with_status(found, reason, **status)


def with_status(found: Rollout, reason: str, **status: Any) -> Rollout:
    conditions = [condition("Progressing", "True", reason)]
    changed = found.status.model_copy(
        update={"conditions": conditions, "transitions": BORN, **status}
    )
    return found.model_copy(update={"status": changed})


def told(old: Rollout, reason: str, *targets: Any, **status: Any) -> list[tuple[str, str, str]]:
    new = with_status(old, reason, **status).status
    return [(s.event, s.state, s.actor) for s in rollout_steps(old, new, targets)]


BORN = extended([], [Step("created", "queued")], NOW)


def mark(found: Rollout, **marks: str) -> Rollout:
    names = {f"hydracore.io/{k.replace('_', '-')}": v for k, v in marks.items()}
    metadata = found.metadata.model_copy(update={"annotations": names})
    return found.model_copy(update={"metadata": metadata})


def test_counts_and_waiting_are_no_steps() -> None:
    assert told(at("Queued", state="queued"), "WaitingForWindow", state="queued") == []


def test_the_first_start_and_the_end() -> None:
    queued = at("Queued", state="queued")
    assert told(queued, "Running", state="in_progress", started_at=NOW) == [
        ("started", "in_progress", "operator")
    ]
    assert told(at("Running", state="in_progress"), "Completed", state="succeeded") == [
        ("succeeded", "succeeded", "operator")
    ]
    assert told(at("Running", state="in_progress"), "TargetsFailed", state="failed") == [
        ("failed", "failed", "operator")
    ]


def test_a_pause_and_a_resume_by_a_key() -> None:
    paused = mark(at("Running", state="in_progress"), paused_by=KEY)
    assert told(paused, "Paused", state="paused") == [("paused", "paused", KEY)]
    resumed = mark(at("Paused", state="paused"), resumed_by=KEY, resumed_at="x")
    assert told(resumed, "Running", state="in_progress", resumed_at=NOW) == [
        ("resumed", "in_progress", KEY)
    ]


def test_a_halt_is_the_operators_and_says_why() -> None:
    running_ = at("Running", state="in_progress")
    new = with_status(
        running_, "FailureThresholdReached", state="paused", halted_at=NOW, halt_reason="Halted: x"
    ).status
    assert rollout_steps(running_, new, ()) == [
        Step("halted", "paused", reason="FailureThresholdReached", message="Halted: x")
    ]


def test_one_that_halts_again_was_resumed_in_between() -> None:
    halted = mark(
        at("FailureThresholdReached", state="paused", halted_at=NOW), resumed_by=KEY, resumed_at="x"
    )
    assert told(
        halted, "FailureThresholdReached", state="paused", halted_at=SOON, resumed_at=SOON
    ) == [("resumed", "in_progress", KEY), ("halted", "paused", "operator")]


def test_a_cancel_has_a_beginning_and_an_end_and_resumes_nothing() -> None:
    paused = mark(at("Paused", state="paused"), cancel="Graceful", cancelled_by=KEY)
    assert told(paused, "Cancelling", state="in_progress") == [("cancelling", "in_progress", KEY)]
    going = mark(at("Cancelling", state="in_progress"), cancel="Graceful", cancelled_by=KEY)
    assert told(going, "Cancelled", state="cancelled") == [("cancelled", "cancelled", KEY)]


@pytest.mark.parametrize("reason", ["Cancelled", "AlreadyExecuted"])
def test_what_nobody_cancelled_was_ended_by_the_operator(reason: str) -> None:
    """Superseded, or it ran before."""
    queued = at("Queued", state="queued")
    assert told(queued, reason, state="cancelled") == [("cancelled", "cancelled", "operator")]


def test_a_retry_reopens_in_the_name_of_who_asked() -> None:
    ended = at("TargetsFailed", state="failed", started_at=NOW)
    again = raised(done(ended, fleet(1)[0], 0, "failed"))
    again.metadata.annotations = {"hydracore.io/retried-by": KEY}
    assert told(ended, "Running", again, state="in_progress") == [("reopened", "in_progress", KEY)]


def test_late_evidence_settles_an_ended_rollout() -> None:
    ended = at("TargetsFailed", state="failed", started_at=NOW)
    assert told(ended, "Completed", state="succeeded") == [("settled", "succeeded", "operator")]


@pytest.mark.parametrize(
    ("before", "after", "event"),
    [
        ("queued", "in_progress", "started"),
        ("in_progress", "queued", "put_back"),
        ("in_progress", "succeeded", "succeeded"),
        ("in_progress", "failed", "failed"),
        ("in_progress", "uncertain", "uncertain"),
        ("uncertain", "succeeded", "settled"),
        ("uncertain", "failed", "settled"),
        ("failed", "queued", "retried"),
        ("uncertain", "queued", "retried"),
        ("queued", "cancelled", "cancelled"),
    ],
)
def test_the_steps_of_a_target(before: str, after: str, event: str) -> None:
    owner = rollout()
    old = done(owner, fleet(1)[0], 0, before)
    new = old.status.model_copy(update={"state": after, "attempt": 2})
    found = target_steps(old, new, owner)
    assert [(step.event, step.state, step.attempt) for step in found] == [(event, after, 2)]


def test_a_target_that_a_person_cancelled_says_so() -> None:
    owner = mark(rollout(cancel="Graceful"), cancelled_by=KEY)
    old = done(owner, fleet(1)[0], 0, "queued")
    for reason, actor in (("Cancelled", KEY), ("Aborted", KEY), ("Superseded", "operator")):
        new = old.status.model_copy(
            update={"state": "cancelled", "conditions": [condition("Succeeded", "False", reason)]}
        )
        assert [step.actor for step in target_steps(old, new, owner)] == [actor]


def test_what_is_no_change_of_state_is_no_step() -> None:
    owner = rollout()
    old = running(owner, fleet(1)[0])
    new = old.status.model_copy(update={"conditions": [condition("Succeeded", "Unknown", "X")]})
    assert target_steps(old, new, owner) == []


def test_a_trail_counts_on_while_its_oldest_steps_leave_it() -> None:
    trail = extended([], [Step("paused", "paused")] * (MAX_TRANSITIONS + 3), NOW)
    assert [one.seq for one in trail] == list(range(4, MAX_TRANSITIONS + 4))
    again = extended(trail, [Step("resumed", "in_progress", message="x" * 999)], SOON)
    assert (again[-1].seq, len(again[-1].message or "")) == (MAX_TRANSITIONS + 4, 256)


def test_the_first_write_tells_of_the_creation_at_its_own_time() -> None:
    made = rollout(initiated_by=KEY)
    made.metadata.creation_timestamp = NOW - timedelta(minutes=5)
    new = with_status(made, "Running", state="in_progress", started_at=NOW).status
    trail = extended([], rollout_steps(made, new, ()), SOON)
    assert [(one.seq, one.event, one.actor, one.at) for one in trail] == [
        (1, "created", KEY, NOW - timedelta(minutes=5)),
        (2, "started", "operator", SOON),
    ]


@pytest.mark.parametrize(
    ("asked", "actor"),
    [("ada", "kubernetes-user ada"), (KEY, KEY), ("its annotation", "unknown"), (None, "operator")],
)
def test_a_rollback_is_begun_by_who_asked_for_it(asked: str | None, actor: str) -> None:
    begun = RollbackStatus(started_at=NOW, reason="so it is", requested_by=asked)
    running_ = at("Running", state="in_progress")
    assert told(running_, "RollingBack", state="in_progress", rollback=begun) == [
        ("rolling_back", "in_progress", actor)
    ]
    again = at("RollingBack", state="in_progress", rollback=begun)
    assert told(again, "RollingBack", state="in_progress", rollback=begun) == []


def test_a_wave_is_approved_once_and_by_somebody() -> None:
    waits = WaveStatus(planned=1, state="awaiting_approval", approval="1@abc")
    passed = waits.model_copy(update={"state": "passed", "approved_by": "grace"})
    old = at("AwaitingApproval", state="in_progress", waves=[waits, WaveStatus(planned=1)])
    new = [passed, WaveStatus(planned=1)]
    assert told(old, "Running", state="in_progress", waves=new) == [
        ("approved", "in_progress", "kubernetes-user grace")
    ]
    later = at("Running", state="in_progress", waves=new)
    assert told(later, "Running", state="in_progress", waves=new) == []
