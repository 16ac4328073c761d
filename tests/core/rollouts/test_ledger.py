from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.model import Release, Resolve
from hydracore_core.rollouts.plan import plan
from tests.core.rollouts.builders import (
    NOW,
    done,
    instance,
    rollout,
    running,
    slot,
    target,
    uid_of,
    view,
)

A = instance("a-0")
R = rollout(admitted=True)
FLYING = running(R, A)


def decide(entry: Any, *targets: Any, **fields: Any) -> list[Any]:
    fields = {"rollouts": [R], "instances": [A], "slots": [entry], "targets": targets, **fields}
    made = plan(view(**fields))
    assert made.in_flight >= 1, "every entry counts"
    return [i for i in made.intents if isinstance(i, Release | Resolve)]


def test_an_entry_in_use_is_left_alone() -> None:
    assert decide(slot(FLYING, A), FLYING) == []


@pytest.mark.parametrize("state", ["succeeded", "failed", "uncertain", "cancelled"])
def test_an_ended_target_needs_no_slot(state: str) -> None:
    (release,) = decide(slot(FLYING, A), done(R, A, 0, state))
    assert isinstance(release, Release)
    assert state in release.why


def test_an_older_attempt_needs_no_slot() -> None:
    again = running(R, A, attempt=2, task_id=uid_of("another"))
    (release,) = decide(slot(FLYING, A, attempt=1), again)
    assert isinstance(release, Release)


def test_an_entry_without_a_target_is_asked_about() -> None:
    (resolve,) = decide(slot(FLYING, A))
    assert isinstance(resolve, Resolve)
    assert resolve.slot.task_id == FLYING.status.task_id


def test_an_entry_whose_target_was_never_stored_as_started_is_asked_about() -> None:
    made = plan(view(rollouts=[R], instances=[A], slots=[slot(FLYING, A)], targets=[target(R, A)]))
    kinds = {type(intent).__name__ for intent in made.intents}
    assert "Resolve" in kinds
    assert "Start" not in kinds
    assert made.wake_at == NOW + timedelta(minutes=14)


def test_a_target_of_the_same_name_in_another_rollout_is_another_target() -> None:
    (resolve,) = decide(slot(FLYING, A, rollout_name="gone"), done(R, A, 0, "succeeded"))
    assert isinstance(resolve, Resolve)


@pytest.mark.parametrize("targets", [(), (target(R, A),)])
def test_past_the_deadline_nothing_of_it_can_be_in_flight(targets: tuple[Any, ...]) -> None:
    (release,) = decide(slot(FLYING, A, deadline=NOW), *targets)
    assert isinstance(release, Release)


def test_a_deleted_instance_holds_no_slot() -> None:
    (release,) = decide(slot(FLYING, A), instances=[])
    assert isinstance(release, Release)
    (release,) = decide(slot(FLYING, A), instances=[instance("a-0", incarnation=2)])
    assert isinstance(release, Release)
