from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.model import Plan, RefuseRetry, Report, Requeue, Start
from hydracore_core.rollouts.plan import plan
from hydracore_crds import RolloutTarget
from hydracore_crds.names import PAUSED_BY_ANNOTATION
from tests.core.rollouts.builders import (
    NOW,
    condition,
    done,
    fleet,
    instance,
    of,
    raised,
    rollout,
    target,
    view,
)

A, B = fleet(2)
ENDED = rollout(admitted=True, status={"state": "failed", "completed_at": NOW})


def decide(*targets: RolloutTarget, **fields: Any) -> Plan:
    return plan(view(**{"rollouts": [ENDED], "instances": [A, B], "targets": targets, **fields}))


@pytest.mark.parametrize("state", ["failed", "uncertain"])
def test_a_raised_attempt_queues_the_target_again(state: str) -> None:
    made = decide(raised(done(ENDED, A, 0, state)))
    assert of(made, Requeue) == [Requeue("r1", "r1-00000", 2)]
    assert of(made, Start) == []


@pytest.mark.parametrize("state", ["succeeded", "cancelled"])
def test_what_is_settled_for_good_is_never_retried(state: str) -> None:
    made = decide(raised(done(ENDED, A, 0, state)))
    assert not of(made, Requeue)
    assert not of(made, RefuseRetry)


def test_without_a_raised_attempt_nothing_is_retried() -> None:
    assert of(decide(done(ENDED, A, 0, "failed")), Requeue) == []


def test_a_queued_retry_reopens_the_rollout_and_accepts_what_failed_before() -> None:
    again = target(ENDED, A, 0, attempt=2, state="queued")
    made = decide(again, done(ENDED, B, 1, "failed"))
    (report,) = of(made, Report)
    assert report.status.state == "in_progress"
    assert report.status.completed_at is None
    assert report.status.failures_accepted_until == NOW
    (start,) = of(made, Start)
    assert start.attempt == 2


def test_a_rollout_that_ended_while_halted_is_reopened_without_its_halt() -> None:
    halted = {"state": "failed", "completed_at": NOW, "halt_reason": "why", "halted_at": NOW}
    owner = rollout(admitted=True, status=halted)
    again = target(owner, A, 0, attempt=2, state="queued")
    made = decide(again, done(owner, B, 1, "failed"), rollouts=[owner])
    assert len(of(made, Start)) == 1
    (report,) = of(made, Report)
    assert report.status.halt_reason is None


def test_while_paused_a_retry_waits() -> None:
    paused = rollout(
        admitted=True,
        annotations={PAUSED_BY_ANNOTATION: "ada"},
        status={"state": "failed", "completed_at": NOW},
    )
    made = decide(target(paused, A, 0, attempt=2, state="queued"), rollouts=[paused])
    assert of(made, Start) == []
    (report,) = of(made, Report)
    assert report.status.state == "paused"


def refusal(*targets: RolloutTarget, **fields: Any) -> str:
    made = decide(*targets, **fields)
    assert of(made, Requeue) == []
    (refused,) = of(made, RefuseRetry)
    assert refused.attempt == 2
    return refused.message


def test_refused_once_a_newer_rollout_has_touched_the_instance() -> None:
    old = rollout("old", admitted=True, age=timedelta(hours=1))
    retried = raised(done(old, A, 0, "failed"))
    text = refusal(retried, done(ENDED, A, 0, "succeeded"), rollouts=[old, ENDED])
    assert "newer rollout" in text
    assert "redeploy" in text


def test_refused_in_a_cancelled_rollout_and_without_the_instance() -> None:
    cancelled = rollout(admitted=True, cancel="Graceful")
    assert "cancelled" in refusal(raised(done(cancelled, A, 0, "failed")), rollouts=[cancelled])
    retried = raised(done(ENDED, A, 0, "failed"))
    assert "deleted" in refusal(retried, instances=[B])
    assert "another" in refusal(retried, instances=[instance("a-0", incarnation=2)])


def test_a_refusal_is_said_once_and_a_further_attempt_is_heard_again() -> None:
    said = condition("Succeeded", "False", "RetryRefused")
    said.observed_generation = 2
    refused = raised(done(ENDED, A, 0, "failed", conditions=[said]))
    assert refused.metadata.generation == 2
    assert of(decide(refused, instances=[B]), RefuseRetry) == []
    assert of(decide(refused), Requeue) == []
    assert of(decide(raised(refused)), Requeue) == [Requeue("r1", "r1-00000", 3)]
