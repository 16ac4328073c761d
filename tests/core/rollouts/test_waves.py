from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.model import Plan, Report, Start
from hydracore_core.rollouts.plan import plan
from hydracore_crds import Instance, Rollout, RolloutTarget
from hydracore_crds.base import format_time
from hydracore_crds.names import APPROVE_ANNOTATION, APPROVED_BY_ANNOTATION, RESUMED_AT_ANNOTATION
from hydracore_crds.rollout import RolloutStatus, WaveStatus
from tests.core.rollouts.builders import (
    NOW,
    done,
    fleet,
    instance,
    of,
    policy,
    rollout,
    running,
    target,
    view,
)

FLEET = fleet(4)
ENDED = NOW - timedelta(minutes=1)
"""When targets of ``done`` ended."""


def two_waves(first: dict[str, Any], **fields: Any) -> Rollout:
    """A rollout of two waves with two targets each; keywords as of the first wave."""
    annotations = fields.pop("annotations", None)
    status = {
        "plan_hash": "abc",
        "wave": 1,
        "waves": [WaveStatus(planned=2, state="running"), WaveStatus(planned=2)],
        **fields.pop("status", {}),
    }
    strategy = {"waves": [{"count": 2, **first}], **fields}
    return rollout(admitted=True, status=status, annotations=annotations, strategy=strategy)


def in_wave(found: RolloutTarget, number: int) -> RolloutTarget:
    return found.model_copy(update={"spec": found.spec.model_copy(update={"wave": number})})


def decide(
    owner: Rollout, first: str, second: str = "qq", there: list[Instance] = FLEET, **fields: Any
) -> tuple[Plan, RolloutStatus]:
    """Plan for two waves of two targets given by letters: s, f, u ended; r running; q queued."""
    words = {"s": "succeeded", "f": "failed", "u": "uncertain", "c": "cancelled"}
    targets = []
    for order, letter in enumerate(first + second):
        if letter == "q":
            made = target(owner, there[order], order)
        elif letter == "r":
            made = running(owner, there[order], order)
        else:
            made = done(owner, there[order], order, words[letter])
        targets.append(in_wave(made, 1 if order < len(first) else 2))
    planned = plan(
        view(rollouts=[owner], targets=targets, instances=there, policy=policy(5), **fields)
    )
    reports = of(planned, Report)
    return planned, reports[0].status if reports else owner.status


def started(made: Plan) -> list[str]:
    return sorted(start.instance_name for start in of(made, Start))


def states(status: RolloutStatus) -> list[str]:
    return [wave.state for wave in status.waves or ()]


def test_only_the_first_wave_starts() -> None:
    made, status = decide(two_waves({}), "qq")
    assert started(made) == ["a-0", "a-1"]
    assert (status.wave, states(status)) == (1, ["running", "waiting"])


def test_the_next_wave_begins_when_the_first_has_ended_well() -> None:
    made, status = decide(two_waves({}), "ss")
    assert started(made) == ["a-2", "a-3"]
    assert (status.wave, states(status)) == (2, ["passed", "running"])
    assert status.waves is not None
    assert status.waves[0].passed_at == NOW


@pytest.mark.parametrize("first", ["sr", "sq"])
def test_one_target_that_has_not_ended_holds_the_wave(first: str) -> None:
    made, status = decide(two_waves({}), first)
    assert "a-2" not in started(made)
    assert states(status) == ["running", "waiting"]


@pytest.mark.parametrize(
    ("first", "percent", "halts"),
    [("sf", 100, True), ("sf", 51, True), ("sf", 50, False), ("su", 100, True), ("sc", 100, False)],
)
def test_enough_of_those_that_ran_must_have_succeeded(
    first: str, percent: int, *, halts: bool
) -> None:
    owner = two_waves({"successPercent": percent}, failureThreshold={"count": 9})
    made, status = decide(owner, first)
    assert (status.halt_reason is not None) == halts
    assert started(made) == ([] if halts else ["a-2", "a-3"])
    if halts:
        assert status.state == "paused"
        assert status.conditions[0].reason == "WaveFailed"
        assert "wave 1 of 2 is not good enough: 1 of 2 targets that ran" in (
            status.halt_reason or ""
        )


def test_an_agent_out_of_reach_does_not_hold_the_wave_once_another_has_run() -> None:
    there = [FLEET[0], instance("a-1", health="unreachable"), *FLEET[2:]]
    made, status = decide(two_waves({}), "sq", there=there)
    assert started(made) == ["a-2", "a-3"]
    assert states(status)[0] == "passed"
    nobody, status = decide(two_waves({}), "qq", there=[there[1], there[1], *FLEET[2:]])
    assert started(nobody) == []
    assert states(status)[0] == "running"


def test_the_last_wave_needs_no_share_of_successes() -> None:
    owner = two_waves({}, failureThreshold={"count": 9})
    _, status = decide(owner, "ss", "sf")
    assert status.state == "failed"
    assert status.halt_reason is None


def test_who_goes_on_after_failures_passes_waves_with_failures() -> None:
    made, _ = decide(two_waves({}, onFailure="continue"), "ff")
    assert started(made) == ["a-2", "a-3"]


def test_a_wave_bakes_from_the_end_of_its_last_target() -> None:
    made, status = decide(two_waves({"bakeSeconds": 600}), "ss")
    assert started(made) == []
    assert states(status) == ["baking", "waiting"]
    assert status.waves is not None
    assert status.waves[0].bakes_until == ENDED + timedelta(minutes=10)
    assert made.wake_at == ENDED + timedelta(minutes=10)
    assert status.conditions[0].reason == "Baking"
    assert status.conditions[0].status == "True"
    later, _ = decide(two_waves({"bakeSeconds": 60}), "ss")
    assert started(later) == ["a-2", "a-3"]


@pytest.mark.parametrize("health", ["unhealthy", "unreachable"])
def test_an_agent_that_does_not_stay_healthy_while_it_bakes_halts_the_rollout(health: str) -> None:
    there = [instance("a-0", health=health, agent_name="Ada"), *FLEET[1:]]
    made, status = decide(two_waves({"bakeSeconds": 600}), "ss", there=there)
    assert started(made) == []
    assert status.conditions[0].reason == "UnhealthyWhileBaking"
    assert f"Ada [a-0] is {health}" in (status.halt_reason or "")
    stays, _ = decide(two_waves({"bakeSeconds": 600}, status=status.model_dump()), "ss")
    assert started(stays) == [], "it never goes on by itself"


def test_agents_that_were_not_updated_do_not_matter_to_the_bake() -> None:
    there = [*FLEET[:2], instance("a-2", health="unhealthy"), FLEET[3]]
    _, status = decide(two_waves({"bakeSeconds": 600}), "ss", there=there)
    assert status.halt_reason is None


def test_a_bake_does_not_end_while_the_health_is_unknown() -> None:
    there = [instance("a-0", health="unknown"), *FLEET[1:]]
    made, status = decide(two_waves({"bakeSeconds": 60}), "ss", there=there)
    assert started(made) == []
    assert "the health of 1 instance is not known yet" in (status.message or "")


def test_a_resume_in_the_bake_ends_it() -> None:
    resumed = {RESUMED_AT_ANNOTATION: format_time(NOW)}
    there = [instance("a-0", health="unhealthy"), *FLEET[1:]]
    owner = two_waves({"bakeSeconds": 600}, annotations=resumed)
    made, _ = decide(owner, "ss", there=there)
    assert started(made) == ["a-2", "a-3"]


def test_the_last_wave_bakes_too_before_the_rollout_has_succeeded() -> None:
    waves = [{"count": 2}, {"count": 2, "bakeSeconds": 600}]
    passed = [WaveStatus(planned=2, state="passed"), WaveStatus(planned=2, state="running")]
    kept = {"wave": 2, "waves": passed, "plan_hash": "abc"}
    owner = rollout(admitted=True, status=kept, strategy={"waves": waves})
    _, status = decide(owner, "ss", "ss")
    assert status.state == "in_progress"
    assert status.completed_at is None
    waves[1]["bakeSeconds"] = 60
    owner = rollout(admitted=True, status=kept, strategy={"waves": waves})
    _, status = decide(owner, "ss", "ss")
    assert status.state == "succeeded"


def test_a_person_approves_the_wave_of_the_plan_that_they_saw() -> None:
    made, status = decide(two_waves({"approval": True}), "ss")
    assert started(made) == []
    assert states(status) == ["awaiting_approval", "waiting"]
    assert status.waves is not None
    assert status.waves[0].approval == "1@abc"
    assert "hydracore rollouts approve r1 1@abc" in (status.message or "")
    assert (status.conditions[0].status, status.conditions[0].reason) == (
        "False",
        "AwaitingApproval",
    )
    notes = {APPROVE_ANNOTATION: "1@abc", APPROVED_BY_ANNOTATION: "grace"}
    made, status = decide(two_waves({"approval": True}, annotations=notes), "ss")
    assert started(made) == ["a-2", "a-3"]
    assert status.waves is not None
    assert status.waves[0].approved_by == "grace"


@pytest.mark.parametrize("said", ["1@other", "2@abc", "yes"])
def test_another_word_approves_nothing_and_is_told_so(said: str) -> None:
    notes = {APPROVE_ANNOTATION: said}
    made, status = decide(two_waves({"approval": True}, annotations=notes), "ss")
    assert started(made) == []
    assert f"what was approved, {said}, is another wave or plan" in (status.message or "")


def test_a_passed_wave_stays_passed_while_a_retry_runs_in_it() -> None:
    passed = [WaveStatus(planned=2, state="passed"), WaveStatus(planned=2, state="running")]
    owner = two_waves({}, status={"wave": 2, "waves": passed})
    made, status = decide(owner, "sq", "qq")
    assert started(made) == ["a-1", "a-2", "a-3"]
    assert status.wave == 2


def test_cancelled_means_that_no_wave_is_waited_for() -> None:
    owner = two_waves({"approval": True})
    spec = owner.spec.model_copy(update={"cancel": "Graceful"})
    _, status = decide(owner.model_copy(update={"spec": spec}), "ss", "cc")
    assert status.state == "cancelled"


@pytest.mark.parametrize(
    ("first", "percent", "halts"),
    [("su", 100, False), ("fu", 50, True), ("uu", 1, True), ("uu", 0, False)],
)
def test_an_ignored_outcome_has_no_share_but_a_wave_must_prove_something(
    first: str, percent: int, *, halts: bool
) -> None:
    owner = two_waves(
        {"successPercent": percent}, failureThreshold={"count": 9}, uncertainCountsAs="ignored"
    )
    made, status = decide(owner, first)
    assert (status.halt_reason is not None) == halts
    assert started(made) == ([] if halts else ["a-2", "a-3"])


def test_a_wave_of_unknown_outcomes_says_so_and_may_be_resumed() -> None:
    owner = two_waves({}, uncertainCountsAs="ignored")
    _, status = decide(owner, "uu")
    assert status.halt_reason is not None
    head = "Halted: wave 1 of 2 proves nothing: 2 outcomes unknown, none known. "
    assert status.halt_reason.startswith(head)
    stored = {**status.model_dump(), "failures_accepted_until": NOW, "halt_reason": None}
    resumed = two_waves({}, uncertainCountsAs="ignored", status=stored | {"halted_at": None})
    assert started(decide(resumed, "uu")[0]) == ["a-2", "a-3"]


def test_the_threshold_comes_first_and_a_halt_keeps_its_cause() -> None:
    """Two groups that tripped together have undone a halt elsewhere (hawkbit#2161)."""
    owner = two_waves({})
    _, status = decide(owner, "fr")
    text = "Halted: 1 of 1 executed target failed, the limit is 1."
    assert (status.halt_reason or "").startswith(text)
    halted = two_waves({}, status=status.model_dump())
    made, later = decide(halted, "fs")
    assert started(made) == []
    assert (later.halt_reason or "").startswith("Halted: 1 of 2 executed targets failed")
    assert later.halted_at == status.halted_at
    both = decide(two_waves({}), "fs")[1]
    assert next(c.reason for c in both.conditions if c.type == "Progressing") == (
        "FailureThresholdReached"
    )


def test_the_text_of_a_bad_wave_follows_what_a_person_does_next() -> None:
    owner = two_waves({}, failureThreshold={"count": 9})
    _, status = decide(owner, "sf")
    assert "None in flight, 2 targets untouched. Resume: go on with the 2" in status.halt_reason
    retried = two_waves({}, failureThreshold={"count": 9}, status=status.model_dump())
    _, later = decide(retried, "sq")
    assert later.halt_reason is not None
    head, _, rest = later.halt_reason.partition(" None in flight, ")
    assert head == (status.halt_reason or "").partition(" None in flight, ")[0]
    assert rest.startswith("3 targets untouched. Resume: go on with the 3 queued")


def test_nobody_is_said_to_have_approved_the_last_wave() -> None:
    owner = two_waves({})
    spec = owner.spec.strategy.waves or []
    last = [*spec, spec[0].model_copy(update={"approval": True})]
    strategy = owner.spec.strategy.model_copy(update={"waves": last})
    owner = owner.model_copy(update={"spec": owner.spec.model_copy(update={"strategy": strategy})})
    _, status = decide(owner, "ss", "ss")
    assert status.waves is not None
    assert [(wave.state, wave.approved_by) for wave in status.waves] == [("passed", None)] * 2
