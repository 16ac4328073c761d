"""Who did what to a rollout and its targets."""

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


async def events(world: World, rollout: Rollout, query: str = "") -> dict[str, Any]:
    answer = await world.call("GET", f"{TIMELINE}/{rollout.metadata.uid}/events{query}")
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


async def test_each_step_is_told_with_its_actor_oldest_first(world: World) -> None:
    ada = world.instance("ada")
    rollout = ended(world, "r1", ada)
    found = await events(world, rollout)
    assert found["rollout_id"] == rollout.metadata.uid
    assert found["events"][0] == {
        "target_id": None,
        "instance_id": None,
        "seq": 1,
        "event": "created",
        "status": "queued",
        "at": format_time(START.replace(second=1)),
        "actor": KEY,
        "attempt": None,
        "reason": None,
        "message": None,
    }
    told = [(one["instance_id"], one["event"], one["actor"]) for one in found["events"]]
    assert told == [
        (None, "created", KEY),
        (ada.spec.id, "started", "operator"),
        (None, "started", "operator"),
        (ada.spec.id, "succeeded", "operator"),
    ]
    assert (found["total_events"], found["complete"]) == (4, True)


async def test_events_come_in_pages(world: World) -> None:
    rollout = ended(world, "r1", world.instance("ada"), world.instance("bob"))
    everything = (await events(world, rollout))["events"]
    pages = [await events(world, rollout, f"?limit=2&offset={offset}") for offset in (0, 2, 4, 6)]
    assert [one for page in pages for one in page["events"]] == everything
    assert {page["total_events"] for page in pages} == {6}
    for query in ("?limit=0", "?limit=501", "?offset=-1"):
        path = f"{TIMELINE}/{rollout.metadata.uid}/events{query}"
        assert (await world.call("GET", path)).status_code == 422


async def test_one_that_began_before_steps_were_noted_has_none(world: World) -> None:
    found = await events(world, world.rollout("r1", state="succeeded"))
    assert (found["events"], found["complete"]) == ([], True)


async def test_steps_that_an_object_no_longer_bears_come_from_the_log(world: World) -> None:
    rollout = cut(world, ended(world, "r1"), 3)
    known = [told(rollout, 1, "created"), told(rollout, 2, "started"), told(rollout, 3, "paused")]
    await world.history.transitions.record(known)
    live = await events(world, rollout)
    assert [(one["seq"], one["event"]) for one in live["events"]] == [
        (1, "created"),
        (2, "started"),
        (3, "paused"),
        (4, "resumed"),
    ]
    await archive(world, rollout)
    bury(world, rollout)
    assert await events(world, rollout) == live


async def test_while_the_log_is_away_a_live_one_says_that_there_was_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout = cut(world, ended(world, "r1"), 3)
    await archive(world, rollout)

    async def away(*_: Any) -> Any:
        raise HistoryUnavailable("locked")

    monkeypatch.setattr(world.history.transitions, "of_rollout", away)
    found = await events(world, rollout)
    assert [one["seq"] for one in found["events"]] == [3, 4]
    assert found["complete"] is False
    bury(world, rollout)
    answer = await world.call("GET", f"{TIMELINE}/{rollout.metadata.uid}/events")
    assert answer.status_code == 503


async def test_another_tenants_steps_are_not_shown(world: World) -> None:
    rollout = ended(world, "r1")
    headers = await world.key("other")
    path = f"{TIMELINE}/{rollout.metadata.uid}/events"
    assert (await world.call("GET", path, headers=headers)).status_code == 404
