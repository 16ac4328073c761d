from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.model import Plan, Report, Start
from hydracore_core.rollouts.plan import plan
from hydracore_crds import RolloutTarget
from hydracore_crds.base import format_time
from hydracore_crds.names import RESUMED_AT_ANNOTATION
from hydracore_crds.rollout import RolloutStatus
from tests.core.rollouts.builders import (
    NOW,
    done,
    fleet,
    of,
    policy,
    rollout,
    running,
    target,
    view,
)

FLEET = fleet(12)
MINUTE = timedelta(minutes=1)


def decide(states: str, **fields: Any) -> tuple[Plan, RolloutStatus]:
    """Plan for targets given by letters: s, f, u ended; q queued."""
    words = {"s": "succeeded", "f": "failed", "u": "uncertain"}
    times = fields.pop("times", {})
    owner = rollout(admitted=True, **fields)
    targets: list[RolloutTarget] = []
    for order, letter in enumerate(states):
        if letter == "q":
            targets.append(target(owner, FLEET[order], order))
        else:
            targets.append(done(owner, FLEET[order], order, words[letter], **times.get(order, {})))
    made = plan(view(rollouts=[owner], targets=targets, instances=FLEET, policy=policy(5)))
    reports = of(made, Report)
    return made, reports[0].status if reports else owner.status


def is_halted(states: str, **strategy: Any) -> bool:
    made, status = decide(states, strategy=strategy)
    halted = status.halt_reason is not None
    assert halted == (not of(made, Start)), "a halt and a start exclude each other"
    assert halted == (status.state == "paused")
    assert (status.halted_at == NOW) == halted
    return halted


@pytest.mark.parametrize(
    ("states", "threshold", "halted"),
    [
        ("sssq", None, False),
        ("fq", None, True),
        ("uq", None, True),
        ("ffq", {"count": 3}, False),
        ("fufq", {"count": 3}, True),
        ("fsssq", {"percent": 50}, False),
        ("fsq", {"percent": 50}, True),
        ("fq", {"percent": 50, "minExecuted": 2}, False),
        ("fsq", {"percent": 50, "minExecuted": 2}, True),
        ("fssssssssq", {"percent": 12}, False),
        ("fssssssssq", {"percent": 11}, True),
        ("sssssq", {"percent": 1}, False),
    ],
)
def test_threshold(states: str, threshold: dict[str, int] | None, *, halted: bool) -> None:
    strategy = {"failureThreshold": threshold} if threshold else {}
    assert is_halted(states, **strategy) == halted
    assert not is_halted(states, **strategy, onFailure="continue")


@pytest.mark.parametrize(
    ("states", "threshold", "halted"),
    [
        ("uuq", {"count": 1}, False),
        ("ufq", {"count": 1}, True),
        ("ufq", {"count": 2}, False),
        ("uuusfq", {"percent": 50}, True),
        ("uuussfq", {"percent": 50}, False),
        ("uuusfq", {"percent": 50, "minExecuted": 3}, False),
    ],
)
def test_uncertain_outcomes_count_neither_way_where_they_are_ignored(
    states: str, threshold: dict[str, int], *, halted: bool
) -> None:
    ignored = {"failureThreshold": threshold, "uncertainCountsAs": "ignored"}
    assert is_halted(states, **ignored) == halted
    assert is_halted(states, **{**ignored, "uncertainCountsAs": "failed"})


def test_a_rollout_with_an_ignored_outcome_is_no_success_all_the_same() -> None:
    _, status = decide("su", strategy={"uncertainCountsAs": "ignored"})
    assert (status.state, status.message) == (
        "failed",
        "1 of 2 targets succeeded, 1 uncertain",
    )


def test_with_nothing_left_to_start_there_is_nothing_to_halt() -> None:
    _, status = decide("sf")
    assert status.halt_reason is None
    assert status.state == "failed"


def stored_halt(**fields: Any) -> dict[str, Any]:
    halted_at = NOW - timedelta(seconds=30)
    return {"status": {"state": "paused", "halt_reason": "why", "halted_at": halted_at, **fields}}


def resumed(at: Any) -> dict[str, Any]:
    return {"annotations": {RESUMED_AT_ANNOTATION: format_time(at)}}


def test_a_halt_stays_by_itself_even_when_the_failures_are_gone() -> None:
    made, status = decide("ssq", **stored_halt())
    assert of(made, Start) == []
    assert status.state == "paused"
    assert status.halted_at == NOW - timedelta(seconds=30)
    assert status.halt_reason is not None
    assert "were retried or have turned out well since" in status.halt_reason


def test_a_resume_newer_than_the_halt_accepts_what_failed_before() -> None:
    made, status = decide("ffq", **stored_halt(), **resumed(NOW - timedelta(seconds=5)))
    assert len(of(made, Start)) == 1
    assert status.halt_reason is None
    assert status.halted_at is None
    assert status.resumed_at == status.failures_accepted_until == NOW - timedelta(seconds=5)


def test_a_resume_older_than_the_halt_is_not_heard_and_says_so() -> None:
    made, status = decide("fq", **stored_halt(), **resumed(NOW - MINUTE))
    assert of(made, Start) == []
    assert status.halt_reason is not None
    assert any("older than the halt" in note.text for note in made.notes)


def test_a_failure_after_the_resume_counts() -> None:
    late = {1: {"completed_at": NOW - timedelta(seconds=1)}}
    accepted = {"failures_accepted_until": NOW - timedelta(seconds=20)}
    made, status = decide("ffq", times=late, status={"state": "in_progress", **accepted})
    assert of(made, Start) == []
    assert status.halt_reason is not None
    assert "1 target failed since" in status.halt_reason


def test_percent_counts_what_ended_after_the_resume_only() -> None:
    accepted = {"failures_accepted_until": NOW - timedelta(seconds=90)}
    times = {n: {"completed_at": NOW - timedelta(minutes=2)} for n in range(8)}
    _, status = decide(
        "ssssssssfq",
        times=times,
        status={"state": "in_progress", **accepted},
        strategy={"failureThreshold": {"percent": 50}},
    )
    assert status.halt_reason is not None


def test_a_resume_from_the_future_is_honoured_once_and_accepts_up_to_now() -> None:
    future = NOW + timedelta(days=1)
    made, status = decide("fq", **stored_halt(), **resumed(future))
    assert len(of(made, Start)) == 1
    assert (status.resumed_at, status.failures_accepted_until) == (future, NOW)
    # The next failure halts, and the same annotation does not take that back.
    honoured = {"resumed_at": future, "failures_accepted_until": NOW - timedelta(hours=1)}
    made, status = decide("fq", status={"state": "in_progress", **honoured}, **resumed(future))
    assert of(made, Start) == []
    made, status = decide("fq", **stored_halt(**honoured), **resumed(future))
    assert of(made, Start) == []
    assert status.state == "paused"


def test_late_evidence_that_an_accepted_target_failed_does_not_halt_again() -> None:
    resumed_at = NOW - timedelta(minutes=5)
    late = {0: {"deadline": NOW - timedelta(minutes=10), "completed_at": NOW}}
    made, _ = decide(
        "fq", times=late, status={"state": "in_progress", "failures_accepted_until": resumed_at}
    )
    assert len(of(made, Start)) == 1


def test_the_text_of_a_halt_follows_what_ends_later_and_its_time_stays() -> None:
    """Two flew together; the first failure halted, then the second fails too."""
    since = NOW - timedelta(seconds=30)
    first = "Halted: 1 of 1 executed target failed, the limit is 1. 1 target still in flight"
    halted = {"state": "paused", "halt_reason": first, "halted_at": since}
    made, status = decide("ffqq", status=halted)
    assert of(made, Start) == []
    assert status.halted_at == since
    assert status.halt_reason is not None
    assert status.halt_reason.startswith("Halted: 2 of 2 executed targets failed")
    assert "None in flight, 2 targets untouched." in status.halt_reason


def test_the_text_of_a_halt_does_not_change_by_time_alone() -> None:
    _, status = decide("fqq", **stored_halt())
    _, again = decide("fqq", status=status.model_dump())
    assert again == status


def test_a_resume_finer_than_stored_times_is_honoured_once() -> None:
    """Times are stored in milliseconds; a resume from a clock ahead must not count for ever."""
    asked = NOW + timedelta(hours=1, microseconds=123456)
    annotations = {RESUMED_AT_ANNOTATION: asked.isoformat()}
    _, status = decide("fq", **stored_halt(), annotations=annotations)
    stored = RolloutStatus.model_validate(status.to_wire())
    assert stored.halt_reason is None
    halted = stored.model_dump() | stored_halt()["status"] | {"failures_accepted_until": None}
    made, status = decide("fq", status=halted, annotations=annotations)
    assert of(made, Start) == []
    assert status.state == "paused"


def test_halt_while_others_fly() -> None:
    owner = rollout(admitted=True)
    targets = [
        done(owner, FLEET[0], 0, "failed"),
        running(owner, FLEET[1], 1),
        target(owner, FLEET[2], 2),
    ]
    made = plan(view(rollouts=[owner], targets=targets, instances=FLEET))
    (report,) = of(made, Report)
    assert report.status.halt_reason is not None
    assert "1 target still in flight" in report.status.halt_reason
