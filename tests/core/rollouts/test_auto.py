"""Rollouts that nobody asks for: when one is made, for which bundle, and that it is made once."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from hydracore_core.rollouts.artifacts import pin
from hydracore_core.rollouts.auto import AutoPlan, AutoView, auto_name, plan_auto
from hydracore_crds import Rollout
from hydracore_crds.instance import InstanceUpdatePolicy
from tests.core.rollouts.builders import (
    NAMESPACE,
    bundle,
    fleet,
    instance,
    policy,
    rollout,
    uid_of,
)

AUTO = InstanceUpdatePolicy(runtime="auto")
NAME = "runtime-expressclaw-1.1.0"
FRESH = {NAME: False}


def look(**fields: Any) -> AutoView:
    """Build a view of a tenant with the policy auto, to whom a newer bundle is available."""
    known: dict[str, Any] = {
        "namespace": NAMESPACE,
        "namespace_uid": uid_of("namespace"),
        "policy": policy(runtime="auto"),
        "bundles": [bundle("1.0.0"), bundle("1.1.0")],
        "instances": fleet(2),
        "made": FRESH,
    }
    return AutoView(**{**known, **fields})


def made(**fields: Any) -> Rollout:
    """Return the rollout that is made."""
    found = plan_auto(look(**fields))
    assert (found.ask, found.remember) == ((), ())
    ((one, _),) = found.make
    return one


def ours(**status: Any) -> Rollout:
    """Return the rollout that was made, as it is stored."""
    one = made()
    metadata = one.metadata.model_copy(update={"uid": uid_of("auto")})
    return one.model_copy(
        update={"metadata": metadata, "status": one.status.model_copy(update=status)}
    )


def test_a_newer_bundle_makes_a_cautious_rollout_for_those_who_want_it() -> None:
    one = made()
    assert one.metadata.namespace == NAMESPACE
    assert one.metadata.labels == {"hydracore.io/managed-by": "operator"}
    assert one.spec.bundle_name == NAME
    assert (one.spec.only_auto, one.spec.initiated_by, one.spec.force) == (True, "auto", False)
    assert one.spec.strategy.on_failure == "pause"
    assert one.spec.strategy.waves is not None
    (canary,) = one.spec.strategy.waves
    assert canary.count == 1
    assert canary.bake_seconds > 0


@pytest.mark.parametrize(
    "fields",
    [
        {"policy": policy(runtime="notify")},
        {"policy": policy(runtime="disabled")},
        {"policy": None},
        {"instances": []},
        {"instances": [instance("a-0", version="1.1.0")]},
        {"instances": [instance("a-0", version="1.2.0")]},
        {"instances": [instance("a-0", version=None)]},
        {"instances": [instance("a-0", state="provisioning")]},
        {"instances": [instance("a-0", health="unreachable")]},
        {"instances": [instance("a-0", runtime_type="other")]},
        {"bundles": [bundle("1.1.0", ready=("False", "DigestMismatch"))]},
        {"bundles": [bundle("1.1.0", yanked=True)]},
        {"bundles": [bundle("1.1.0-rc.1")]},
        {"bundles": [bundle("1.1.0", component="skill")]},
        {"bundles": [bundle("1.0.0"), bundle("1.1.0", quarantined=True)]},
        {"made": {NAME: True}},
    ],
)
def test_when_none_is_made(fields: dict[str, Any]) -> None:
    found = plan_auto(look(**fields))
    assert (found.ask, found.make, found.remember) == ((), (), ())


def test_one_instance_that_wants_it_is_enough() -> None:
    own = instance("own", update_policy=AUTO)
    assert made(policy=None, instances=[*fleet(2), own]).spec.only_auto


def test_each_runtime_type_gets_its_own() -> None:
    other = bundle("3.0.0", slug="other")
    found = plan_auto(
        look(
            bundles=[bundle("1.1.0"), other],
            instances=[instance("a"), instance("b", runtime_type="other")],
            made={NAME: False, other.metadata.name: False},
        )
    )
    assert [one.spec.bundle_name for one, _ in found.make] == [NAME, other.metadata.name]


def test_history_is_asked_before_anything_is_made() -> None:
    found = plan_auto(look(made={}))
    assert [one.metadata.name for one in found.ask] == [NAME]
    assert found.make == ()


@pytest.mark.parametrize("state", [None, "paused", "succeeded", "failed", "cancelled"])
def test_one_that_is_there_is_remembered_and_not_made_again(state: Any) -> None:
    one = ours(state=state)
    assert plan_auto(look(rollouts=[one], made={})) == AutoPlan(remember=((one, bundle("1.1.0")),))
    assert plan_auto(look(rollouts=[one], made={NAME: True})) == AutoPlan()


def test_other_bytes_under_the_same_name_are_another_bundle() -> None:
    former = ours(state="succeeded", artifact=pin(bundle("1.1.0")))
    again = bundle("1.1.0")
    again.spec.artifact.sha256 = "f" * 64
    one = made(rollouts=[former], bundles=[again])
    assert one.metadata.name != former.metadata.name


def test_a_persons_rollout_of_the_bundle_is_let_finish_first() -> None:
    theirs = rollout("theirs", admitted=True, status={"state": "in_progress"})
    found = plan_auto(look(rollouts=[theirs]))
    assert found.make == ()
    assert "the rollout theirs of it has not ended yet" in found.notes[0].text
    done = rollout("theirs", admitted=True, status={"state": "succeeded"})
    assert made(rollouts=[done, rollout("older", version="1.0.0")]).spec.only_auto


def test_a_persons_rollout_for_the_same_instances_is_not_taken_for_ours() -> None:
    theirs = rollout("theirs", admitted=True, only_auto=True, status={"state": "succeeded"})
    assert made(rollouts=[theirs]).metadata.name != "theirs"


def test_a_name_that_somebody_has_taken_is_said() -> None:
    taken = rollout(made().metadata.name, version="1.0.0", status={"state": "succeeded"})
    found = plan_auto(look(rollouts=[taken]))
    assert found.make == ()
    assert "somebody else's rollout is named auto-expressclaw-1-1-0-" in found.notes[0].text


def test_the_name_is_short_and_the_same_for_everybody() -> None:
    view = look()
    assert re.fullmatch(r"auto-expressclaw-1-1-0-[0-9a-f]{10}", auto_name(view, bundle("1.1.0")))
    assert auto_name(view, bundle("1.1.0")) == auto_name(look(made={}), bundle("1.1.0"))
    other = policy(runtime="auto")
    other.metadata.uid = uid_of("other policy")
    names = {auto_name(look(policy=p), bundle("1.1.0")) for p in (None, policy(), other)}
    assert len(names) == 3
    long = bundle("1.1.0", slug="s" * 32)
    long.spec.version = "1.0.0+" + "a" * 50
    assert len(auto_name(view, long)) == 57


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_what_is_known_does_not_matter(seed: int) -> None:
    shuffled = random.Random(seed)
    view = look(instances=fleet(6), bundles=[bundle(f"1.{n}.0") for n in range(2)])
    mixed = look(
        instances=shuffled.sample(view.instances, 6), bundles=shuffled.sample(view.bundles, 2)
    )
    assert plan_auto(mixed) == plan_auto(view)
