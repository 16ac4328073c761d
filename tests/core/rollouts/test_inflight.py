from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.model import Abort, Plan, Settle, Start, Track
from hydracore_core.rollouts.plan import plan
from hydracore_core.rollouts.texts import at
from hydracore_crds.names import CANCEL_ANNOTATION
from tests.core.rollouts.builders import (
    NOW,
    condition,
    done,
    fleet,
    instance,
    of,
    rollout,
    running,
    slot,
    target,
    view,
)

A, B = fleet(2)


def decide(*targets: Any, **fields: Any) -> Plan:
    fields = {"rollouts": [rollout(admitted=True)], "instances": [A, B], **fields}
    slots = [slot(t, A) for t in targets if t.status.state == "in_progress"]
    return plan(view(targets=targets, **{"slots": slots, **fields}))


def test_in_progress_is_tracked_until_its_deadline() -> None:
    made = decide(running(rollout(), A))
    (track,) = of(made, Track)
    assert track.deadline == made.wake_at == NOW + timedelta(minutes=14)
    assert of(made, Settle) == []


@pytest.mark.parametrize(
    ("reason", "health", "result"),
    [
        ("Running", "healthy", "timeout"),
        ("Resolving", "healthy", "unreachable"),
        ("Running", "unreachable", "unreachable"),
        ("Unproven", "healthy", "timeout"),
    ],
)
def test_at_the_deadline_the_outcome_is_uncertain(reason: str, health: str, result: str) -> None:
    late = running(
        rollout(), A, deadline=NOW, conditions=[condition("Succeeded", "Unknown", reason)]
    )
    made = decide(late, instances=[instance("a-0", health=health), B])
    (settle,) = of(made, Settle)
    assert (settle.state, settle.result) == ("uncertain", result)
    assert settle.message
    assert of(made, Track) == []


@pytest.mark.parametrize(
    ("reason", "message", "text"),
    [
        ("Running", "it has a slot", "the agent had not finished by the deadline {}"),
        ("Resolving", "no connection", "the agent did not answer by the deadline {}"),
        ("Unproven", "it is unhealthy", "the agent proved no success by the deadline {}"),
    ],
)
def test_the_text_at_the_deadline_names_what_stood_in_the_way(
    reason: str, message: str, text: str
) -> None:
    found = condition("Succeeded", "Unknown", reason, message)
    (settle,) = of(decide(running(rollout(), A, deadline=NOW, conditions=[found])), Settle)
    cause = "" if reason == "Running" else f" ({message})"
    assert settle.message == f"{text.format(at(NOW))}: the outcome is unknown{cause}"


def test_while_an_outcome_is_being_settled_the_rollout_starts_nothing() -> None:
    """Else one more would start in the very moment in which the threshold is reached."""
    late = running(rollout(), A, deadline=NOW)
    assert of(decide(late, target(rollout(), B, 1)), Start) == []


def test_without_a_stored_deadline_the_ledgers_holds_then_the_start() -> None:
    bare = running(rollout(), A, deadline=None)
    entry = slot(bare, A, deadline=NOW + timedelta(minutes=3))
    (track,) = of(decide(bare, slots=[entry]), Track)
    assert track.deadline == NOW + timedelta(minutes=3)
    (track,) = of(decide(bare, slots=[]), Track)
    assert track.deadline == NOW + timedelta(minutes=14)
    (settle,) = of(decide(running(rollout(), A, deadline=None, started_at=None), slots=[]), Settle)
    assert settle.state == "uncertain"


def test_a_target_missing_in_the_ledger_is_tracked_and_counts() -> None:
    made = decide(running(rollout(), A), slots=[])
    assert len(of(made, Track)) == 1
    assert made.in_flight == 1


def test_uncertain_is_tracked_for_an_hour() -> None:
    unsure = done(rollout(), A, 0, "uncertain", deadline=NOW - timedelta(minutes=59))
    made = decide(unsure)
    assert len(of(made, Track)) == 1
    assert made.wake_at == NOW + timedelta(minutes=1)
    given_up = done(rollout(), A, 0, "uncertain", deadline=NOW - timedelta(minutes=60))
    assert of(decide(given_up), Track) == []


@pytest.mark.parametrize(
    "now_there", [[B], [instance("a-0", incarnation=2), B]], ids=["deleted", "recreated"]
)
def test_without_its_instance_a_push_is_cancelled(now_there: list[Any]) -> None:
    made = decide(running(rollout(), A), instances=now_there)
    (settle,) = of(made, Settle)
    assert (settle.state, settle.reason) == ("cancelled", "InstanceDeleted")
    assert of(made, Track) == []


def test_an_instance_in_deletion_stops_its_push() -> None:
    leaving = instance("a-0")
    leaving.metadata.deletion_timestamp = NOW
    (settle,) = of(decide(running(rollout(), A), instances=[leaving, B]), Settle)
    assert settle.state == "cancelled"


def test_the_ledger_knows_the_old_instance_even_where_the_id_was_restored() -> None:
    restored = instance("a-0")
    restored.metadata.uid = "another-uid"
    flying = running(rollout(), A)
    (settle,) = of(decide(flying, slots=[slot(flying, A)], instances=[restored, B]), Settle)
    assert settle.reason == "InstanceDeleted"


def test_force_aborts_until_the_agent_has_acknowledged() -> None:
    forced = rollout(admitted=True, annotations={CANCEL_ANNOTATION: "Force"})
    made = decide(running(forced, A), rollouts=[forced])
    (abort,) = of(made, Abort)
    assert abort.task_id == running(forced, A).status.task_id
    assert len(of(made, Track)) == 1
    told = running(forced, A, conditions=[condition("Succeeded", "Unknown", "Cancelling")])
    assert of(decide(told, rollouts=[forced]), Abort) == []
    graceful = rollout(admitted=True, cancel="Graceful")
    assert of(decide(running(graceful, A), rollouts=[graceful]), Abort) == []


def test_a_target_without_its_rollout_is_still_followed_and_counts() -> None:
    made = decide(running(rollout("gone"), A), rollouts=[])
    assert len(of(made, Track)) == 1
    assert made.in_flight == 1
