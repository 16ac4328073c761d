from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.model import Report
from hydracore_core.rollouts.plan import plan
from hydracore_core.rollouts.status import is_urgent
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.rollout import Counts, ProgressClock, RolloutStatus
from tests.core.rollouts.builders import (
    NOW,
    condition,
    done,
    fleet,
    of,
    policy,
    rollout,
    running,
    target,
    view,
)

FLEET = fleet(8)


def report(owner: Rollout, *targets: RolloutTarget, **fields: Any) -> RolloutStatus:
    made = plan(view(rollouts=[owner], targets=targets, instances=FLEET, **fields))
    reports = of(made, Report)
    return reports[0].status if reports else owner.status


def flag(status: RolloutStatus, type_: str) -> tuple[str, str]:
    found = next(c for c in status.conditions if c.type == type_)
    return found.status, found.reason


def test_counts_are_those_of_the_targets_and_add_up() -> None:
    owner = rollout(admitted=True)
    ended = ("succeeded", "succeeded", "failed", "uncertain", "cancelled")
    targets = [done(owner, FLEET[n], n, state) for n, state in enumerate(ended)]
    targets += [running(owner, FLEET[5], 5), target(owner, FLEET[6], 6)]
    status = report(owner, *targets)
    assert status.counts == Counts(
        total=7, queued=1, in_progress=1, succeeded=2, failed=1, uncertain=1, cancelled=1
    )
    assert status.observed_generation == 1


@pytest.mark.parametrize(
    ("states", "cancel", "state", "reason", "succeeded"),
    [
        (["succeeded"], None, "succeeded", "Completed", "True"),
        (["succeeded", "cancelled"], None, "succeeded", "Completed", "True"),
        (["succeeded", "failed"], None, "failed", "TargetsFailed", "False"),
        (["succeeded", "uncertain"], None, "failed", "TargetsFailed", "False"),
        (["cancelled", "cancelled"], None, "cancelled", "Cancelled", "False"),
        (["succeeded", "cancelled"], "Graceful", "cancelled", "Cancelled", "False"),
        (["failed", "succeeded"], "Graceful", "cancelled", "Cancelled", "False"),
        (["succeeded", "succeeded"], "Graceful", "succeeded", "Completed", "True"),
        ([], "Graceful", "cancelled", "Cancelled", "False"),
        ([], None, "succeeded", "NothingToDo", "True"),
    ],
)
def test_how_it_ends(
    states: list[str], cancel: Any, state: str, reason: str, succeeded: str
) -> None:
    owner = rollout(admitted=True, cancel=cancel)
    status = report(owner, *(done(owner, FLEET[n], n, s) for n, s in enumerate(states)))
    assert status.state == state
    assert flag(status, "Progressing") == ("True", reason)
    assert flag(status, "Succeeded") == (succeeded, reason)
    assert status.completed_at == (NOW - timedelta(minutes=1) if states else NOW)


def test_it_is_queued_until_the_first_start_and_succeeded_unknown_until_the_end() -> None:
    owner = rollout(admitted=True)
    status = report(owner, target(owner, FLEET[0]))
    assert status.state == "queued"
    assert status.started_at is status.completed_at is None
    assert flag(status, "Succeeded")[0] == "Unknown"
    flying = running(owner, FLEET[0])
    status = report(owner, flying, target(owner, FLEET[1], 1))
    assert status.state == "in_progress"
    assert status.started_at == flying.status.started_at
    odd = running(owner, FLEET[1], 1, started_at=None)
    assert report(owner, odd, flying).started_at == flying.status.started_at
    between = report(owner, done(owner, FLEET[0], 0, "succeeded"), target(owner, FLEET[1], 1))
    assert between.state == "in_progress"


def finished(*targets: RolloutTarget, state: str = "failed") -> Rollout:
    owner = rollout(admitted=True)
    status = report(owner, *targets)
    assert status.state == state
    return owner.model_copy(update={"status": status})


def test_a_finished_rollout_is_left_alone_even_when_its_targets_are_removed() -> None:
    owner = rollout(admitted=True)
    targets = [done(owner, FLEET[0], 0, "succeeded"), done(owner, FLEET[1], 1, "failed")]
    ended = finished(*targets)
    for later in (targets, targets[:1], []):
        made = plan(
            view(
                rollouts=[ended],
                targets=later,
                instances=FLEET,
                now=NOW + timedelta(days=3, hours=11),
                policy=policy(2, window=(22, 23)),
            )
        )
        assert made.intents == ()


def test_late_evidence_is_taken_in() -> None:
    owner = rollout(admitted=True)
    unsure = done(owner, FLEET[0], 0, "uncertain")
    ended = finished(unsure)
    status = report(ended, done(owner, FLEET[0], 0, "succeeded"))
    assert status.state == "succeeded"
    assert status.completed_at == ended.status.completed_at
    assert flag(status, "Succeeded") == ("True", "Completed")


def test_evidence_after_a_belated_cancel_tells_how_it_ended_all_the_same() -> None:
    owner = rollout(admitted=True)
    ended = finished(done(owner, FLEET[0], 0, "uncertain"))
    spec = ended.spec.model_copy(update={"cancel": "Graceful"})
    late = ended.model_copy(update={"spec": spec})
    status = report(late, done(owner, FLEET[0], 0, "failed"))
    assert status.state == "failed"
    assert status.counts is not None
    assert status.counts.failed == 1


def test_a_target_whose_creation_came_late_is_counted_and_changes_no_end() -> None:
    """Its instance was deleted while it was being created; without it nothing was left to do."""
    owner = rollout(admitted=True)
    ended = finished(done(owner, FLEET[0], 0, "succeeded"), state="succeeded")
    late = [done(owner, FLEET[0], 0, "succeeded"), done(owner, FLEET[1], 1, "cancelled")]
    status = report(ended, *late)
    assert status.counts == Counts(total=2, succeeded=1, cancelled=1)
    assert status == ended.status.model_copy(update={"counts": status.counts})


def test_a_cancel_after_the_end_changes_nothing_but_the_generation() -> None:
    owner = rollout(admitted=True)
    ended = finished(done(owner, FLEET[0], 0, "failed"))
    spec = ended.spec.model_copy(update={"cancel": "Graceful"})
    metadata = ended.metadata.model_copy(update={"generation": 2})
    status = report(ended.model_copy(update={"spec": spec, "metadata": metadata}))
    assert status == ended.status.model_copy(update={"observed_generation": 2})


def test_a_transition_time_moves_with_the_status_only() -> None:
    earlier = NOW - timedelta(hours=1)
    old = condition("Succeeded", "Unknown", "Running")
    old.last_transition_time = earlier
    owner = rollout(admitted=True, status={"conditions": [old]})
    waiting = report(owner, target(owner, FLEET[0]))
    assert next(c for c in waiting.conditions if c.type == "Succeeded").last_transition_time == (
        earlier
    )
    ended = report(owner, done(owner, FLEET[0], 0, "succeeded"))
    assert next(c for c in ended.conditions if c.type == "Succeeded").last_transition_time == NOW


def test_counts_and_texts_can_wait_states_and_reasons_cannot() -> None:
    base = RolloutStatus(state="in_progress", conditions=[condition("Succeeded", "Unknown", "Up")])
    assert not is_urgent(base, base.model_copy(update={"counts": Counts(total=1), "message": "x"}))
    for change in (
        {"state": "paused"},
        {"halt_reason": "x"},
        {"conditions": [condition("Succeeded", "Unknown", "Down")]},
        {"targets_created": True},
        {"last_started_at": NOW},
        {"progress_clock": ProgressClock(running=True, seconds=0, since=NOW)},
    ):
        assert is_urgent(base, base.model_copy(update=change))
