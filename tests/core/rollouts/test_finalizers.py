from __future__ import annotations

from typing import Any

from hydracore_core.rollouts.model import Hold, LetGo, Plan, Report, Start
from hydracore_core.rollouts.plan import plan
from hydracore_crds import Rollout
from tests.core.rollouts.builders import (
    NOW,
    done,
    fleet,
    of,
    rollout,
    running,
    slot,
    target,
    view,
)

A, B = fleet(2)


def leaving(**fields: Any) -> Rollout:
    found = rollout(admitted=True, **fields)
    found.metadata.deletion_timestamp = NOW
    return found


def decide(owner: Rollout, *targets: Any, **fields: Any) -> Plan:
    return plan(view(rollouts=[owner], targets=targets, instances=[A, B], **fields))


def test_held_before_anything_else() -> None:
    made = decide(rollout(held=False))
    assert made.intents == (Hold("r1"),)
    stripped = rollout(held=False, admitted=True)
    made = decide(stripped, target(stripped, A))
    assert made.intents == (Hold("r1"),)


def test_not_held_when_finished_in_deletion_or_in_a_terminating_namespace() -> None:
    ended = {"state": "succeeded", "observed_generation": 1}
    assert decide(rollout(held=False, status=ended)).intents == ()
    assert of(decide(leaving(held=False)), Hold) == []
    assert decide(rollout(held=False), terminating=True).intents == ()


def test_deletion_settles_reports_and_then_lets_go() -> None:
    owner = leaving()
    flying = running(owner, A)
    made = decide(owner, flying, target(owner, B, 1), slots=[slot(flying, A)])
    assert of(made, Start) == []
    assert of(made, LetGo) == []
    ended = [done(owner, A, 0, "succeeded"), done(owner, B, 1, "cancelled")]
    (report,) = of(decide(owner, *ended), Report)
    assert report.status.state == "cancelled"
    assert of(decide(owner, *ended), LetGo) == []
    stored = owner.model_copy(update={"status": report.status})
    assert decide(stored, *ended).intents == (LetGo("r1"),)


def test_a_slot_keeps_the_rollout() -> None:
    owner = leaving(status={"state": "cancelled"})
    lost = slot(running(owner, A), A)
    made = decide(owner, slots=[lost])
    assert of(made, LetGo) == []
    assert any("settled first" in note.text for note in made.notes)


def test_one_that_never_began_goes_after_its_end_is_stored() -> None:
    owner = rollout()
    owner.metadata.deletion_timestamp = NOW
    (report,) = of(decide(owner), Report)
    assert report.status.state == "cancelled"
    stored = owner.model_copy(update={"status": report.status})
    assert decide(stored).intents == (LetGo("r1"),)
    assert of(decide(leaving(held=False, status={"state": "failed"})), LetGo) == []
