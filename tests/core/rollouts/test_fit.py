from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.model import Plan, Report, Start
from hydracore_core.rollouts.plan import plan
from hydracore_crds import Rollout, RolloutTarget
from tests.core.rollouts.builders import (
    NOW,
    bundle,
    done,
    fleet,
    instance,
    of,
    policy,
    rollout,
    target,
    view,
)
from tests.core.windows.policies import allow

FLEET = fleet(3)
NIGHT = policy(3, window=(22, 23))
OPENS = NOW + timedelta(hours=10)
"""The window of the night opens; NOW is noon."""
MINUTE = timedelta(minutes=1)
EARLIER = rollout("earlier", admitted=True, status={"state": "succeeded"}, version="1.0.0")


def owner(name: str = "r1", **fields: Any) -> Rollout:
    strategy = {"targetTimeoutSeconds": 3600}
    return rollout(name, **{"admitted": True, "strategy": strategy, **fields})


def took(minutes: float, order: int = 0, state: str = "succeeded") -> RolloutTarget:
    """Return an update of an earlier rollout that took so long."""
    begun = NOW - timedelta(hours=3)
    end = begun + timedelta(minutes=minutes)
    times = {"started_at": begun, "completed_at": end, "deadline": begun + timedelta(hours=4)}
    return done(EARLIER, instance(f"b-{order}"), order, state, **times)


def decide(mine: Rollout, *known: RolloutTarget, left: float, **fields: Any) -> Plan:
    """Plan so many minutes before the window closes."""
    targets = [target(mine, one, n) for n, one in enumerate(FLEET)]
    now = OPENS + timedelta(hours=1) - left * MINUTE
    found = {
        "policy": NIGHT,
        "instances": FLEET,
        "rollouts": [EARLIER, mine],
        "targets": [*targets, *known],
        "now": now,
    }
    return plan(view(**{**found, **fields}))


def started(made: Plan) -> int:
    return len(of(made, Start))


def told(made: Plan) -> tuple[str, str, str]:
    (report,) = [r for r in of(made, Report) if r.rollout_name == "r1"]
    found = next(c for c in report.status.conditions if c.type == "Progressing")
    return found.status, found.reason, report.status.message or ""


@pytest.mark.parametrize(("left", "starts"), [(40, 3), (39.9, 0), (60, 3), (1, 0)])
def test_what_does_not_fit_the_time_left_is_not_started(left: float, starts: int) -> None:
    assert started(decide(owner(), took(40), left=left)) == starts


def test_it_says_who_misses_this_window_why_and_until_when() -> None:
    status, reason, message = told(decide(owner(), took(40), took(30, 1), left=20))
    assert (status, reason) == ("True", "DoesNotFitWindow")
    assert message.endswith(
        "3 targets (a-0, a-1, a-2) wait until 2026-03-02 22:00Z: an update needs 40 min "
        "(p95 of 2), and the window closes at 2026-03-01 23:00Z"
    )


def test_one_that_misses_it_waits_alone() -> None:
    mine = owner()
    alone = {"targets": [target(mine, FLEET[0]), took(40)]}
    assert "1 target (a-0) waits until 2026-03-02 22:00Z" in told(decide(mine, left=20, **alone))[2]


def test_while_others_are_in_flight_it_says_the_same() -> None:
    mine = owner()
    flying = target(
        mine,
        instance("a-9"),
        9,
        state="in_progress",
        started_at=OPENS,
        deadline=OPENS + timedelta(hours=1),
    )
    status, reason, message = told(
        decide(mine, took(40), flying, left=20, instances=[*FLEET, instance("a-9")])
    )
    assert (status, reason) == ("True", "Running")
    assert "1 in flight, 3 queued; 3 targets (a-0, a-1, a-2) wait until" in message


def test_while_nobody_knows_how_long_updates_take_they_start() -> None:
    assert started(decide(owner(), left=1)) == 3
    unknown = took(40, state="failed")
    assert started(decide(owner(), unknown, left=1)) == 3


def test_it_is_asked_again_when_the_last_moment_has_passed() -> None:
    made = decide(owner(), took(20), left=30, policy=policy(1, window=(22, 23)))
    assert started(made) == 1
    assert made.wake_at == OPENS + 40 * MINUTE


def test_nothing_needs_longer_than_its_order_lasts() -> None:
    short = owner(strategy={"targetTimeoutSeconds": 600})
    assert started(decide(short, took(40), left=10)) == 3
    assert started(decide(short, took(40), left=9)) == 0


def test_where_no_window_is_long_enough_somebody_is_needed_and_told_so() -> None:
    made = decide(
        owner(), took(40), left=20, policy=policy(3, windows=[allow("30 * * * *", "30m")])
    )
    assert started(made) == 0
    status, reason, message = told(made)
    assert (status, reason) == ("False", "WindowTooShort")
    assert "an update needs 40 min (p95 of 1), and the longest to come has 30 min" in message
    assert "Make a window longer, or roll out with overrideWindow" in message


def test_it_says_so_also_while_the_window_is_closed() -> None:
    long = owner(strategy={"targetTimeoutSeconds": 7200})
    status, reason, message = told(decide(long, took(61), left=180))
    assert (status, reason) == ("False", "WindowTooShort")
    assert "an update needs 1 h 1 min (p95 of 1), and the longest to come has 1 h" in message
    assert told(decide(long, took(60), left=180))[:2] == ("True", "WaitingForWindow")


def test_an_override_asks_for_no_window_and_so_for_no_fit() -> None:
    assert started(decide(owner(override_window=True), took(40), left=1)) == 3


def test_without_a_window_everything_fits() -> None:
    assert started(decide(owner(), took(40), left=1, policy=policy(3))) == 3


def test_what_was_found_to_be_bad_is_taken_back_without_asking() -> None:
    mine = owner(
        status={"rollback": {"started_at": NOW, "reason": "asked"}, "state": "in_progress"}
    )
    update = done(mine, FLEET[0], 0, "succeeded", previous_bundle_hash="0" * 64)
    back = target(mine, FLEET[0], 5)
    spec = back.spec.model_copy(update={"rollback_of": update.metadata.name})
    known = [update, back.model_copy(update={"spec": spec}), took(40)]
    now = OPENS + 59 * MINUTE
    made = plan(
        view(
            instances=FLEET,
            policy=NIGHT,
            rollouts=[EARLIER, mine],
            targets=known,
            now=now,
            bundles=[bundle(), bundle("1.0.0")],
        )
    )
    assert [start.target_name for start in of(made, Start)] == [back.metadata.name]
