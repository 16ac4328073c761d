from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.model import Plan, Report, Settle, Start
from hydracore_core.rollouts.plan import plan
from hydracore_crds import Instance
from hydracore_crds.instance import InstanceUpdatePolicy
from hydracore_crds.names import PAUSED_ANNOTATION
from tests.core.rollouts.builders import (
    NOW,
    condition,
    fleet,
    instance,
    of,
    policy,
    rollout,
    running,
    slot,
    target,
    view,
)


def decide(count: int = 6, limit: int = 2, **fields: Any) -> Plan:
    owner = fields.pop("owner", None) or rollout(admitted=True)
    some = fields.pop("instances", None) or fleet(count)
    targets = fields.pop("targets", None) or [target(owner, i, n) for n, i in enumerate(some)]
    fields = {"rollouts": [owner], "policy": policy(limit), **fields}
    return plan(view(instances=some, targets=targets, **fields))


def started(made: Plan) -> list[str]:
    return [start.target_name for start in of(made, Start)]


def reason(made: Plan) -> str:
    (report,) = of(made, Report)
    return report.status.conditions[0].reason


def test_as_many_as_fit_in_the_order_of_the_plan() -> None:
    made = decide(limit=4)
    assert started(made) == ["r1-00000", "r1-00001", "r1-00002", "r1-00003"]
    first = of(made, Start)[0]
    assert first.deadline == NOW + timedelta(seconds=900)
    assert first.instance_uid == fleet(1)[0].metadata.uid
    assert first.attempt == 1


def test_every_ledger_entry_counts_whatever_it_is_for() -> None:
    stranger = rollout("x", admitted=True)
    entries = [slot(running(stranger, instance(f"x-{n}"), n), instance(f"x-{n}")) for n in range(3)]
    assert started(decide(limit=4, slots=entries)) == ["r1-00000"]
    made = decide(limit=3, slots=entries)
    assert started(made) == []
    assert reason(made) == "WaitingForSlot"
    assert made.in_flight == 3


def test_a_target_in_progress_counts_though_the_ledger_has_lost_it() -> None:
    owner, some = rollout(admitted=True), fleet(6)
    targets = [running(owner, some[0]), *(target(owner, i, n) for n, i in enumerate(some) if n)]
    assert started(decide(limit=2, owner=owner, targets=targets)) == ["r1-00001"]
    assert started(decide(limit=1, owner=owner, targets=targets)) == []


def test_a_limit_that_was_lowered_starts_nothing_and_is_no_error() -> None:
    owner, some = rollout(admitted=True), fleet(6)
    flying = [running(owner, some[n], n) for n in range(3)]
    targets = [*flying, *(target(owner, some[n], n) for n in range(3, 6))]
    entries = [slot(t, some[n]) for n, t in enumerate(flying)]
    made = decide(limit=1, owner=owner, targets=targets, slots=entries)
    assert started(made) == []
    assert (made.limit, made.in_flight) == (1, 3)


def test_the_rollouts_own_limit_holds_as_well_but_never_raises_the_tenants() -> None:
    small = rollout(admitted=True, strategy={"maxParallel": 1})
    assert len(started(decide(limit=4, owner=small))) == 1
    large = rollout(admitted=True, strategy={"maxParallel": 9})
    assert len(started(decide(limit=4, owner=large))) == 4
    some = fleet(6)
    flying = running(small, some[0])
    targets = [flying, target(small, some[1], 1)]
    made = decide(4, 4, owner=small, targets=targets, slots=[slot(flying, some[0])])
    assert started(made) == []


def test_slots_are_shared_fairly_and_the_oldest_gets_the_odd_one() -> None:
    old, new = (
        rollout("z-old", admitted=True, age=timedelta(hours=1)),
        rollout("new", admitted=True),
    )
    some = fleet(6)
    targets = [target(new, some[n], n) for n in range(3)]
    targets += [target(old, some[n], n) for n in range(3, 6)]
    made = decide(limit=3, rollouts=[new, old], targets=targets, instances=some)
    assert started(made) == ["z-old-00003", "new-00000", "z-old-00004"]


def test_a_new_rollout_gets_the_next_slots_until_it_has_as_many_as_the_old_one() -> None:
    old, new = rollout("old", admitted=True, age=timedelta(hours=1)), rollout("new", admitted=True)
    some = fleet(8)
    flying = [running(old, some[n], n) for n in range(2)]
    targets = [*flying, target(old, some[2], 2), *(target(new, some[n], n) for n in range(3, 6))]
    entries = [slot(each, some[n]) for n, each in enumerate(flying)]
    made = decide(limit=5, rollouts=[old, new], targets=targets, instances=some, slots=entries)
    assert started(made) == ["new-00003", "new-00004", "old-00002"]


def test_what_one_rollout_cannot_use_another_may() -> None:
    old, new = rollout("old", admitted=True, age=timedelta(hours=1)), rollout("new", admitted=True)
    some = [instance("a-0", health="unreachable"), *fleet(4)[1:]]
    targets = [target(old, some[0])] + [target(new, some[n], n) for n in range(1, 4)]
    made = decide(limit=3, rollouts=[old, new], targets=targets, instances=some)
    assert started(made) == ["new-00001", "new-00002", "new-00003"]


def test_never_two_orders_for_one_instance() -> None:
    old, new = rollout("old", admitted=True, age=timedelta(hours=1)), rollout("new", admitted=True)
    pinned = new.status.artifact
    assert pinned is not None
    new.status.artifact = pinned.model_copy(update={"slug": "other"})
    (only,) = fleet(1)
    made = decide(
        limit=5,
        instances=[only],
        rollouts=[old, new],
        targets=[target(old, only), target(new, only)],
    )
    assert started(made) == ["old-00000"]


@pytest.mark.parametrize("state", ["failed", "error"])
def test_an_instance_that_needs_a_person_drops_out(state: Any) -> None:
    made = decide(instances=[instance("a-0", state=state), instance("a-1")], limit=1)
    assert started(made) == ["r1-00001"]
    (settle,) = of(made, Settle)
    assert (settle.state, settle.reason) == ("cancelled", "NotRunning")
    assert "redeploy" in settle.message


def test_switched_off_since_drops_out_unless_it_is_a_redeploy() -> None:
    off = instance("a-0", update_policy=InstanceUpdatePolicy(runtime="disabled"))
    (settle,) = of(decide(instances=[off]), Settle)
    assert settle.reason == "PolicyDisabled"
    forced = rollout(admitted=True, force=True)
    assert len(started(decide(instances=[off], owner=forced))) == 1


def test_what_comes_by_itself_is_dropped_where_the_owner_wants_to_be_asked_by_now() -> None:
    asked = instance("a-0", update_policy=InstanceUpdatePolicy(runtime="notify"))
    auto = instance("a-1", update_policy=InstanceUpdatePolicy(runtime="auto"))
    made = decide(instances=[asked, auto], owner=rollout(admitted=True, only_auto=True))
    assert started(made) == ["r1-00001"]
    (settle,) = of(made, Settle)
    assert (settle.state, settle.reason) == ("cancelled", "PolicyNotAuto")
    assert len(started(decide(instances=[asked, auto], owner=rollout(admitted=True)))) == 2


@pytest.mark.parametrize("fields", [{"health": "unreachable"}, {"state": "provisioning"}])
def test_one_that_may_come_back_is_passed_over_and_blocks_nobody(fields: dict[str, Any]) -> None:
    made = decide(instances=[instance("a-0", **fields), instance("a-1")], limit=1)
    assert started(made) == ["r1-00001"]
    assert of(made, Settle) == []
    alone = decide(instances=[instance("a-0", **fields)])
    assert started(alone) == []
    assert reason(alone) == "WaitingForInstance"
    assert any("a-0" in note.text for note in alone.notes)


def test_an_agent_that_stays_unreachable_drops_out_after_the_targets_time() -> None:
    def silent_for(minutes: int) -> Instance:
        found = instance("a-0", health="unreachable")
        since = NOW - timedelta(minutes=minutes)
        told = condition("AgentHealthy", "False", "Unreachable")
        found.status.conditions = [told.model_copy(update={"last_transition_time": since})]
        return found

    patient = decide(instances=[silent_for(14), instance("a-1")])
    assert of(patient, Settle) == []
    assert patient.wake_at == NOW + timedelta(minutes=1)
    (settle,) = of(decide(instances=[silent_for(15), instance("a-1")]), Settle)
    assert (settle.target_name, settle.state, settle.reason) == (
        "r1-00000",
        "cancelled",
        "AgentUnreachable",
    )
    assert "repair it, then redeploy" in settle.message


def test_a_paused_instance_is_left_alone() -> None:
    paused = instance("a-0")
    paused.metadata.annotations[PAUSED_ANNOTATION] = "true"
    assert started(decide(instances=[paused])) == []


def test_one_that_reports_the_digest_already_is_started_so_that_its_agent_proves_it() -> None:
    assert len(started(decide(instances=[instance("a-0", version="1.1.0")]))) == 1


def test_a_target_in_deletion_is_not_started() -> None:
    owner = rollout(admitted=True)
    leaving = target(owner, instance("a-0"))
    leaving.metadata.deletion_timestamp = NOW
    assert started(decide(instances=[instance("a-0")], owner=owner, targets=[leaving])) == []


def test_the_platform_grants_less_than_the_tenants_limit() -> None:
    owner, fleet_ = rollout(admitted=True), fleet(4)
    targets = [target(owner, one, number) for number, one in enumerate(fleet_)]
    seen = {"rollouts": [owner], "targets": targets, "instances": fleet_, "policy": policy(3)}
    made = plan(view(**seen, granted=1))
    assert [intent.target_name for intent in of(made, Start)] == [targets[0].metadata.name]
    assert (made.wanted, made.limit) == (3, 3)
    none = plan(view(**seen, granted=0))
    (told,) = of(none, Report)
    assert (of(none, Start), none.wanted) == ([], 3)
    assert told.status.conditions[0].reason == "WaitingForSlot"
    assert "the platform grants this tenant 0 slots at present" in (told.status.message or "")
    assert len(of(plan(view(**seen)), Start)) == 3


def test_what_the_platform_grants_is_divided_between_rollouts() -> None:
    fleet_ = fleet(4)
    older = rollout("r1", admitted=True, instance_names=["a-0", "a-1"])
    newer = rollout("r2", admitted=True, instance_names=["a-2", "a-3"], age=-timedelta(minutes=1))
    targets = [target(older, one, number) for number, one in enumerate(fleet_[:2])]
    targets += [target(newer, one, number) for number, one in enumerate(fleet_[2:])]
    made = plan(
        view(
            rollouts=[older, newer],
            targets=targets,
            instances=fleet_,
            policy=policy(4),
            granted=2,
        )
    )
    assert {intent.rollout_name for intent in of(made, Start)} == {"r1", "r2"}
    assert made.wanted == 4


def test_what_cannot_start_is_not_wanted_of_the_platform() -> None:
    owner, fleet_ = rollout(admitted=True, paused=True), fleet(2)
    targets = [target(owner, one, number) for number, one in enumerate(fleet_)]
    made = plan(view(rollouts=[owner], targets=targets, instances=fleet_, granted=2))
    assert made.wanted == 0
