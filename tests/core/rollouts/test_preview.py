from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.estimate import Observed
from hydracore_core.rollouts.model import Admit, TenantView
from hydracore_core.rollouts.plan import plan
from hydracore_core.rollouts.preview import NoPlan, preview
from hydracore_core.rollouts.preview_model import RolloutPreview
from hydracore_crds import Rollout
from hydracore_crds.rollout import WaveStatus
from tests.core.rollouts.builders import (
    NOW,
    bundle,
    done,
    fleet,
    instance,
    of,
    platform,
    policy,
    rollout,
    running,
    target,
    view,
)
from tests.core.rollouts.simulation import World

CANARY: dict[str, Any] = {"name": "canary", "count": 1, "bake_seconds": 300, "approval": True}


def thought_of(**spec: Any) -> Rollout:
    """A rollout that does not exist: without uid, time and finalizer."""
    found = rollout(held=False, **spec)
    metadata = found.metadata.model_copy(update={"uid": "", "creation_timestamp": None})
    return found.model_copy(update={"metadata": metadata})


def foresee(
    wanted: Rollout, known: TenantView | None = None, observed: Observed | None = None
) -> RolloutPreview:
    return preview(known or view(instances=fleet(4)), wanted, observed)


def members(found: RolloutPreview) -> list[list[str]]:
    return [[target.instance_name for target in wave.targets] for wave in found.waves]


def test_waves_are_told_with_what_must_hold_between_them() -> None:
    found = foresee(thought_of(strategy={"waves": [CANARY, {"percent": 50}]}))
    assert members(found) == [["a-0"], ["a-1", "a-2"], ["a-3"]]
    assert [wave.name for wave in found.waves] == ["canary", None, None]
    assert [wave.success_percent for wave in found.waves] == [100, 100, None]
    assert [wave.bake_seconds for wave in found.waves] == [300, 0, 0]
    assert [wave.approval for wave in found.waves] == [f"1@{found.plan_hash}", None, None]
    assert [[t.order for t in wave.targets] for wave in found.waves] == [[0], [1, 2], [3]]
    assert found.total == 4


def test_without_waves_all_are_of_one_without_gates() -> None:
    found = foresee(thought_of())
    assert members(found) == [["a-0", "a-1", "a-2", "a-3"]]
    (wave,) = found.waves
    assert (wave.success_percent, wave.bake_seconds, wave.approval) == (None, 0, None)


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"strategy": {"waves": [{"count": 1}, {"percent": 30, "approval": True}]}},
        {"strategy": {"maxParallel": 3, "failureThreshold": {"percent": 10}}},
        {"instance_names": ["a-3", "a-1", "nobody"]},
        {"force": True},
    ],
)
def test_what_was_foreseen_is_what_then_runs(spec: dict[str, Any]) -> None:
    there = [*fleet(4), instance("done", version="1.1.0"), instance("ill", health="unreachable")]
    foreseen = foresee(thought_of(**spec), view(instances=there))
    world = World(now=NOW, seed=3, instances={one.metadata.name: one for one in there})
    world.bundles = {bundle().metadata.name: bundle()}
    made = world.rollouts["r1"] = rollout(held=False, **spec)
    world.step()
    ran = world.rollouts[made.metadata.name].status
    places = sorted(
        (t.spec.wave, t.spec.order, t.spec.instance_name) for t in world.targets.values()
    )
    assert ran.plan_hash == foreseen.plan_hash
    assert places == [
        (wave.number, one.order, one.instance_name)
        for wave in foreseen.waves
        for one in wave.targets
    ]
    assert ran.skipped is not None
    assert ran.skipped.reasons == foreseen.skipped_reasons
    told = {one.instance_name: one.reason for one in ran.skipped.examples}
    assert told == {one.instance_name: one.reason for one in foreseen.skipped}


def test_everybody_who_is_left_out_is_told_with_the_reason() -> None:
    there = [*fleet(1), instance("done", version="1.1.0"), instance("ill", health="unreachable")]
    found = foresee(thought_of(), view(instances=there))
    told = {one.instance_name: one.reason for one in found.skipped}
    assert told == {"done": "AlreadyUpToDate", "ill": "AgentUnreachable"}
    assert found.skipped_reasons == {"AgentUnreachable": 1, "AlreadyUpToDate": 1}


def test_limits_and_threshold_are_those_that_hold() -> None:
    owner = rollout("old")
    busy = running(owner, fleet(4)[0])
    known = view(policy=policy(5), instances=fleet(4), rollouts=[owner], targets=[busy])
    found = foresee(thought_of(strategy={"maxParallel": 3}), known)
    limits = {"tenant": 5, "rollout": 3, "platform": None, "at_once": 3, "in_flight": 1}
    assert found.limits.model_dump() == limits
    assert found.halts == "halts at 1 failure"
    threshold = {"percent": 10, "minExecuted": 20}
    wary = foresee(thought_of(strategy={"failureThreshold": threshold}), known)
    assert wary.halts == "halts when 10% of those that ran failed, once 20 targets ran"
    brave = foresee(thought_of(strategy={"onFailure": "continue", "retryLimit": 1}), known)
    assert brave.halts == "failures do not halt it"
    assert brave.retries.startswith("a failed target gets up to 1 retry, after 30 s")


def test_a_cap_of_the_platform_bounds_what_is_foreseen() -> None:
    known = view(policy=policy(5), instances=fleet(4), platform=platform(limit=2))
    found = foresee(thought_of(), known, Observed(60, 7, 60))
    assert (found.limits.platform, found.limits.at_once) == (2, 2)
    assert found.estimate.ends_at == NOW + timedelta(seconds=120)
    assert "other tenants take none of the platform's 2 slots" in found.estimate.notes


def test_a_bundle_in_quarantine_is_warned_of() -> None:
    known = view(instances=fleet(1), bundles=[bundle(quarantined=True)])
    (warning,) = foresee(thought_of(), known).warnings
    assert warning.startswith("bundle runtime-expressclaw-1.1.0 is in quarantine (RolloutHalted): ")
    assert foresee(thought_of()).warnings == []


def test_a_ramp_is_told_with_its_countdowns_and_an_end_that_counts_with_it() -> None:
    ramp = {"startsPerMinute": 1, "successesPerStep": 2, "maxStartsPerMinute": 2}
    known = view(policy=policy(5), instances=fleet(4))
    found = foresee(thought_of(strategy={"ramp": ramp}), known, Observed(90, 3, 90))
    assert found.pace == "1 start a minute, 100% more after each 2 that succeeded, 2 at most"
    (wave,) = found.waves
    assert [target.countdown_seconds for target in wave.targets] == [0, 60, 90, 120]
    # As in the story of the ramp: starts at 0, 60, 120, and at 150, when two have succeeded.
    assert found.estimate.ends_at == NOW + timedelta(seconds=150 + 90)


def test_a_closed_window_is_said_with_its_opening() -> None:
    known = view(policy=policy(window=(22, 23)), instances=fleet(1))
    found = foresee(thought_of(), known)
    assert not found.window.open
    assert found.window.changes_at == NOW + timedelta(hours=10)
    assert found.waits_for == "the maintenance window opens at 2026-03-01 22:00Z"
    urgent = foresee(thought_of(override_window=True), known)
    assert (urgent.window.overridden, urgent.waits_for) == (True, None)


def test_a_bundle_that_is_not_ready_is_waited_for() -> None:
    unready = bundle(ready=("False", "ArtifactMissing"))
    found = foresee(thought_of(), view(instances=fleet(2), bundles=[unready]))
    assert found.waits_for is not None
    assert "is not ready (ArtifactMissing" in found.waits_for
    assert members(found) == [["a-0", "a-1"]]


def test_without_a_runtime_there_is_no_plan() -> None:
    with pytest.raises(NoPlan, match=r"there is no bundle runtime-expressclaw.*: publish it"):
        foresee(thought_of(), view(instances=fleet(2), bundles=[]))


def test_older_rollouts_lose_what_still_waits() -> None:
    old = rollout("old", admitted=True, age=timedelta(hours=1))
    there = fleet(3)
    targets = [running(old, there[0], 0), target(old, there[1], 1), target(old, there[2], 2)]
    found = foresee(thought_of(), view(instances=there, rollouts=[old], targets=targets))
    assert [one.model_dump() for one in found.supersedes] == [{"rollout_name": "old", "targets": 2}]
    few = thought_of(instance_names=["a-1"])
    found = foresee(few, view(instances=there, rollouts=[old], targets=targets))
    assert [one.targets for one in found.supersedes] == [1]


def test_a_rollout_made_by_a_clock_ahead_of_ours_is_older_all_the_same() -> None:
    old = rollout("old", admitted=True, age=timedelta(minutes=-5))
    there = fleet(1)
    known = view(instances=there, rollouts=[old], targets=[target(old, there[0])])
    found = foresee(thought_of(), known)
    assert [one.targets for one in found.supersedes] == [1]
    assert found.total == 1


def test_a_rollout_that_waits_behind_a_newer_one_loses_to_it() -> None:
    newer = rollout("newer", admitted=True)
    queued = rollout("older", age=timedelta(hours=1), held=False)
    known = view(instances=fleet(2), rollouts=[newer, queued], targets=[target(newer, fleet(2)[0])])
    found = foresee(queued, known)
    assert members(found) == [["a-1"]]
    assert found.skipped_reasons == {"NewerRollout": 1}


def test_a_rollout_under_way_shows_what_is_pinned() -> None:
    waves = [WaveStatus(planned=1, state="passed"), WaveStatus(planned=1)]
    status = {"plan_hash": "abc", "wave": 2, "waves": waves}
    mine = rollout(admitted=True, status=status, strategy={"waves": [{"count": 1}]})
    there = fleet(3)
    second = target(mine, there[1], 1)
    second = second.model_copy(update={"spec": second.spec.model_copy(update={"wave": 2})})
    targets = [done(mine, there[0], 0, "succeeded"), second]
    found = foresee(mine, view(instances=there, rollouts=[mine], targets=targets))
    assert found.plan_hash == "abc"
    assert members(found) == [["a-0"], ["a-1"]]
    assert [t.state for wave in found.waves for t in wave.targets] == ["succeeded", "queued"]


def test_the_end_is_estimated_from_what_was_observed() -> None:
    wanted = thought_of(strategy={"waves": [CANARY]})
    found = foresee(wanted, observed=Observed(60, 7, 60)).estimate
    # The canary, its time to bake, and three more, two at once.
    assert found.ends_at == NOW + timedelta(seconds=60 + 300 + 2 * 60)
    assert (found.seconds_per_target, found.observed) == (60, 7)
    assert found.notes == ["nothing fails", "1 approval at once when asked"]


def test_the_end_counts_closed_hours_and_other_rollouts_are_named() -> None:
    old = rollout("old", admitted=True, age=timedelta(hours=1))
    known = view(
        policy=policy(window=(22, 23)),
        instances=fleet(4),
        rollouts=[old],
        targets=[running(old, instance("other"))],
    )
    found = foresee(thought_of(), known, Observed(60, 1, 60)).estimate
    assert found.ends_at == NOW + timedelta(hours=10, minutes=2)
    assert found.notes == [
        "nothing fails",
        "other rollouts of the tenant take no slots (1 under way)",
    ]


def test_a_preview_says_who_will_miss_the_window() -> None:
    earlier = rollout("earlier", admitted=True, status={"state": "succeeded"}, version="1.0.0")
    took = timedelta(minutes=10)
    known = done(earlier, instance("other"), 0, "succeeded", started_at=NOW - took - took / 10)
    fields = {"instances": fleet(4), "rollouts": [earlier], "targets": [known]}
    night = policy(window=(22, 23))
    soon = view(**fields, policy=night, now=NOW + timedelta(hours=10, minutes=55))
    found = foresee(thought_of(), soon, Observed(600, 1, 600))
    assert found.window.needs_seconds == 600
    assert found.waits_for is not None
    assert "4 targets (a-0, a-1, a-2 and 1 more) wait until 2026-03-02 22:00Z" in found.waits_for
    assert found.estimate.ends_at == NOW + timedelta(hours=34, minutes=20)
    urgent = foresee(thought_of(override_window=True), soon)
    assert (urgent.window.needs_seconds, urgent.waits_for) == (None, None)


def test_nothing_is_made_up() -> None:
    nobody = foresee(thought_of()).estimate
    assert (nobody.ends_at, nobody.seconds_per_target, nobody.observed) == (None, None, 0)
    assert nobody.notes == [
        "no update of this tenant has succeeded yet, so nobody knows how long one takes"
    ]
    paused = foresee(thought_of(paused=True), observed=Observed(60, 1, 60)).estimate
    assert paused.ends_at is None
    assert paused.notes[0].startswith("nobody knows how long it waits: paused by spec.paused")


def test_the_tenant_is_left_as_it_is() -> None:
    known = view(instances=fleet(3))
    before = repr(known)
    foresee(thought_of(), known)
    assert repr(known) == before
    assert of(plan(known), Admit) == []
