from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.model import Plan, Report, Start
from hydracore_core.rollouts.plan import plan
from hydracore_crds.names import CANCEL_ANNOTATION, PAUSED_BY_ANNOTATION
from tests.core.rollouts.builders import (
    NOW,
    bundle,
    fleet,
    of,
    platform,
    policy,
    rollout,
    target,
    view,
)

CLOSED = policy(2, window=(22, 23))


def decide(owner: Any = None, **fields: Any) -> tuple[Plan, Any]:
    owner = owner or rollout(admitted=True)
    targets = [target(owner, i, n) for n, i in enumerate(fleet(2))]
    made = plan(view(**{"rollouts": [owner], "targets": targets, "instances": fleet(2), **fields}))
    reports = of(made, Report)
    return made, reports[0].status if reports else None


def window(status: Any) -> tuple[str, str]:
    found = next(c for c in status.conditions if c.type == "WindowOpen")
    return found.status, found.reason


def test_open() -> None:
    made, status = decide()
    assert len(of(made, Start)) == 2
    assert window(status) == ("True", "WindowIsOpen")
    assert made.wake_at is None
    assert made.window_open


def test_the_window_is_checked_for_every_start() -> None:
    made, status = decide(policy=CLOSED)
    assert of(made, Start) == []
    assert window(status) == ("False", "WindowIsClosed")
    assert status.conditions[0].reason == "WaitingForWindow"
    assert "2026-03-01 22:00Z" in status.message
    opens = NOW + timedelta(hours=10)
    assert (made.window_open, made.next_opens_at, made.wake_at) == (False, opens, opens)
    at_the_edge, _ = decide(policy=CLOSED, now=opens)
    assert len(of(at_the_edge, Start)) == 2
    after, _ = decide(policy=CLOSED, now=opens + timedelta(hours=1))
    assert of(after, Start) == []


def test_a_bundle_in_quarantine_comes_to_nobody_by_itself_but_to_those_who_ask() -> None:
    shut = [bundle(quarantined=True)]
    auto = {"admitted": True, "only_auto": True}
    made, status = decide(rollout(**auto), bundles=shut, policy=policy(runtime="auto"))
    assert of(made, Start) == []
    assert (status.state, status.conditions[0].reason) == ("queued", "BundleQuarantined")
    assert "goes on when the bundle is released, or when this rollout is resumed" in status.message
    asked, _ = decide(bundles=shut)
    assert len(of(asked, Start)) == 2
    early = rollout(**auto, status={"resumed_at": NOW - timedelta(minutes=1)})
    assert of(decide(early, bundles=shut, policy=policy(runtime="auto"))[0], Start) == []
    resumed = rollout(**auto, status={"resumed_at": NOW})
    made, _ = decide(resumed, bundles=shut, policy=policy(runtime="auto"))
    assert len(of(made, Start)) == 2


def test_who_rolls_out_a_bundle_in_quarantine_is_told_so_and_why() -> None:
    shut, open_ = [bundle(quarantined=True)], [bundle()]
    _, status = decide(bundles=shut)
    found = next(c for c in status.conditions if c.type == "Quarantined")
    assert (found.status, found.reason) == ("True", "RolloutHalted")
    assert found.message.startswith("bundle runtime-expressclaw-1.1.0 is in quarantine (Rollout")
    told = {"conditions": [c.model_dump() for c in status.conditions]}
    _, later = decide(rollout(admitted=True, status=told), bundles=open_)
    found = next(c for c in later.conditions if c.type == "Quarantined")
    assert (found.status, found.reason) == ("False", "Released")
    _, never = decide(bundles=open_)
    assert {c.type for c in never.conditions} == {"Progressing", "Succeeded", "WindowOpen"}


def test_override_bypasses_the_window_only() -> None:
    made, status = decide(rollout(admitted=True, override_window=True), policy=CLOSED)
    assert len(of(made, Start)) == 2
    assert window(status) == ("True", "WindowOverridden")
    paused, _ = decide(rollout(admitted=True, override_window=True, paused=True), policy=CLOSED)
    assert of(paused, Start) == []


@pytest.mark.parametrize(
    ("fields", "state", "reason"),
    [
        ({"paused": True}, "paused", "Paused"),
        ({"annotations": {PAUSED_BY_ANNOTATION: "ada"}}, "paused", "Paused"),
        ({"cancel": "Graceful"}, "in_progress", "Cancelling"),
        ({"annotations": {CANCEL_ANNOTATION: "Force"}}, "in_progress", "Cancelling"),
        ({"cancel": "Graceful", "paused": True}, "in_progress", "Cancelling"),
        (
            {"status": {"state": "paused", "halt_reason": "x", "halted_at": NOW}},
            "paused",
            "FailureThresholdReached",
        ),
    ],
)
def test_what_people_close(fields: dict[str, Any], state: str, reason: str) -> None:
    made, status = decide(rollout(admitted=True, **fields))
    assert of(made, Start) == []
    assert status.state == state
    assert status.conditions[0].reason == reason


def test_a_pause_says_who_and_what_becomes_of_the_rest() -> None:
    _, status = decide(rollout(admitted=True, annotations={PAUSED_BY_ANNOTATION: "ada"}))
    assert "paused by ada; what is in flight finishes" in status.message


def test_a_terminating_namespace_starts_nothing() -> None:
    made, status = decide(terminating=True)
    assert of(made, Start) == []
    assert status.conditions[0].reason == "Deleting"


def test_a_bundle_that_was_yanked_since_is_not_started_any_more() -> None:
    made, status = decide(bundles=[bundle(yanked=True)])
    assert of(made, Start) == []
    assert status.conditions[0].reason == "BundleYanked"


def test_a_freeze_stops_what_overrides_the_window_and_a_rollback() -> None:
    urgent = rollout(admitted=True, override_window=True)
    made, status = decide(urgent, policy=CLOSED, platform=platform("an incident"))
    assert of(made, Start) == []
    assert status.conditions[0].reason == "PlatformFrozen"
    assert status.conditions[0].status == "False"
    assert "the platform is frozen: an incident" in status.message
    assert window(status) == ("True", "WindowOverridden")
    thawed, _ = decide(urgent, policy=CLOSED, platform=platform())
    assert len(of(thawed, Start)) == 2


def test_a_freeze_that_ends_by_itself_wakes_the_plan() -> None:
    ends = NOW + timedelta(minutes=30)
    made, status = decide(platform=platform("a holiday", ends))
    assert (of(made, Start), made.wake_at) == ([], ends)
    assert "the platform is frozen until 2026-03-01 12:30Z: a holiday" in status.message
    over, _ = decide(platform=platform("a holiday", ends), now=ends)
    assert len(of(over, Start)) == 2


def test_what_people_have_stopped_says_so_also_while_the_platform_is_frozen() -> None:
    _, status = decide(rollout(admitted=True, paused=True), platform=platform("an incident"))
    assert status.conditions[0].reason == "Paused"
