from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.artifacts import pin
from hydracore_core.rollouts.model import Plan, Report, Start
from hydracore_core.rollouts.plan import plan
from hydracore_core.rollouts.selection import select
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.rollout import RolloutSpec
from tests.core.rollouts.builders import (
    NOW,
    bundle,
    done,
    fleet,
    instance,
    of,
    policy,
    raised,
    rollout,
    running,
    slot,
    target,
    view,
)

FLEET = fleet(5)
MINUTE = timedelta(minutes=1)


def owner(**fields: Any) -> Rollout:
    return rollout(**{"admitted": True, "strategy": {"staggerSeconds": 60}, **fields})


def queued(of_: Rollout, order: int) -> RolloutTarget:
    found = target(of_, FLEET[order], order)
    spec = found.spec.model_copy(update={"scheduled_countdown_seconds": 60 * order})
    return found.model_copy(update={"spec": spec})


def flying(of_: Rollout, order: int, ago: timedelta) -> RolloutTarget:
    return running(of_, FLEET[order], order, started_at=NOW - ago)


def decide(of_: Rollout, *targets: RolloutTarget, **fields: Any) -> Plan:
    fields = {"instances": FLEET, "policy": policy(5), **fields}
    return plan(view(rollouts=[of_], targets=targets, **fields))


def started(made: Plan) -> list[str]:
    return [start.target_name for start in of(made, Start)]


def waits_for(made: Plan) -> str:
    (report,) = of(made, Report)
    return next(c.reason for c in report.status.conditions if c.type == "Progressing")


def test_without_a_stagger_all_start_that_fit() -> None:
    plain = owner(strategy={})
    assert len(started(decide(plain, *(queued(plain, n) for n in range(4))))) == 4


def test_the_first_starts_at_once_and_the_next_one_stagger_later() -> None:
    made = decide(owner(), *(queued(owner(), n) for n in range(4)))
    assert started(made) == ["r1-00000"]
    assert made.wake_at == NOW + MINUTE


@pytest.mark.parametrize(("seconds", "starts"), [(59, []), (60, ["r1-00001"]), (300, ["r1-00001"])])
def test_starts_keep_their_distance_and_never_catch_up(seconds: int, starts: list[str]) -> None:
    ago = timedelta(seconds=seconds)
    made = decide(owner(), flying(owner(), 0, ago), queued(owner(), 1), queued(owner(), 2))
    assert started(made) == starts
    assert made.wake_at == NOW + (MINUTE if starts else MINUTE - ago)


def test_no_target_starts_before_its_countdown_though_others_are_passed_over() -> None:
    fields: dict[str, Any] = {
        "instances": [FLEET[0], instance("a-1", health="unreachable"), FLEET[2]]
    }
    first = flying(owner(), 0, 70 * timedelta(seconds=1))
    made = decide(owner(), first, queued(owner(), 1), queued(owner(), 2), **fields)
    assert started(made) == []
    assert made.wake_at == NOW + timedelta(seconds=50)


def test_the_first_start_counts_even_when_that_target_has_ended() -> None:
    known = owner(status={"started_at": NOW - 3 * MINUTE, "last_started_at": NOW - MINUTE})
    ended = done(known, FLEET[0], 0, "succeeded", started_at=NOW - 3 * MINUTE)
    made = decide(known, ended, queued(known, 3))
    assert started(made) == ["r1-00003"]


def test_a_start_is_remembered_when_its_target_is_queued_again() -> None:
    failed = done(owner(), FLEET[0], 0, "failed", started_at=NOW - timedelta(seconds=20))
    (report,) = of(decide(owner(), raised(failed), queued(owner(), 1)), Report)
    assert report.status.last_started_at == NOW - timedelta(seconds=20)
    known = owner(status=report.status.model_dump() | {"halt_reason": None, "halted_at": None})
    again = target(known, FLEET[0], 0, attempt=2, state="queued")
    made = decide(known, again, queued(known, 1))
    assert started(made) == []
    assert made.wake_at == NOW + timedelta(seconds=40)


def test_a_retry_keeps_the_distance_as_well() -> None:
    known = owner(status={"started_at": NOW - 9 * MINUTE, "last_started_at": NOW - MINUTE / 2})
    made = decide(known, target(known, FLEET[0], 0, attempt=2, state="queued"))
    assert started(made) == []
    assert waits_for(made) == "WaitingForStagger"


def test_nothing_starts_while_a_start_is_being_stored() -> None:
    begins = queued(owner(), 0)
    made = decide(owner(), begins, queued(owner(), 1), slots=[slot(begins, FLEET[0])])
    assert started(made) == []


def test_previews_and_targets_show_place_times_stagger() -> None:
    spec = RolloutSpec(bundle_name="b", strategy={"staggerSeconds": 90})
    drafts = select(spec, pin(bundle()), FLEET, policy(), rollout_name="r1").drafts
    assert [draft.countdown_seconds for draft in drafts] == [0, 90, 180, 270, 360]
