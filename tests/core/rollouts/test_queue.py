from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.model import Admit, Requeue, Settle, Start
from hydracore_core.rollouts.plan import plan
from tests.core.rollouts.builders import (
    NOW,
    done,
    fleet,
    instance,
    of,
    raised,
    rollout,
    running,
    slot,
    target,
    view,
)

A, B = fleet(2)
OLD = rollout("old", admitted=True, age=timedelta(hours=1))
NEW = rollout("new", version="1.2.0", admitted=True)


def settled(**fields: Any) -> dict[str, tuple[str, str]]:
    made = plan(view(**{"instances": [A, B], "rollouts": [OLD, NEW], **fields}))
    return {s.target_name: (s.state, s.reason) for s in of(made, Settle)}


@pytest.mark.parametrize("state", ["queued", "in_progress", "succeeded", "failed", "uncertain"])
def test_a_newer_rollout_takes_over_what_is_queued(state: str) -> None:
    newer = done(NEW, A, 0, state) if state != "in_progress" else running(NEW, A)
    found = settled(targets=[target(OLD, A), target(OLD, B, 1), newer])
    assert found == {"old-00000": ("cancelled", "Superseded")}


def test_a_target_that_the_newer_one_cancelled_takes_over_nothing() -> None:
    assert settled(targets=[target(OLD, A), done(NEW, A, 0, "cancelled")]) == {}
    stopped = rollout("new", version="1.2.0", admitted=True, cancel="Graceful")
    found = settled(rollouts=[OLD, stopped], targets=[target(OLD, A), target(stopped, A)])
    assert found == {"new-00000": ("cancelled", "Cancelled")}


def test_the_older_one_takes_over_nothing_and_other_slugs_neither() -> None:
    assert settled(targets=[done(OLD, A, 0, "succeeded"), target(NEW, A)]) == {}
    pinned = NEW.status.artifact
    assert pinned is not None
    other = rollout(
        "new", admitted=True, status={"artifact": pinned.model_copy(update={"slug": "other"})}
    )
    assert (
        settled(rollouts=[OLD, other], targets=[target(OLD, A), done(other, A, 0, "failed")]) == {}
    )


def test_of_two_made_in_the_same_second_the_name_decides() -> None:
    one, two = (rollout(name, admitted=True) for name in ("r1", "r2"))
    found = settled(rollouts=[two, one], targets=[target(two, A), target(one, A)])
    assert found == {"r1-00000": ("cancelled", "Superseded")}


def test_what_flies_is_not_superseded_and_the_newer_waits_for_it() -> None:
    flying = running(OLD, A)
    fields: dict[str, Any] = {
        "rollouts": [OLD, NEW],
        "instances": [A],
        "targets": [flying, target(NEW, A)],
        "slots": [slot(flying, A)],
    }
    made = plan(view(**fields))
    assert of(made, Settle) == []
    assert of(made, Start) == []


@pytest.mark.parametrize(
    "now_there", [[B], [B, instance("a-0", incarnation=2)]], ids=["deleted", "recreated"]
)
def test_a_queued_target_goes_with_its_instance(now_there: list[Any]) -> None:
    found = settled(instances=now_there, targets=[target(NEW, A), target(NEW, B, 1)])
    assert found == {"new-00000": ("cancelled", "InstanceDeleted")}


def test_cancel_drops_the_queue_only() -> None:
    stopped = rollout("new", admitted=True, cancel="Graceful")
    targets = [target(stopped, A), running(stopped, B, 1)]
    found = settled(rollouts=[stopped], targets=targets)
    assert found == {"new-00000": ("cancelled", "Cancelled")}


def test_queued_targets_of_a_rollout_that_is_gone_are_cancelled() -> None:
    assert settled(rollouts=[], targets=[target(OLD, A)]) == {
        "old-00000": ("cancelled", "Cancelled")
    }
    namesake = rollout("old", admitted=True)
    namesake.metadata.uid = "another"
    assert settled(rollouts=[namesake], targets=[target(OLD, A)]) == {
        "old-00000": ("cancelled", "Cancelled")
    }


def test_a_late_old_rollout_leaves_alone_what_a_newer_one_has_touched() -> None:
    late = rollout("old", age=timedelta(hours=1))
    made = plan(
        view(rollouts=[late, NEW], instances=[A, B], targets=[done(NEW, A, 0, "succeeded")])
    )
    (admit,) = of(made, Admit)
    assert [draft.instance_name for draft in admit.targets] == ["a-1"]
    assert admit.skipped.reasons == {"NewerRollout": 1}


def test_nothing_of_a_finished_newer_rollout_is_retried_by_an_older_ones_end() -> None:
    targets = [done(OLD, A, 0, "succeeded"), raised(done(NEW, A, 0, "failed"))]
    made = plan(view(rollouts=[OLD, NEW], instances=[A], targets=targets, now=NOW))
    assert [r.target_name for r in of(made, Requeue)] == ["new-00000"]
