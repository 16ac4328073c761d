"""The statuses of targets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.model import Requeue, Settle
from hydracore_crds import ObjectMeta, RolloutTarget
from hydracore_crds.base import find
from hydracore_crds.rollout_target import RolloutTargetSpec, RolloutTargetStatus
from hydracore_operator.rollouts import status
from hydracore_operator.rollouts.outcome import Verdict
from tests.operator.rollouts import builders
from tests.operator.rollouts.builders import DIGEST
from tests.operator.rollouts.fakes import START
from tests.simulation.agent import SimAgent
from tests.simulation.oracle import Oracle

TASK = "00000000-0000-4000-8000-000000000001"
LATER = START + timedelta(minutes=5)
DONE = Verdict("succeeded", "Activated", "fine", "activated")


def target(state: str | None = None, *, attempt: int = 1, **fields: Any) -> RolloutTarget:
    return RolloutTarget(
        metadata=ObjectMeta(name="r-00000", namespace="acme", generation=4),
        spec=RolloutTargetSpec(
            rollout_name="r",
            instance_name="i",
            instance_id=TASK,
            bundle_hash=DIGEST,
            order=0,
            attempt=attempt,
        ),
        status=RolloutTargetStatus.model_validate({"state": state, **fields}),
    )


INSTANCE = builders.instance("h", SimAgent(TASK, Oracle(), lambda: START))


def begin(found: RolloutTarget, attempt: int = 1) -> RolloutTargetStatus | None:
    return status.started(
        found, attempt=attempt, task_id=TASK, deadline=LATER, instance=INSTANCE, now=START
    )


@pytest.mark.parametrize("state", [None, "queued"])
def test_a_queued_target_starts(state: str | None) -> None:
    made = begin(target(state, error_message="old", last_result_status="timeout"))
    assert made is not None
    assert (made.state, made.task_id, made.deadline, made.attempt) == (
        "in_progress",
        TASK,
        LATER,
        1,
    )
    assert made.error_message is None
    assert made.last_result_status is None
    assert made.observed_generation == 4
    assert (made.hostname, made.previous_bundle_hash) == ("h", "0" * 64)
    condition = find(made.conditions, "Succeeded")
    assert condition is not None
    assert (condition.status, condition.reason) == ("Unknown", "Running")


@pytest.mark.parametrize("state", ["in_progress", "succeeded", "failed", "uncertain", "cancelled"])
def test_nothing_else_starts(state: str) -> None:
    assert begin(target(state)) is None


def test_another_attempt_does_not_start() -> None:
    assert begin(target("queued", attempt=2)) is None


@pytest.mark.parametrize("state", ["in_progress", "uncertain"])
def test_evidence_settles_what_is_open(state: str) -> None:
    made = status.finished(target(state, task_id=TASK), TASK, DONE, START)
    assert made is not None
    assert (made.state, made.completed_at, made.error_message) == ("succeeded", START, None)


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled", "queued"])
def test_final_states_stay(state: str) -> None:
    assert status.finished(target(state, task_id=TASK), TASK, DONE, START) is None


def test_another_order_settles_nothing() -> None:
    assert status.finished(target("in_progress", task_id=TASK), "other", DONE, START) is None


def settle(state: Any, attempt: int = 1, *, was: Any = "in_progress") -> Settle:
    return Settle("r", "r-00000", attempt, was, state, "Timeout", "no answer", "timeout")


def test_a_deadline_makes_uncertain() -> None:
    made = status.settled(target("in_progress", attempt=1), settle("uncertain"), START)
    assert made is not None
    condition = find(made.conditions, "Succeeded")
    assert condition is not None
    assert (made.state, condition.status) == ("uncertain", "Unknown")


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled", "uncertain"])
@pytest.mark.parametrize("was", ["queued", "in_progress"])
def test_the_plan_does_not_undo_an_end(state: str, was: str) -> None:
    assert status.settled(target(state), settle("cancelled", was=was), START) is None


def test_what_started_meanwhile_is_no_longer_dropped_from_the_queue() -> None:
    dropped = settle("cancelled", was="queued")
    assert status.settled(target("queued"), dropped, START) is not None
    assert status.settled(target(None), dropped, START) is not None
    assert status.settled(target("in_progress", attempt=1), dropped, START) is None


def test_the_plan_does_not_settle_another_attempt() -> None:
    dropped = settle("cancelled", 1, was="queued")
    assert status.settled(target("queued", attempt=3), dropped, START) is None


def test_a_retry_starts_clean() -> None:
    found = target("failed", attempt=2, task_id=TASK, error_message="x", completed_at=START)
    found.status.attempt = 1
    made = status.requeued(found, Requeue("r", "r-00000", 2), START)
    assert made is not None
    assert (made.state, made.attempt, made.task_id, made.error_message, made.completed_at) == (
        "queued",
        2,
        None,
        None,
        None,
    )


def test_a_refused_retry_keeps_the_state() -> None:
    made = status.retry_refused(target("failed", attempt=2), 2, "a newer rollout has it", START)
    assert made is not None
    condition = find(made.conditions, "Succeeded")
    assert condition is not None
    assert (made.state, condition.reason, condition.observed_generation) == (
        "failed",
        "RetryRefused",
        4,
    )


@pytest.mark.parametrize(
    ("state", "asked", "ended", "attempt", "allowed"),
    [
        ("failed", 1, 1, 2, True),
        ("failed", 2, 2, 3, True),
        ("failed", 1, 1, 3, False),
        ("failed", 2, 1, 2, False),
        ("failed", 2, 1, 3, False),
        ("uncertain", 1, 1, 2, False),
        ("queued", 1, 1, 2, False),
        ("succeeded", 1, 1, 2, False),
    ],
)
def test_the_operator_raises_an_attempt_only_from_the_failure_that_it_saw(
    state: str, asked: int, ended: int, attempt: int, *, allowed: bool
) -> None:
    found = target(state, attempt=asked)
    found.status.attempt = ended
    assert status.may_raise(found, attempt) == allowed
    found.metadata.deletion_timestamp = START
    assert not status.may_raise(found, attempt)
