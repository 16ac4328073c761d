from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.model import Plan, Report, Settle, Start, TakeBack
from hydracore_core.rollouts.plan import plan
from hydracore_crds import Bundle, Rollout, RolloutTarget
from hydracore_crds.names import PAUSED_BY_ANNOTATION, ROLLBACK_ANNOTATION
from hydracore_crds.rollout import RollbackStatus, RolloutStatus
from hydracore_crds.rollout_target import rollback_name
from tests.core.rollouts.builders import (
    NOW,
    bundle,
    digest_of,
    done,
    fleet,
    of,
    policy,
    rollout,
    running,
    target,
    view,
)

FLEET = fleet(4)
OLD = digest_of("1.0.0")
BUNDLES = [bundle("1.0.0"), bundle("1.1.0")]
BEGUN = {"rollback": RollbackStatus(started_at=NOW, reason="ada asked for it", requested_by="ada")}


def updated(
    owner: Rollout, order: int, *, state: str = "succeeded", **status: Any
) -> RolloutTarget:
    started = NOW - timedelta(minutes=10 - order)
    fields = {"previous_bundle_hash": OLD, "started_at": started, **status}
    return done(owner, FLEET[order], order, state, **fields)


def back(owner: Rollout, order: int, state: str = "queued", **status: Any) -> RolloutTarget:
    make = {"queued": target, "in_progress": running}.get(state)
    made = (
        make(owner, FLEET[order], order, **status)
        if make is not None
        else done(owner, FLEET[order], order, state, **status)
    )
    name = rollback_name(owner.metadata.name, order)
    spec = {
        "rollback_of": target(owner, FLEET[order], order).metadata.name,
        "bundle_name": BUNDLES[0].metadata.name,
        "bundle_hash": OLD,
    }
    return made.model_copy(
        update={
            "metadata": made.metadata.model_copy(update={"name": name}),
            "spec": made.spec.model_copy(update=spec),
        }
    )


def owned(*, begun: bool = True, state: str = "in_progress", **fields: Any) -> Rollout:
    status = {"state": state, **(BEGUN if begun else {})}
    return rollout(admitted=True, status=status, **fields)


def decide(owner: Rollout, *targets: RolloutTarget, **fields: Any) -> tuple[Plan, RolloutStatus]:
    filled = {"bundles": BUNDLES, "instances": FLEET, "policy": policy(2), **fields}
    made = plan(view(rollouts=[owner], targets=targets, **filled))
    reports = of(made, Report)
    return made, reports[0].status if reports else owner.status


def drafted(made: Plan) -> list[str]:
    return [draft.instance_name for each in of(made, TakeBack) for draft in each.targets]


def test_every_update_gets_a_target_that_takes_it_back_the_newest_first() -> None:
    owner = owned()
    made, _ = decide(owner, *(updated(owner, order) for order in range(3)))
    (intent,) = of(made, TakeBack)
    assert drafted(made) == ["a-2", "a-1", "a-0"]
    first = intent.targets[0]
    assert first.name == "r1-00002-back"
    assert first.back is not None
    assert (first.back.target_name, first.back.bundle_name, first.back.sha256) == (
        "r1-00002",
        "runtime-expressclaw-1.0.0",
        OLD,
    )


def test_failed_updates_went_back_by_themselves_unless_the_instance_says_otherwise() -> None:
    owner = owned()
    runs_it = FLEET[1].model_copy(deep=True)
    assert runs_it.status.runtime is not None
    runs_it.status.runtime.bundle_hash = digest_of("1.1.0")
    there = [FLEET[0], runs_it, *FLEET[2:]]
    ended = [updated(owner, order, state="failed") for order in (0, 1)]
    made, _ = decide(owner, *ended, instances=there)
    assert drafted(made) == ["a-1"]


def test_nothing_is_drafted_twice() -> None:
    owner = owned()
    made, _ = decide(owner, updated(owner, 0), back(owner, 0))
    assert drafted(made) == []


def test_the_latest_updates_go_back_first_within_the_limit() -> None:
    owner = owned()
    ended = [updated(owner, order) for order in range(3)]
    made, _ = decide(owner, *ended, *(back(owner, order) for order in range(3)))
    assert [start.target_name for start in of(made, Start)] == ["r1-00002-back", "r1-00001-back"]


def test_what_waits_is_not_started_and_what_runs_may_finish() -> None:
    owner = owned()
    made, status = decide(owner, running(owner, FLEET[0], 0), target(owner, FLEET[1], 1))
    (settle,) = of(made, Settle)
    assert (settle.target_name, settle.state, settle.reason) == (
        "r1-00001",
        "cancelled",
        "RollingBack",
    )
    assert of(made, Start) == []
    assert status.state == "in_progress"


@pytest.mark.parametrize(
    ("previous", "bundles", "reason"),
    [
        (None, BUNDLES, "NothingBefore"),
        (digest_of("1.1.0"), BUNDLES, "NothingBefore"),
        (OLD, [bundle("1.1.0")], "PreviousBundleUnusable"),
        (OLD, [bundle("1.0.0", yanked=True), bundle("1.1.0")], "PreviousBundleUnusable"),
        (
            OLD,
            [bundle("1.0.0", ready=("False", "DigestMismatch")), bundle("1.1.0")],
            "PreviousBundleUnusable",
        ),
    ],
)
def test_who_cannot_go_back_is_named_with_the_reason(
    previous: str | None, bundles: list[Bundle], reason: str
) -> None:
    owner = owned()
    made, status = decide(owner, updated(owner, 0, previous_bundle_hash=previous), bundles=bundles)
    assert drafted(made) == []
    assert status.rollback is not None
    assert status.rollback.skipped is not None
    assert status.rollback.skipped.reasons == {reason: 1}
    assert status.conditions[0].reason == "RollbackIncomplete"


def test_an_instance_that_a_newer_rollout_has_is_left_to_it() -> None:
    owner = owned()
    newer = rollout("r2", version="1.2.0", age=-timedelta(minutes=5), admitted=True)
    theirs = done(newer, FLEET[0], 0, "succeeded")
    made = plan(
        view(
            rollouts=[owner, newer],
            targets=[updated(owner, 0), updated(owner, 1), theirs],
            instances=FLEET,
            bundles=[*BUNDLES, bundle("1.2.0")],
        )
    )
    assert drafted(made) == ["a-1"]


def test_a_failure_begins_it_where_the_strategy_says_so() -> None:
    owner = owned(begun=False, strategy={"onFailure": "rollback"})
    made, status = decide(
        owner, updated(owner, 0), updated(owner, 1, state="failed"), target(owner, FLEET[2], 2)
    )
    assert of(made, Start) == []
    assert drafted(made) == [], "the intent is stored before the effect"
    assert status.rollback is not None
    assert status.rollback.requested_by is None
    assert "1 of 2 executed targets failed, the limit is 1" in status.rollback.reason
    assert (status.state, status.halt_reason) == ("in_progress", None)


def test_a_failure_of_the_last_target_begins_it_too() -> None:
    owner = owned(begun=False, strategy={"onFailure": "rollback"})
    _, status = decide(owner, updated(owner, 0), updated(owner, 1, state="failed"))
    assert status.rollback is not None
    assert status.state == "in_progress"


@pytest.mark.parametrize("state", ["paused", "succeeded", "failed", "cancelled"])
def test_a_person_may_ask_for_it_at_any_time(state: str) -> None:
    cancelled = {"cancel": "Graceful"} if state == "cancelled" else {}
    asked = {ROLLBACK_ANNOTATION: "true"}
    owner = owned(begun=False, state=state, annotations=asked, **cancelled)
    made, status = decide(owner, updated(owner, 0))
    assert drafted(made) == ["a-0"]
    assert status.rollback is not None
    assert status.rollback.requested_by == "its annotation"
    assert status.state == "in_progress"
    assert status.completed_at is None


def test_a_pause_and_the_window_hold_it_up_and_a_yanked_bundle_does_not() -> None:
    paused = owned(annotations={PAUSED_BY_ANNOTATION: "ada"})
    made, status = decide(paused, updated(paused, 0), back(paused, 0))
    assert (of(made, Start), status.state) == ([], "paused")
    owner = owned()
    ended = (updated(owner, 0), back(owner, 0))
    made, status = decide(owner, *ended, policy=policy(2, window=(2, 3)))
    assert of(made, Start) == []
    assert status.conditions[0].reason == "WaitingForWindow"
    yanked = [bundle("1.0.0"), bundle("1.1.0", yanked=True)]
    made, _ = decide(owner, *ended, bundles=yanked)
    assert len(of(made, Start)) == 1


@pytest.mark.parametrize(("requested_by", "state"), [("ada", "cancelled"), (None, "failed")])
def test_at_its_end_it_says_what_was_taken_back(requested_by: str | None, state: str) -> None:
    begun = RollbackStatus(started_at=NOW, reason="so it is", requested_by=requested_by)
    owner = rollout(admitted=True, status={"state": "in_progress", "rollback": begun})
    _, status = decide(owner, updated(owner, 0), back(owner, 0, "succeeded"))
    assert status.state == state
    assert status.conditions[0].reason == "RolledBackAll"
    assert status.message == "1 of 1 target succeeded; taken back: 1 of 1; why: so it is"
    assert status.rollback is not None
    assert status.rollback.completed_at == NOW
    assert status.counts is not None
    assert status.counts.total == 1, "targets that take back are counted apart"


def test_once_it_has_ended_it_never_begins_again() -> None:
    begun = RollbackStatus(started_at=NOW, completed_at=NOW, reason="so it is")
    owner = rollout(admitted=True, status={"state": "failed", "rollback": begun})
    made, _ = decide(owner, updated(owner, 0))
    assert drafted(made) == []


def test_its_deletion_stops_it() -> None:
    owner = owned()
    deleting = owner.metadata.model_copy(update={"deletion_timestamp": NOW})
    owner = owner.model_copy(update={"metadata": deleting})
    made, _ = decide(owner, updated(owner, 0), updated(owner, 1), back(owner, 0))
    assert drafted(made) == []
    assert of(made, Start) == []
    assert [settle.target_name for settle in of(made, Settle)] == ["r1-00000-back"]
