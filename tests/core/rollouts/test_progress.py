from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.model import Plan, Report, Start
from hydracore_core.rollouts.plan import plan
from hydracore_core.rollouts.progress import GRACE
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.base import format_time
from hydracore_crds.names import RESUMED_AT_ANNOTATION
from hydracore_crds.rollout import ProgressClock, RolloutStatus
from tests.core.rollouts import deeds
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
    target,
    view,
)
from tests.core.rollouts.simulation import World

FLEET = fleet(5)
MINUTE = timedelta(minutes=1)
TEN = {"progressDeadlineSeconds": 600}


def clock(seconds: int = 0, ago: timedelta = MINUTE, *, runs: bool = True) -> ProgressClock:
    return ProgressClock(running=runs, seconds=seconds, since=NOW - ago)


def owner(shows: ProgressClock | None = None, **fields: Any) -> Rollout:
    status = {"state": "in_progress", "progress_clock": shows, **fields.pop("status", {})}
    return rollout(**{"admitted": True, "strategy": TEN, "status": status, **fields})


def decide(of_: Rollout, *targets: RolloutTarget, **fields: Any) -> Plan:
    return plan(view(**{"rollouts": [of_], "instances": FLEET, "targets": targets, **fields}))


def one_flies(of_: Rollout, **fields: Any) -> Plan:
    """One in flight, one that waits."""
    limit = {"policy": policy(1), **fields}
    return decide(of_, running(of_, FLEET[0]), target(of_, FLEET[1], 1), **limit)


def told(made: Plan, of_: Rollout) -> RolloutStatus:
    reports = of(made, Report)
    return reports[0].status if reports else of_.status


def reason(status: RolloutStatus) -> str:
    return next(c.reason for c in status.conditions if c.type == "Progressing")


def test_so_long_without_a_success_halts_and_says_what_was_waited_for() -> None:
    late = owner(clock(ago=10 * MINUTE))
    made = one_flies(late)
    status = told(made, late)
    assert of(made, Start) == []
    assert (status.state, reason(status)) == ("paused", "ProgressDeadlineExceeded")
    assert status.halted_at == NOW
    assert status.halt_reason == (
        "Halted: no target succeeded in 600 seconds in which it could go on "
        "(progressDeadlineSeconds); it waited for 1 target in flight (a-0). "
        "1 target still in flight will finish, 1 target untouched. "
        "Resume: go on with the 1 queued; failures so far are accepted, and the deadline begins "
        "anew. Retry: a failed target waits for the resume and then gets the same bundle again. "
        "Cancel: drop the 1 queued; what was updated stays updated."
    )


def test_a_second_less_does_not_and_the_plan_wakes_for_it() -> None:
    nearly = owner(clock(ago=10 * MINUTE - timedelta(seconds=1)))
    made = one_flies(nearly)
    assert told(made, nearly).halt_reason is None
    assert made.wake_at == NOW + timedelta(seconds=1)


def test_what_it_waited_for_are_also_failed_targets_and_instances_that_cannot_be_had() -> None:
    late = owner(clock(ago=10 * MINUTE), strategy={**TEN, "retryLimit": 1})
    failed = done(late, FLEET[0], 0, "failed", completed_at=NOW, error_message="no gadget")
    made = decide(
        late,
        failed,
        target(late, FLEET[1], 1),
        instances=[FLEET[0], instance("a-1", health="unreachable")],
    )
    text = told(made, late).halt_reason or ""
    waited = "1 failed target to be tried again (a-0); 1 target passed over (a-1 is unreachable)."
    assert f'it waited for {waited} Errors: 1x "no gadget" (a-0).' in text
    assert "0 queued" not in text


def test_it_stays_halted_whatever_succeeds_later() -> None:
    since = NOW - MINUTE
    halted = told(one_flies(owner(clock(ago=10 * MINUTE))), owner())
    head, flying, rest = (halted.halt_reason or "").partition(
        "1 target still in flight will finish"
    )
    assert flying
    later = owner(status=halted.model_dump() | {"halted_at": since})
    made = decide(later, done(later, FLEET[0], 0, "succeeded"), target(later, FLEET[1], 1))
    status = told(made, later)
    assert of(made, Start) == []
    assert status.halted_at == since
    assert status.halt_reason == f"{head}None in flight{rest}"


def test_a_resume_takes_it_back_and_the_clock_begins_anew() -> None:
    stopped = owner(
        clock(runs=False),
        status={"state": "paused", "halt_reason": "why", "halted_at": NOW - MINUTE},
        annotations={RESUMED_AT_ANNOTATION: format_time(NOW)},
    )
    status = told(one_flies(stopped), stopped)
    assert status.halt_reason is None
    assert status.progress_clock == clock(ago=timedelta())


def test_with_nothing_left_to_start_there_is_nothing_to_halt() -> None:
    last = owner(clock(ago=30 * MINUTE))
    made = decide(last, running(last, FLEET[0]))
    assert told(made, last).halt_reason is None


def test_on_failure_continue_does_not_switch_the_deadline_off() -> None:
    late = owner(clock(ago=10 * MINUTE), strategy={**TEN, "onFailure": "continue"})
    assert told(one_flies(late), late).halt_reason is not None


def test_without_a_deadline_there_is_no_clock() -> None:
    plain = rollout(admitted=True)
    assert told(one_flies(plain), plain).progress_clock is None


def test_it_begins_with_the_first_start_and_is_then_left_alone() -> None:
    begins = owner(None, status={"state": "queued"})
    status = told(decide(begins, target(begins, FLEET[0])), begins)
    assert status.progress_clock == clock(ago=timedelta())
    going = owner(clock(ago=5 * MINUTE))
    assert told(one_flies(going), going).progress_clock == going.status.progress_clock


def test_a_success_sets_it_back_without_a_write() -> None:
    going = owner(clock(ago=30 * MINUTE))
    good = done(going, FLEET[2], 2, "succeeded", completed_at=NOW - 9 * MINUTE)
    made = decide(
        going, running(going, FLEET[0]), target(going, FLEET[1], 1), good, policy=policy(1)
    )
    status = told(made, going)
    assert status.halt_reason is None
    assert status.progress_clock == going.status.progress_clock
    assert made.wake_at == NOW + MINUTE


@pytest.mark.parametrize(
    "fields",
    [
        {"policy": policy(1, window=(22, 23))},
        {"bundles": [bundle(ready=None)]},
        {"bundles": []},
    ],
    ids=["window", "bundle not ready", "no bundle"],
)
def test_it_stands_still_while_a_gate_is_closed(fields: dict[str, Any]) -> None:
    stood = owner(clock(100, 30 * MINUTE, runs=False))
    assert told(one_flies(stood, **fields), stood).progress_clock == stood.status.progress_clock
    closes = owner(clock(100, 2 * MINUTE))
    assert told(one_flies(closes, **fields), closes).progress_clock == clock(
        220, timedelta(), runs=False
    )


def test_it_goes_on_where_it_stood() -> None:
    stood = owner(clock(220, 30 * MINUTE, runs=False))
    made = one_flies(stood)
    assert told(made, stood).progress_clock == clock(220, timedelta())
    assert made.wake_at == NOW + timedelta(seconds=380)


def test_a_success_while_it_stood_still_sets_it_back() -> None:
    stood = owner(clock(220, 30 * MINUTE, runs=False))
    good = done(stood, FLEET[0], 0, "succeeded", completed_at=NOW - 20 * MINUTE)
    status = told(decide(stood, good, target(stood, FLEET[1], 1)), stood)
    assert status.progress_clock == clock(0, timedelta())


def test_a_success_at_the_very_moment_that_it_starts_again_sets_it_back() -> None:
    going = owner(clock(220, 5 * MINUTE))
    good = done(going, FLEET[2], 2, "succeeded", completed_at=NOW - 5 * MINUTE)
    made = decide(
        going, running(going, FLEET[0]), target(going, FLEET[1], 1), good, policy=policy(1)
    )
    assert made.wake_at == NOW + 5 * MINUTE


def test_a_pause_sets_it_back() -> None:
    paused = owner(clock(220, 2 * MINUTE), paused=True)
    assert told(one_flies(paused), paused).progress_clock == clock(0, timedelta(), runs=False)
    still = owner(clock(0, 30 * MINUTE, runs=False), paused=True)
    assert told(one_flies(still), still).progress_clock == still.status.progress_clock


def test_it_stands_still_in_a_bake_and_while_a_person_is_asked() -> None:
    waves = [{"planned": 1}, {"planned": 1}]
    for wave, wanted in (
        ({"bakeSeconds": 300}, "Baking"),
        ({"approval": True}, "AwaitingApproval"),
    ):
        waits = owner(
            clock(30, 2 * MINUTE),
            strategy={**TEN, "waves": [{"count": 1, **wave}]},
            status={"wave": 1, "waves": waves},
        )
        later = target(waits, FLEET[1], 1)
        later.spec.wave = 2
        status = told(decide(waits, done(waits, FLEET[0], 0, "succeeded"), later), waits)
        assert reason(status) == wanted
        assert status.progress_clock == clock(60, timedelta(), runs=False)


def test_waiting_for_the_slots_of_others_is_not_its_fault() -> None:
    waits = owner(clock(100, 2 * MINUTE))
    other = rollout("other", admitted=True, age=timedelta(hours=1))
    targets = [running(other, FLEET[3], 0), target(waits, FLEET[0])]
    made = decide(waits, rollouts=[other, waits], targets=targets, policy=policy(1))
    status = next(r.status for r in of(made, Report) if r.rollout_name == "r1")
    assert reason(status) == "WaitingForSlot"
    assert status.progress_clock == clock(220, timedelta(), runs=False)


def test_a_stagger_is_no_lack_of_progress() -> None:
    known = {"started_at": NOW - 3 * MINUTE, "last_started_at": NOW - 3 * MINUTE}
    waits = owner(clock(), strategy={**TEN, "staggerSeconds": 900}, status=known)
    made = decide(waits, done(waits, FLEET[0], 0, "succeeded"), target(waits, FLEET[1], 1))
    status = told(made, waits)
    assert reason(status) == "WaitingForStagger"
    assert status.progress_clock == clock(60, timedelta(), runs=False)


def test_a_persons_retry_sets_it_back_the_operators_own_does_not() -> None:
    ended = NOW - 5 * MINUTE
    by_hand = owner(clock(ago=9 * MINUTE), strategy={**TEN, "failureThreshold": {"count": 3}})
    failed = done(by_hand, FLEET[0], 0, "failed", completed_at=ended)
    targets = [raised(failed), running(by_hand, FLEET[1], 1)]
    assert told(decide(by_hand, *targets), by_hand).progress_clock == clock(0, timedelta())
    own = owner(clock(ago=9 * MINUTE), strategy={**TEN, "retryLimit": 2})
    assert told(decide(own, *targets), own).progress_clock == own.status.progress_clock


def test_while_all_goes_well_it_costs_neither_a_write_nor_a_plan() -> None:
    worlds = []
    for strategy in ({}, TEN):
        world = World(NOW)
        deeds.create(strategy=strategy)(world)
        world.run(60)
        worlds.append(world)
    assert worlds[0].log == worlds[1].log
    assert worlds[0].plans == worlds[1].plans


def test_the_clock_is_put_away_at_the_end() -> None:
    ends = owner(clock())
    status = told(decide(ends, done(ends, FLEET[0], 0, "succeeded")), ends)
    assert (status.state, status.progress_clock) == ("succeeded", None)


def test_a_new_leader_hears_of_successes_before_it_halts() -> None:
    late = owner(clock(ago=30 * MINUTE))
    fresh = one_flies(late, followed_since=NOW - timedelta(seconds=1))
    assert told(fresh, late).halt_reason is None
    assert fresh.wake_at == NOW - timedelta(seconds=1) + GRACE
    assert told(one_flies(late, followed_since=NOW - GRACE), late).halt_reason is not None


def test_a_window_that_closed_while_nobody_was_there_stopped_the_clock_then() -> None:
    opens = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)
    since = opens - timedelta(hours=23, minutes=5)
    fields = {"now": opens, "policy": policy(1, window=(22, 23))}

    def later(of_: Rollout) -> RolloutStatus:
        flying = running(of_, FLEET[0], deadline=opens + MINUTE)
        return told(decide(of_, flying, target(of_, FLEET[1], 1), **fields), of_)

    known = ProgressClock(running=True, seconds=60, since=since)
    status = later(owner(known))
    assert status.halt_reason is None
    assert status.progress_clock == ProgressClock(running=True, seconds=360, since=opens)
    assert later(owner(known, override_window=True)).halt_reason is not None
