"""Pausing, resuming and cancelling."""

from __future__ import annotations

from typing import Any

import pytest

from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.base import format_time
from hydracore_crds.names import (
    APPROVE_ANNOTATION,
    APPROVED_BY_ANNOTATION,
    CANCEL_ANNOTATION,
    CANCELLED_BY_ANNOTATION,
    PAUSED_BY_ANNOTATION,
    RESUMED_AT_ANNOTATION,
    RESUMED_BY_ANNOTATION,
    ROLLBACK_ANNOTATION,
    ROLLED_BACK_BY_ANNOTATION,
)
from hydracore_kube import Unavailable
from tests.api.rollouts.test_rollouts import FLEET, archive, bury, half_done
from tests.api.support.world import World


def notes(world: World) -> dict[str, str]:
    return world.kube.of(Rollout)[0].metadata.annotations


async def control(world: World, verb: str, **more: Any) -> Any:
    (rollout,) = world.kube.of(Rollout)
    return await world.call("POST", f"{FLEET}/{rollout.metadata.uid}/{verb}", **more)


async def test_pause_and_resume(world: World) -> None:
    half_done(world)
    answer = await control(world, "pause")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["queued_targets"]) == ("paused", 0)
    who = notes(world)[PAUSED_BY_ANNOTATION]
    assert who.startswith("api-key test (")
    assert world.kube.of(Rollout)[0].spec.paused is False
    patches = world.kube.called("patch", Rollout)
    assert (await control(world, "pause")).status_code == 200  # again: nothing to do
    assert world.kube.called("patch", Rollout) == patches

    world.clock.forward(minutes=1)
    answer = await control(world, "resume")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["queued_targets"]) == ("in_progress", 1)
    assert notes(world) == {
        RESUMED_AT_ANNOTATION: format_time(world.clock()),
        RESUMED_BY_ANNOTATION: who,
    }
    again = await control(world, "resume")
    assert again.status_code == 409
    assert "not paused" in again.json()["detail"]


async def test_a_resume_counts_at_once_after_a_halt(world: World) -> None:
    rollout = half_done(world)
    world.report(rollout, state="paused", haltReason="Halted: 1 of 2 failed")
    answer = await control(world, "resume")
    assert (answer.json()["status"], answer.json()["queued_targets"]) == ("in_progress", 1)
    # The operator honours it, and halts anew.
    world.report(rollout, state="paused", resumedAt=format_time(world.clock()))
    (found,) = (await world.call("GET", FLEET)).json()
    assert found["status"] == "paused"


async def test_a_resume_counts_though_this_clock_is_behind(world: World) -> None:
    rollout = world.rollout("r", state="paused")
    known = format_time(world.clock())
    world.clock.forward(seconds=5)
    halted = format_time(world.clock())
    world.kube.change(
        Rollout,
        "r",
        "acme",
        {
            "metadata": {"annotations": {RESUMED_AT_ANNOTATION: known}},
            "status": {
                "resumedAt": known,
                "haltedAt": halted,
                "haltReason": "x",
                "message": "Halted: x",
            },
        },
    )
    seen = await world.call("GET", f"{FLEET}/{rollout.metadata.uid}")
    assert seen.json()["rollout"]["status"] == "paused"
    world.clock.forward(seconds=-30)
    answer = await world.call("POST", f"{FLEET}/{rollout.metadata.uid}/resume")
    assert (answer.status_code, answer.json()["status"]) == (200, "in_progress")
    assert notes(world)[RESUMED_AT_ANNOTATION] > halted
    told = answer.json()["metadata_json"]
    assert (told["halt_reason"], told["message"]) == (None, None)  # the operator's are old now


async def test_a_resume_from_before_the_halt_does_not_end_it(world: World) -> None:
    rollout = world.rollout("r", state="paused")
    notes = {RESUMED_AT_ANNOTATION: format_time(world.clock())}
    world.clock.forward(seconds=1)
    status = {"haltReason": "x", "haltedAt": format_time(world.clock())}
    world.kube.change(Rollout, "r", "acme", {"metadata": {"annotations": notes}, "status": status})
    seen = await world.call("GET", f"{FLEET}/{rollout.metadata.uid}")
    assert seen.json()["rollout"]["status"] == "paused"


async def test_git_says_paused(world: World) -> None:
    half_done(world)
    world.kube.change(Rollout, "r1", "acme", {"spec": {"paused": True}})
    answer = await control(world, "resume")
    assert answer.status_code == 409
    assert "spec.paused" in answer.json()["detail"]
    assert notes(world) == {}


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
async def test_what_has_ended_stays(world: World, state: str, verb: str) -> None:
    world.report(half_done(world), state=state)
    answer = await control(world, verb)
    assert answer.status_code == 409
    assert state in answer.json()["detail"]
    assert notes(world) == {}


async def test_cancel_only_grows(world: World) -> None:
    half_done(world)
    answer = await control(world, "cancel")
    assert answer.status_code == 200
    assert answer.json()["queued_targets"] == 0
    assert notes(world)[CANCEL_ANNOTATION] == "Graceful"
    assert notes(world)[CANCELLED_BY_ANNOTATION].startswith("api-key test (")
    assert (await control(world, "cancel", params={"force": "true"})).status_code == 200
    assert notes(world)[CANCEL_ANNOTATION] == "Force"
    assert (await control(world, "cancel")).status_code == 200
    assert notes(world)[CANCEL_ANNOTATION] == "Force"
    for verb in ("pause", "resume"):
        assert (await control(world, verb)).status_code == 409
    assert world.kube.of(Rollout)[0].spec.cancel is None


async def test_control_survives_the_operators_writes(world: World) -> None:
    rollout = half_done(world)
    world.kube.before_patch = [lambda: world.report(rollout, message="moving")] * 4
    assert (await control(world, "pause")).status_code == 200
    assert PAUSED_BY_ANNOTATION in notes(world)


async def test_control_decides_anew_when_the_state_changed(world: World) -> None:
    rollout = half_done(world)
    world.kube.before_patch = [lambda: world.report(rollout, state="succeeded")]
    assert (await control(world, "pause")).status_code == 409
    assert notes(world) == {}


def canary_waits(world: World, **status: Any) -> Rollout:
    """A rollout whose canary went well and waits to be approved."""
    canary = {"planned": 1, "name": "canary", "state": "awaiting_approval", "approval": "1@abc"}
    waves = [canary, {"planned": 3}]
    known = {"state": "in_progress", "planHash": "abc", "wave": 1, "waves": waves}
    return world.report(half_done(world), **{**known, **status})


async def test_an_approval_is_written_once_in_the_callers_name(world: World) -> None:
    canary_waits(world)
    answer = await control(world, "approve", json={"approval": "1@abc"})
    assert answer.status_code == 200
    assert notes(world)[APPROVE_ANNOTATION] == "1@abc"
    assert notes(world)[APPROVED_BY_ANNOTATION].startswith("api-key test (")
    patches = world.kube.called("patch", Rollout)
    assert (await control(world, "approve", json={"approval": "1@abc"})).status_code == 200
    # Nor does it fail once the operator has gone on.
    (rollout,) = world.kube.of(Rollout)
    passed = {"planned": 1, "state": "passed", "approval": "1@abc", "approvedBy": "ada"}
    world.report(rollout, wave=2, waves=[passed, {"planned": 3, "state": "running"}])
    assert (await control(world, "approve", json={"approval": "1@abc"})).status_code == 200
    assert world.kube.called("patch", Rollout) == patches


@pytest.mark.parametrize("wrong", ["2@abc", "1@other", "yes"])
async def test_another_wave_or_plan_is_not_approved(world: World, wrong: str) -> None:
    canary_waits(world)
    answer = await control(world, "approve", json={"approval": wrong})
    assert answer.status_code == 409
    assert "waits for the approval 1@abc (wave 1 of 2 (canary))" in answer.json()["detail"]
    assert notes(world) == {}


async def test_nothing_is_approved_that_nobody_asks_for(world: World) -> None:
    half_done(world)
    answer = await control(world, "approve", json={"approval": "1@abc"})
    assert answer.status_code == 409
    assert "waits for no approval now" in answer.json()["detail"]
    assert (await control(world, "approve", json={})).status_code == 422
    assert (await control(world, "approve", json={"approval": ""})).status_code == 422
    assert notes(world) == {}


async def test_control_gives_up_in_the_end(world: World) -> None:
    rollout = half_done(world)
    world.kube.before_patch = [lambda: world.report(rollout, message="moving")] * 50
    assert (await control(world, "pause")).status_code == 409


async def test_an_archived_rollout_cannot_be_changed(world: World) -> None:
    rollout = half_done(world)
    target = world.kube.of(RolloutTarget)[1]
    await archive(world, rollout)
    bury(world, rollout)
    for verb in ("pause", "resume", "cancel", f"targets/{target.metadata.uid}/retry"):
        answer = await world.call("POST", f"{FLEET}/{rollout.metadata.uid}/{verb}")
        assert answer.status_code == 409
        assert "archived" in answer.json()["detail"]


async def test_the_cluster_is_away(world: World) -> None:
    half_done(world)
    world.kube.fail.append(Unavailable("https://10.0.0.1:6443 refused"))
    answer = await control(world, "pause")
    assert answer.status_code == 503
    assert "10.0.0.1" not in answer.text


@pytest.mark.parametrize("state", ["in_progress", "succeeded"])
async def test_a_rollout_is_taken_back_at_any_time_and_once(world: World, state: str) -> None:
    world.report(half_done(world), state=state)
    assert (await control(world, "rollback")).status_code == 200
    assert notes(world)[ROLLBACK_ANNOTATION] == "true"
    assert notes(world)[ROLLED_BACK_BY_ANNOTATION].startswith("api-key test (")
    patches = world.kube.called("patch", Rollout)
    assert (await control(world, "rollback")).status_code == 200
    assert world.kube.called("patch", Rollout) == patches
