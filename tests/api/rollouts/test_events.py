"""Who did what, in a rollout's timeline."""

from __future__ import annotations

from typing import Any

import pytest

from hydracore_crds import Rollout
from hydracore_crds.base import format_time
from hydracore_history import HistoryUnavailable, TransitionRecord
from tests.api.rollouts.test_rollouts import TIMELINE, bury
from tests.api.rollouts.test_seam import archive, ended, step
from tests.api.support.world import START, World

KEY = "api-key laptop (k-1)"


async def timeline(world: World, rollout: Rollout) -> dict[str, Any]:
    answer = await world.call("GET", f"{TIMELINE}/{rollout.metadata.uid}/timeline")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def cut(world: World, rollout: Rollout, first: int) -> Rollout:
    """The rollout after so many steps that it bears none before this one."""
    trail = [step(first, "paused", "paused", KEY), step(first + 1, "resumed", "in_progress", KEY)]
    body = {"status": {"transitions": trail}}
    return world.kube.change(Rollout, rollout.metadata.name, "acme", body)


def told(rollout: Rollout, seq: int, event: str) -> TransitionRecord:
    return TransitionRecord(
        uid=rollout.metadata.uid,
        seq=seq,
        at=START,
        kind="Rollout",
        rollout_uid=rollout.metadata.uid,
        tenant_id="acme",
        namespace="acme",
        name=rollout.metadata.name,
        event=event,
        state="in_progress",
        actor="operator",
    )


async def test_a_timeline_tells_what_happened_and_by_whom(world: World) -> None:
    found = await timeline(world, ended(world, "r1", world.instance("ada")))
    assert found["events"][0] == {
        "seq": 1,
        "event": "created",
        "status": "queued",
        "at": format_time(START.replace(second=1)),
        "actor": KEY,
        "attempt": None,
        "reason": None,
        "message": None,
    }
    assert [one["event"] for one in found["events"]] == ["created", "started"]
    assert found["events_complete"] is True
    (entry,) = found["timeline"]
    assert [(one["event"], one["actor"]) for one in entry["events"]] == [
        ("started", "operator"),
        ("succeeded", "operator"),
    ]


async def test_one_that_began_before_steps_were_noted_has_none(world: World) -> None:
    found = await timeline(world, world.rollout("r1", state="succeeded"))
    assert (found["events"], found["events_complete"]) == ([], True)


async def test_steps_that_an_object_no_longer_bears_come_from_the_log(world: World) -> None:
    rollout = cut(world, ended(world, "r1"), 3)
    known = [told(rollout, 1, "created"), told(rollout, 2, "started"), told(rollout, 3, "paused")]
    await world.history.transitions.record(known)
    live = await timeline(world, rollout)
    assert [(one["seq"], one["event"]) for one in live["events"]] == [
        (1, "created"),
        (2, "started"),
        (3, "paused"),
        (4, "resumed"),
    ]
    await archive(world, rollout)
    bury(world, rollout)
    assert await timeline(world, rollout) == live


async def test_while_the_log_is_away_a_live_one_says_that_there_was_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout = cut(world, ended(world, "r1"), 3)
    await archive(world, rollout)

    async def away(*_: Any) -> Any:
        raise HistoryUnavailable("locked")

    monkeypatch.setattr(world.history.transitions, "of_rollout", away)
    found = await timeline(world, rollout)
    assert [one["seq"] for one in found["events"]] == [3, 4]
    assert found["events_complete"] is False
    bury(world, rollout)
    answer = await world.call("GET", f"{TIMELINE}/{rollout.metadata.uid}/timeline")
    assert answer.status_code == 503


async def test_another_tenants_steps_are_not_shown(world: World) -> None:
    rollout = ended(world, "r1")
    headers = await world.key("other")
    path = f"{TIMELINE}/{rollout.metadata.uid}/timeline"
    assert (await world.call("GET", path, headers=headers)).status_code == 404
