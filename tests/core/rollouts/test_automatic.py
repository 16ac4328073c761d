from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.automatic import backoff
from hydracore_core.rollouts.model import Plan, RaiseAttempt, Report, Requeue, Start
from hydracore_core.rollouts.plan import plan
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.base import format_time
from hydracore_crds.names import RESUMED_AT_ANNOTATION
from hydracore_crds.rollout import RolloutStatus
from tests.core.rollouts.builders import (
    NOW,
    condition,
    done,
    fleet,
    of,
    policy,
    raised,
    rollout,
    running,
    target,
    view,
)

A, B, C = fleet(3)
LONG_AGO = {"completed_at": NOW - timedelta(hours=2)}
TWO = {"retryLimit": 2, "retryBackoffSeconds": 60}


def owner(**fields: Any) -> Rollout:
    return rollout(**{"admitted": True, "strategy": TWO, **fields})


def decide(of_: Rollout, *targets: RolloutTarget, **fields: Any) -> Plan:
    return plan(view(**{"rollouts": [of_], "instances": [A, B, C], "targets": targets, **fields}))


def failed(of_: Rollout, attempt: int = 1, order: int = 0, **status: Any) -> RolloutTarget:
    return done(of_, A, order, "failed", attempt=attempt, **{**LONG_AGO, **status})


def told(made: Plan, of_: Rollout) -> RolloutStatus:
    reports = of(made, Report)
    return reports[0].status if reports else of_.status


def test_a_failed_target_is_tried_again_once_its_backoff_has_passed() -> None:
    asked = decide(owner(), failed(owner()))
    assert of(asked, RaiseAttempt) == [RaiseAttempt("r1", "r1-00000", 2)]
    fresh = failed(owner(), completed_at=NOW - timedelta(seconds=10))
    waits = decide(owner(), fresh)
    assert of(waits, RaiseAttempt) == []
    due = NOW - timedelta(seconds=10) + backoff(60, 1, fresh.metadata.uid)
    assert waits.wake_at == due


def test_while_it_waits_for_that_the_rollout_neither_ends_nor_halts() -> None:
    fresh = failed(owner(), completed_at=NOW)
    status = told(decide(owner(), fresh), owner())
    assert (status.state, status.halt_reason) == ("in_progress", None)
    assert next(c.reason for c in status.conditions if c.type == "Progressing") == "WaitingForRetry"
    beside = decide(owner(), fresh, target(owner(), B, 1))
    assert [start.target_name for start in of(beside, Start)] == ["r1-00001"]
    assert told(beside, owner()).halt_reason is None


def test_the_raised_attempt_is_queued_like_a_persons() -> None:
    made = decide(owner(), raised(failed(owner())))
    assert of(made, Requeue) == [Requeue("r1", "r1-00000", 2)]
    assert of(made, RaiseAttempt) == []


def test_after_the_last_retry_the_failure_counts() -> None:
    status = told(decide(owner(), failed(owner(), attempt=3), target(owner(), B, 1)), owner())
    assert status.halt_reason is not None
    assert status.halt_reason.startswith("Halted: 1 of 1 executed target failed, the limit is 1.")
    assert told(decide(owner(), failed(owner(), attempt=3)), owner()).state == "failed"


def test_without_a_limit_nothing_is_tried_again() -> None:
    plain = rollout(admitted=True)
    made = decide(plain, failed(plain))
    assert of(made, RaiseAttempt) == []
    assert told(made, plain).state == "failed"


@pytest.mark.parametrize(
    "ended",
    [
        failed(owner(), last_result_status="rejected"),
        done(owner(), A, 0, "uncertain", **LONG_AGO),
        done(owner(), A, 0, "cancelled", **LONG_AGO),
        failed(owner()).model_copy(
            update={
                "metadata": failed(owner()).metadata.model_copy(update={"deletion_timestamp": NOW})
            }
        ),
    ],
    ids=["rejected", "uncertain", "cancelled", "in deletion"],
)
def test_what_a_retry_cannot_change_is_left_to_a_person(ended: RolloutTarget) -> None:
    assert of(decide(owner(), ended), RaiseAttempt) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"cancel": "Graceful"},
        {"paused": True},
        {"held": False},
        {"status": {"state": "failed", "completed_at": NOW}},
        {"status": {"state": "paused", "halt_reason": "why", "halted_at": NOW}},
    ],
    ids=["cancelled", "paused", "not held", "finished", "halted"],
)
def test_a_rollout_that_starts_nothing_tries_nothing_again(fields: dict[str, Any]) -> None:
    stopped = owner(**fields)
    assert of(decide(stopped, failed(stopped), target(stopped, B, 1)), RaiseAttempt) == []


def test_a_resume_is_stored_before_anything_is_tried_again() -> None:
    halted = owner(
        status={"state": "paused", "halt_reason": "why", "halted_at": NOW - timedelta(minutes=1)},
        annotations={RESUMED_AT_ANNOTATION: format_time(NOW)},
    )
    kinds = [type(intent) for intent in decide(halted, failed(halted)).intents]
    assert kinds.index(Report) < kinds.index(RaiseAttempt)


def test_outside_the_window_it_waits_and_goes_on_later() -> None:
    closed = policy(window=(22, 23))
    made = decide(owner(), failed(owner()), policy=closed)
    assert of(made, RaiseAttempt) == []
    assert told(made, owner()).state == "in_progress"
    urgent = owner(override_window=True)
    assert of(decide(urgent, failed(urgent), policy=closed), RaiseAttempt) != []


def test_what_a_newer_rollout_has_touched_is_never_tried_again() -> None:
    old = owner(age=timedelta(hours=1))
    new = rollout("r2", admitted=True)
    targets = [failed(old), running(new, A)]
    made = decide(old, rollouts=[old, new], targets=targets)
    assert of(made, RaiseAttempt) == []
    reports = {report.rollout_name: report.status for report in of(made, Report)}
    assert reports["r1"].state == "failed"


def test_an_instance_that_is_gone_is_never_tried_again() -> None:
    assert of(decide(owner(), failed(owner()), instances=[B]), RaiseAttempt) == []


def test_a_retry_that_was_refused_counts_as_failed() -> None:
    refused = raised(failed(owner(), conditions=[condition("Succeeded", "False", "RetryRefused")]))
    refused.status.conditions[0].observed_generation = refused.metadata.generation
    made = decide(owner(), refused)
    assert of(made, Requeue) == of(made, RaiseAttempt) == []
    assert told(made, owner()).state == "failed"


def test_a_wave_is_not_over_while_one_of_its_targets_is_tried_again() -> None:
    waved = owner(
        strategy={**TWO, "waves": [{"count": 1}]},
        status={"wave": 1, "waves": [{"planned": 1}, {"planned": 1}]},
    )
    later = target(waved, B, 1)
    later.spec.wave = 2
    made = decide(waved, failed(waved, completed_at=NOW), later)
    assert of(made, Start) == []
    status = told(made, waved)
    assert status.halt_reason is None
    assert status.waves is not None
    assert status.waves[0].state == "running"


def test_a_backoff_doubles_up_to_an_hour_with_a_jitter_of_a_fifth() -> None:
    for attempt, plain in ((1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (10, 3600)):
        waits = {backoff(30, attempt, f"uid-{n}").total_seconds() for n in range(40)}
        assert 0.8 * plain <= min(waits) < max(waits) <= 1.2 * plain
        assert len(waits) > 5, "a fleet would come back at once"


def test_a_backoff_is_the_same_in_every_process() -> None:
    assert backoff(300, 2, "7c9e") == timedelta(seconds=487)
    assert backoff(300, 2, "7c9f") != timedelta(seconds=487)
