from __future__ import annotations

from typing import Any

import pytest

from hydracore_core.rollouts.artifacts import pin
from hydracore_core.rollouts.selection import Selection, select
from hydracore_crds import Bundle, Instance, UpdatePolicy
from hydracore_crds.instance import InstanceUpdatePolicy
from hydracore_crds.rollout import RolloutSpec
from tests.core.rollouts.builders import NOW, bundle, fleet, instance, policy, rollout, target


def spec(**fields: Any) -> RolloutSpec:
    return rollout(**fields).spec


def fresh(
    wanted: RolloutSpec,
    of: Bundle,
    instances: list[Instance],
    tenant: UpdatePolicy | None,
    rollout_name: str = "r1",
) -> Selection:
    """Select for a rollout of which nothing is there yet."""
    return select(wanted, pin(of), instances, tenant, rollout_name=rollout_name)


def names(selection: Any) -> list[str]:
    return [draft.instance_name for draft in selection.drafts]


def test_all_that_run_in_order_of_their_names() -> None:
    found = fresh(spec(), bundle(), fleet(3)[::-1], None, rollout_name="r1")
    assert names(found) == ["a-0", "a-1", "a-2"]
    assert [d.order for d in found.drafts] == [0, 1, 2]
    assert [d.name for d in found.drafts] == ["r1-00000", "r1-00001", "r1-00002"]
    assert found.drafts[1].instance_id == fleet(3)[1].spec.id
    assert found.skipped.count == 0


@pytest.mark.parametrize(
    ("fields", "reason", "forced"),
    [
        ({"runtime_type": "other"}, "OtherRuntimeType", True),
        ({"state": "provisioning"}, "NotRunning", True),
        ({"state": "error"}, "NotRunning", True),
        ({"state": None}, "NotRunning", True),
        ({"update_policy": InstanceUpdatePolicy(runtime="disabled")}, "PolicyDisabled", False),
        ({"version": "1.1.0"}, "AlreadyUpToDate", False),
        ({"health": "unreachable"}, "AgentUnreachable", True),
    ],
)
def test_who_is_left_out_and_why(fields: dict[str, Any], reason: str, *, forced: bool) -> None:
    odd = instance("odd", **fields)
    found = fresh(spec(), bundle(), [odd, instance("fine")], policy())
    assert names(found) == ["fine"]
    assert found.left_out == {"odd": reason}
    assert found.skipped.reasons == {reason: 1}
    assert found.skipped.examples[0].instance_name == "odd"
    redeploy = fresh(spec(force=True), bundle(), [odd], policy())
    assert names(redeploy) == ([] if forced else ["odd"])


AUTO = InstanceUpdatePolicy(runtime="auto")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"update_policy": InstanceUpdatePolicy(runtime="notify")}, "PolicyNotAuto"),
        ({"update_policy": InstanceUpdatePolicy(runtime="disabled")}, "PolicyDisabled"),
        ({"version": "1.1.0"}, "AlreadyUpToDate"),
        ({"version": "1.1.0+other"}, "NotOlder"),
        ({"version": "1.2.0"}, "NotOlder"),
        ({"version": None}, "NotOlder"),
    ],
)
def test_updates_by_themselves_are_for_those_who_want_them_and_never_downgrade(
    fields: dict[str, Any], reason: str
) -> None:
    odd = instance("odd", **fields)
    older = instance("older", version="1.1.0-rc.1")
    tenant = policy(runtime="auto")
    found = fresh(spec(only_auto=True), bundle(), [odd, older], tenant)
    assert names(found) == ["older"]
    assert found.left_out == {"odd": reason}


def test_an_instance_may_want_them_although_its_tenant_does_not() -> None:
    own = instance("own", update_policy=AUTO)
    found = fresh(spec(only_auto=True), bundle(), [own, instance("other")], None)
    assert names(found) == ["own"]
    assert found.left_out == {"other": "PolicyNotAuto"}


def test_the_tenants_policy_holds_unless_the_instance_says_otherwise() -> None:
    own = instance("own", update_policy=InstanceUpdatePolicy(runtime="notify"))
    found = fresh(spec(), bundle(), [own, instance("other")], policy(runtime="disabled"))
    assert names(found) == ["own"]
    assert found.left_out == {"other": "PolicyDisabled"}


def test_an_instance_in_deletion_and_one_that_has_never_reported() -> None:
    leaving = instance("leaving")
    leaving.metadata.deletion_timestamp = NOW
    found = fresh(spec(), bundle(), [leaving, instance("silent", version=None)], None)
    assert names(found) == ["silent"]
    assert found.left_out == {"leaving": "NotRunning"}


def test_selector_matches_all_labels() -> None:
    some = [
        instance("both", labels={"tier": "gold", "eu": "yes"}),
        instance("one", labels={"tier": "gold"}),
    ]
    wanted = {"matchLabels": {"tier": "gold", "eu": "yes"}}
    assert names(fresh(spec(selector=wanted), bundle(), some, None)) == ["both"]
    assert len(names(fresh(spec(selector={}), bundle(), some, None))) == 2


def test_names_reach_these_only_and_unknown_ones_are_shown() -> None:
    found = fresh(spec(instance_names=["a-1", "nobody"]), bundle(), fleet(3), None)
    assert names(found) == ["a-1"]
    assert found.left_out == {"nobody": "NotFound"}


def test_a_newer_rollout_has_it() -> None:
    found = select(spec(), pin(bundle()), fleet(2), None, rollout_name="r1", newer={"a-0"})
    assert names(found) == ["a-1"]
    assert found.left_out == {"a-0": "NewerRollout"}


def test_examples_are_bounded_but_the_count_is_not() -> None:
    many = [instance(f"x-{n:03d}", state="failed") for n in range(60)]
    found = fresh(spec(), bundle(), many, None)
    assert found.skipped.count == 60
    assert found.skipped.reasons == {"NotRunning": 60}
    assert len(found.skipped.examples) == 50


def test_an_interrupted_admission_goes_on_with_the_same_names() -> None:
    owner, all_of = rollout(), fleet(4)
    first = select(owner.spec, pin(bundle()), all_of, None, rollout_name="r1")
    made = [target(owner, all_of[order], order) for order in (0, 2)]
    rest = select(owner.spec, pin(bundle()), all_of, None, rollout_name="r1", existing=made)
    assert rest.drafts == (first.drafts[1], first.drafts[3])


def test_names_never_clash_when_the_fleet_changed_in_between() -> None:
    owner, all_of = rollout(), fleet(4)
    made = [target(owner, all_of[order], order) for order in (1, 2)]
    without_first = [*all_of[1:], instance("a-9")]
    rest = select(owner.spec, pin(bundle()), without_first, None, rollout_name="r1", existing=made)
    assert names(rest) == ["a-3", "a-9"]
    orders = [1, 2, *(d.order for d in rest.drafts)]
    assert len(set(orders)) == 4
    # One that has a target stays in, whatever has become of it since.
    all_of[1] = instance("a-1", state="error")
    again = select(owner.spec, pin(bundle()), all_of, None, rollout_name="r1", existing=made)
    assert "a-1" not in again.left_out


def test_rollouts_with_long_names_do_not_share_targets() -> None:
    first, second = ("nightly-" + "x" * 54 + end for end in "ab")
    one = fresh(spec(), bundle(), fleet(1), None, rollout_name=first).drafts[0].name
    two = fresh(spec(), bundle(), fleet(1), None, rollout_name=second).drafts[0].name
    assert one != two
    assert max(len(one), len(two)) <= 63
