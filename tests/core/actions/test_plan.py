"""The decision on one action, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hydracore_core.actions.model import (
    RUN_WITHIN,
    SETTLE_FOR,
    START_WITHIN,
    ActionView,
    Finish,
    Follow,
    Rest,
    Settle,
    Start,
    Wait,
)
from hydracore_core.actions.plan import decide
from hydracore_crds import Instance, InstanceAction
from hydracore_crds.instance_action import FINISHED_STATES

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BEFORE = NOW - timedelta(minutes=1)


def action(name: str = "a", what: str = "power-cycle", **parts: Any) -> InstanceAction:
    metadata = {
        "name": name,
        "namespace": "t",
        "uid": f"uid-{name}",
        "creationTimestamp": BEFORE,
        **parts.pop("metadata", {}),
    }
    spec = {"instanceName": "ada", "action": what, **parts.pop("spec", {})}
    status = {"state": "pending", **parts.pop("status", {})}
    return InstanceAction.model_validate({"metadata": metadata, "spec": spec, "status": status})


def instance(**parts: Any) -> Instance:
    metadata = {
        "name": "ada",
        "namespace": "t",
        "uid": "i",
        "creationTimestamp": BEFORE - timedelta(days=1),
        **parts.pop("metadata", {}),
    }
    status = {
        "state": "running",
        "agentUrl": "http://127.0.0.1:1",
        "agentPublicKey": "k",
        **parts.pop("status", {}),
    }
    spec = {"className": "c", "regionId": "r"}
    return Instance.model_validate({"metadata": metadata, "spec": spec, "status": status})


def running(what: str = "power-cycle", **status: Any) -> InstanceAction:
    deadline = NOW + timedelta(seconds=30)
    return action(what=what, status={"state": "running", "startedAt": BEFORE,
                                     "deadline": deadline, **status})  # fmt: skip


def uncertain(reason: str = "Interrupted") -> InstanceAction:
    condition = {
        "type": "Succeeded",
        "status": "Unknown",
        "reason": reason,
        "lastTransitionTime": NOW,
    }
    return running(state="uncertain", conditions=[condition])


VIEW = ActionView(action(), NOW, instance())


@pytest.mark.parametrize("what", list(RUN_WITHIN))
def test_what_can_start_starts_with_a_deadline_of_its_own(what: str) -> None:
    found = decide(replace(VIEW, action=action(what=what)))
    assert found == Start(NOW + RUN_WITHIN[what])  # type: ignore[index]


def test_an_action_without_a_status_is_pending() -> None:
    assert isinstance(decide(replace(VIEW, action=action(status={"state": None}))), Start)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"instance": None}, "InstanceNotFound"),
        ({"instance": instance(metadata={"deletionTimestamp": NOW})}, "InstanceDeleted"),
        ({"instance": instance(metadata={"creationTimestamp": NOW})}, "InstanceDeleted"),
        ({"instance": instance(status={"state": "failed"})}, "InstanceNotRunning"),
        ({"instance": instance(status={"state": "error"})}, "InstanceNotRunning"),
        ({"now": BEFORE + START_WITHIN}, "StartDeadlineExceeded"),
        (
            {
                "others": [
                    action("z", metadata={"creationTimestamp": BEFORE - timedelta(seconds=1)})
                ]
            },
            "DuplicateAction",
        ),
    ],
)
def test_what_can_never_start_fails(changes: dict[str, Any], reason: str) -> None:
    found = decide(replace(VIEW, **changes))
    assert isinstance(found, Finish)
    assert (found.state, found.reason) == ("failed", reason)


def test_the_deadline_names_what_it_waited_for() -> None:
    condition = {
        "type": "Succeeded",
        "status": "Unknown",
        "reason": "Paused",
        "message": "the Instance has the annotation hydracore.io/paused",
        "lastTransitionTime": NOW,
    }
    late = action(status={"conditions": [condition]})
    found = decide(ActionView(late, BEFORE + START_WITHIN, instance()))
    assert isinstance(found, Finish)
    assert "it waited because the Instance has the annotation" in found.message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"instance": instance(metadata={"annotations": {"hydracore.io/paused": "true"}})},
            "Paused",
        ),
        ({"instance": instance(status={"state": "provisioning"})}, "InstanceNotRunning"),
        ({"instance": instance(status={"agentPublicKey": None})}, "InstanceNotRunning"),
        ({"pushed": True}, "PushInProgress"),
        ({"others": [action("z", "reboot", status={"state": "running"})]}, "WaitingForAction"),
    ],
)
def test_what_only_has_to_wait_waits_with_an_end(changes: dict[str, Any], reason: str) -> None:
    found = decide(replace(VIEW, **changes))
    assert isinstance(found, Wait)
    assert (found.reason, found.until) == (reason, BEFORE + START_WITHIN)


@pytest.mark.parametrize("what", ["run-diagnostics", "clear-circuit-breakers"])
def test_what_interrupts_nothing_goes_on_during_a_push(what: str) -> None:
    assert isinstance(decide(replace(VIEW, action=action(what=what), pushed=True)), Start)


def test_a_reboot_is_for_instances_in_error_too() -> None:
    broken = instance(status={"state": "error"})
    assert isinstance(decide(replace(VIEW, action=action(what="reboot"), instance=broken)), Start)


@pytest.mark.parametrize(
    "other",
    [
        action("z", "power-cycle", metadata={"creationTimestamp": NOW}),
        action("z", "run-diagnostics", metadata={"creationTimestamp": BEFORE - START_WITHIN}),
        action("z", status={"state": "succeeded"}),
        action("z", status={"state": "uncertain"}),
    ],
)
def test_what_others_do_not_hinder(other: InstanceAction) -> None:
    assert isinstance(decide(replace(VIEW, others=[other])), Start)


def test_other_parameters_are_no_duplicate() -> None:
    older = action("z", "apply-updates", metadata={"creationTimestamp": BEFORE - timedelta(1)})
    forced = action("a", "apply-updates", spec={"parameters": {"force": True}})
    assert isinstance(decide(replace(VIEW, action=forced, others=[older])), Start)


def test_nothing_starts_in_a_tenant_that_goes_or_for_an_action_that_goes() -> None:
    assert decide(replace(VIEW, terminating=True)) == Rest()
    going = action(metadata={"deletionTimestamp": NOW})
    assert decide(replace(VIEW, action=going)) == Rest()


def test_our_own_run_is_followed_and_settled_at_its_deadline() -> None:
    view = replace(VIEW, action=running(), mine=True)
    assert decide(view) == Follow()
    assert decide(replace(view, now=NOW + timedelta(seconds=30))) == Settle()


def test_another_s_run_becomes_uncertain_and_is_never_started() -> None:
    found = decide(replace(VIEW, action=running()))
    assert isinstance(found, Finish)
    assert (found.state, found.reason) == ("uncertain", "Interrupted")


@pytest.mark.parametrize("reason", ["Interrupted", "OutcomeUnknown"])
def test_evidence_is_sought_for_a_while(reason: str) -> None:
    view = replace(VIEW, action=uncertain(reason))
    last = NOW + timedelta(seconds=30) + SETTLE_FOR
    assert decide(view) == Settle()
    assert decide(replace(view, now=last - timedelta(seconds=1))) == Settle()
    assert decide(replace(view, now=last)) == Rest()


@pytest.mark.parametrize("reason", ["NoEvidence", "InstanceDeleted"])
def test_where_there_can_be_no_evidence_none_is_sought(reason: str) -> None:
    assert decide(replace(VIEW, action=uncertain(reason))) == Rest()


@pytest.mark.parametrize("gone", [None, instance(metadata={"deletionTimestamp": NOW})])
def test_the_end_of_the_instance_ends_its_actions(gone: Instance | None) -> None:
    found = decide(replace(VIEW, action=running(), instance=gone, mine=True))
    assert isinstance(found, Finish)
    assert (found.state, found.reason) == ("uncertain", "InstanceDeleted")
    assert decide(replace(VIEW, action=uncertain(), instance=gone)) == Rest()


@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_what_is_over_stays(state: str) -> None:
    view = replace(VIEW, action=action(status={"state": state}))
    assert decide(view) == Rest()
    assert decide(replace(view, instance=None, terminating=True, mine=True)) == Rest()


def test_only_pending_actions_ever_start() -> None:
    """Whatever else holds: a second run would need a Start from another state."""
    reasons = ["Interrupted", "OutcomeUnknown", "NoEvidence", "Running"]
    for state in ("running", *FINISHED_STATES):
        for reason in reasons:
            for mine in (True, False):
                for now in (NOW, NOW + timedelta(hours=1)):
                    one = uncertain(reason)
                    one.status.state = state  # type: ignore[assignment]
                    assert not isinstance(
                        decide(ActionView(one, now, instance(), mine=mine)), Start
                    )
