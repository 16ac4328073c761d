"""A rollout as lines and as a table."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from hydracore_cli.watch.render import MAX_SHOWN, changes, summary, table
from hydracore_cli.watch.view import make_view
from hydracore_cli.watch.watching import exit_status
from hydracore_crds.base import format_time
from hydracore_crds.rollout import Rollout
from hydracore_crds.rollout_target import RolloutTarget

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
UUID = "00000000-0000-4000-8000-000000000000"


def rollout(state: str | None, counts: dict[str, int], **more: Any) -> Rollout:
    status = {"state": state, "counts": counts, **more} if state else {}
    return Rollout.model_validate(
        {
            "metadata": {"name": "r1", "annotations": more.pop("annotations", {})},
            "spec": {"bundleName": "runtime-expressclaw-1.1.0"},
            "status": status,
        }
    )


def target(
    order: int, state: str | None, started: float | None = None, **more: Any
) -> RolloutTarget:
    status: dict[str, Any] = {"state": state, **more} if state else {}
    if started is not None:
        status["startedAt"] = format_time(NOW - timedelta(seconds=started))
    return RolloutTarget.model_validate(
        {
            "metadata": {"name": f"r1-{order}"},
            "spec": {
                "rolloutName": "r1",
                "instanceName": f"agent-{order}",
                "instanceId": UUID,
                "bundleHash": "0" * 64,
                "order": order,
            },
            "status": status,
        }
    )


def test_a_rollout_that_nobody_has_seen_yet_is_queued() -> None:
    view = make_view(rollout(None, {}), [], NOW)
    assert (view.state, view.final, exit_status(view)) == ("queued", False, 2)
    assert "no targets yet" in summary(view)


@pytest.mark.parametrize(("state", "status"), [("succeeded", 0), ("failed", 1), ("cancelled", 1)])
def test_the_exit_status_says_how_it_ended(state: str, status: int) -> None:
    assert exit_status(make_view(rollout(state, {"total": 1}), [], NOW)) == status


def test_changes_tell_each_thing_once() -> None:
    first = make_view(
        rollout("in_progress", {"total": 2, "inProgress": 1, "queued": 1}),
        [target(1, None), target(0, "in_progress", 3)],
        NOW,
    )
    assert changes(None, first) == ["agent-0: in progress", "rollout r1 is in progress"]
    assert changes(first, first) == []
    done = {"completedAt": format_time(NOW), "lastResultStatus": "rolled_back"}
    second = make_view(
        rollout(
            "paused",
            {"total": 2, "failed": 1, "queued": 1},
            haltReason="1 of 2 failed, limit 1",
        ),
        [target(0, "failed", 3, **done), target(1, "queued")],
        NOW,
    )
    assert changes(first, second) == [
        "agent-0: failed after 3.0 s: rolled_back",
        "rollout r1 is paused: 1 of 2 failed, limit 1",
    ]


def test_a_pause_says_by_whom() -> None:
    found = Rollout.model_validate(
        {
            "metadata": {"name": "r1", "annotations": {"hydracore.io/paused-by": "key ops"}},
            "spec": {"bundleName": "b"},
            "status": {"state": "paused", "counts": {"total": 2, "queued": 2}},
        }
    )
    view = make_view(found, [], NOW)
    assert "paused by key ops" in summary(view)
    assert changes(None, view) == ["rollout r1 is paused, paused by key ops"]


def test_a_large_table_shows_first_what_needs_a_look() -> None:
    targets = [target(order, "succeeded") for order in range(MAX_SHOWN)]
    targets.append(target(MAX_SHOWN, "failed", errorMessage="[/] it crashed"))
    view = make_view(rollout("failed", {"total": len(targets), "failed": 1}), targets, NOW)
    out = io.StringIO()
    Console(file=out, width=120).print(table(view))
    assert f"agent-{MAX_SHOWN} " in out.getvalue()
    assert "it crashed" in out.getvalue()
    assert "and 1 more" in out.getvalue()


def waved(*states: str, **canary: Any) -> Rollout:
    waves = [{"planned": 1, "state": state} for state in states]
    waves[0] |= {"name": "canary", **canary}
    return rollout("in_progress", {"total": len(states)}, waves=waves, wave=1)


def test_waves_are_told_when_they_go_on() -> None:
    first = make_view(waved("running", "waiting"), [], NOW)
    assert changes(None, first) == [
        "wave 1 of 2 (canary): running (1 target)",
        "rollout r1 is in progress",
    ]
    baking = make_view(waved("baking", "waiting", bakesUntil="2026-01-01T12:09:00Z"), [], NOW)
    assert changes(first, baking) == [
        "wave 1 of 2 (canary): baking (1 target, until 2026-01-01 12:09Z)"
    ]
    asking = make_view(waved("awaiting_approval", "waiting", approval="1@abc"), [], NOW)
    assert changes(baking, asking) == [
        "wave 1 of 2 (canary): awaiting approval (1 target, of 1@abc)"
    ]
    gone_on = make_view(waved("passed", "running", approvedBy="ada"), [], NOW)
    assert changes(asking, gone_on) == [
        "wave 1 of 2 (canary): passed (1 target, approved by ada)",
        "wave 2 of 2: running (1 target)",
    ]
    assert changes(gone_on, gone_on) == []


def test_a_table_shows_every_wave() -> None:
    out = io.StringIO()
    Console(file=out, width=120).print(table(make_view(waved("running", "waiting"), [], NOW)))
    assert "wave 1 of 2 (canary): running (1 target)" in out.getvalue()
    assert "wave 2 of 2: waiting (1 target)" in out.getvalue()
