from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.artifacts import pin
from hydracore_core.rollouts.model import Admit, Hold, Plan, Report, Start
from hydracore_core.rollouts.plan import plan
from hydracore_crds.names import PAUSED_BY_ANNOTATION
from tests.core.rollouts.builders import NOW, bundle, fleet, instance, of, rollout, target, view


def decide(**fields: Any) -> Plan:
    return plan(view(**{"rollouts": [rollout()], "instances": fleet(2), **fields}))


def test_pinned_are_the_artifact_and_the_set_of_targets() -> None:
    (admit,) = of(decide(), Admit)
    assert admit.artifact == pin(bundle())
    assert [draft.name for draft in admit.targets] == ["r1-00000", "r1-00001"]


def test_nothing_starts_before_the_artifact_is_pinned() -> None:
    owner, (a, b) = rollout(), fleet(2)
    made = decide(rollouts=[owner], targets=[target(owner, a)])
    assert of(made, Start) == []
    (admit,) = of(made, Admit)
    assert [draft.instance_name for draft in admit.targets] == [b.metadata.name]


def test_what_is_there_starts_while_others_are_being_created() -> None:
    owner, (a, b) = rollout(status={"artifact": pin(bundle())}), fleet(2)
    made = decide(rollouts=[owner], targets=[target(owner, a)])
    assert [start.instance_name for start in of(made, Start)] == [a.metadata.name]
    (admit,) = of(made, Admit)
    assert [draft.instance_name for draft in admit.targets] == [b.metadata.name]


def test_the_set_is_complete_when_no_target_is_missing() -> None:
    owner, (a, b) = rollout(status={"artifact": pin(bundle())}), fleet(2)
    made = decide(rollouts=[owner], targets=[target(owner, a), target(owner, b)])
    assert of(made, Admit) == []
    (report,) = of(made, Report)
    assert report.status.targets_created
    assert report.status.counts is not None
    assert report.status.counts.total == 2


def test_an_instance_that_is_created_later_is_no_part_of_it() -> None:
    owner = rollout(status={"artifact": pin(bundle()), "admitted_at": NOW})
    early, late = fleet(2)
    late.metadata.creation_timestamp = NOW + timedelta(seconds=1)
    early.metadata.creation_timestamp = NOW
    (admit,) = of(decide(rollouts=[owner], instances=[early, late]), Admit)
    assert [draft.instance_name for draft in admit.targets] == [early.metadata.name]


def test_a_dynamic_one_takes_in_who_comes_later_until_it_has_ended() -> None:
    status = {"artifact": pin(bundle()), "admitted_at": NOW, "targets_created": True}
    owner, (a, late) = rollout(status=status, dynamic=True), fleet(2)
    late.metadata.creation_timestamp = NOW + timedelta(hours=1)
    made = decide(rollouts=[owner], targets=[target(owner, a)], instances=[a, late])
    (admit,) = of(made, Admit)
    assert [draft.instance_name for draft in admit.targets] == [late.metadata.name]
    ended = owner.model_copy(
        update={"status": owner.status.model_copy(update={"state": "succeeded"})}
    )
    there = [target(ended, a, state="succeeded")]
    assert of(decide(rollouts=[ended], targets=there, instances=[a, late]), Admit) == []


def test_one_that_has_ended_so_far_goes_on_while_targets_are_missing() -> None:
    owner, (a, _) = rollout(status={"artifact": pin(bundle())}), fleet(2)
    done = target(owner, a, state="succeeded", attempt=1)
    (report,) = of(decide(rollouts=[owner], targets=[done]), Report)
    assert report.status.state == "in_progress"
    assert report.status.completed_at is None


def test_a_failure_halts_it_although_only_missing_targets_are_left() -> None:
    owner, (a, _) = rollout(status={"artifact": pin(bundle())}), fleet(2)
    failed = target(owner, a, state="failed", attempt=1)
    made = decide(rollouts=[owner], targets=[failed])
    (report,) = of(made, Report)
    assert report.status.state == "paused"
    assert "1 target untouched" in (report.status.halt_reason or "")
    assert len(of(made, Admit)) == 1


def test_a_pinned_artifact_stays_pinned() -> None:
    pinned = pin(bundle()).model_copy(update={"key_id": "older"})
    (admit,) = of(decide(rollouts=[rollout(status={"artifact": pinned})]), Admit)
    assert admit.artifact.key_id == "older"


@pytest.mark.parametrize(
    ("bundles", "reason"),
    [
        ([], "BundleMissing"),
        ([bundle(yanked=True)], "BundleYanked"),
        ([bundle(ready=("False", "SignatureInvalid"))], "SignatureInvalid"),
    ],
)
def test_without_a_good_bundle_it_stays_queued_and_says_why(bundles: Any, reason: str) -> None:
    made = decide(bundles=bundles)
    assert of(made, Admit) == []
    (report,) = of(made, Report)
    assert report.status.state == "queued"
    progressing = report.status.conditions[0]
    assert (progressing.type, progressing.status) == ("Progressing", "False")
    assert progressing.reason == reason
    assert progressing.message == report.status.message
    again = rollout(status=report.status.model_dump())
    assert decide(bundles=bundles, rollouts=[again]).intents == ()


def test_nobody_to_reach_is_admitted_too_and_then_at_once_done() -> None:
    there = [instance("a-0", version="1.1.0"), instance("a-1", state="failed")]
    (admit,) = of(decide(instances=there), Admit)
    assert admit.targets == ()
    admitted = rollout(admitted=True, status={"skipped": admit.skipped.model_dump()})
    (report,) = of(decide(rollouts=[admitted], instances=there), Report)
    status = report.status
    assert status.state == "succeeded"
    assert status.completed_at is not None
    assert status.conditions[0].reason == "NothingToDo"
    assert status.skipped is not None
    assert status.skipped.reasons == {"AlreadyUpToDate": 1, "NotRunning": 1}
    assert status.message == "no instance needs this bundle; 2 instances skipped"


def test_not_held_cancelled_terminating_or_finished_admit_nothing() -> None:
    unheld = decide(rollouts=[rollout(held=False)])
    assert [type(i) for i in unheld.intents] == [Hold]
    assert of(decide(rollouts=[rollout(cancel="Graceful")]), Admit) == []
    assert of(decide(terminating=True), Admit) == []
    ended = rollout(status={"state": "succeeded", "observed_generation": 1})
    assert decide(rollouts=[ended]).intents == ()


def test_a_paused_rollout_is_admitted_so_that_its_targets_can_be_seen() -> None:
    paused = rollout(annotations={PAUSED_BY_ANNOTATION: "ada"})
    assert len(of(decide(rollouts=[paused]), Admit)) == 1
