"""Lists and single reads while rollouts move from the cluster into the archive."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydracore_api.rollouts.seam import archive_slice, page
from hydracore_crds import Instance, Rollout, RolloutTarget
from hydracore_crds.base import format_time
from hydracore_history import HistoryUnavailable
from hydracore_operator.archive.plain import plain
from tests.api.rollouts.test_rollouts import FLEET, TIMELINE, bury
from tests.api.support.world import START, World

Row = tuple[datetime, str]
rows = st.lists(
    st.tuples(
        st.integers(0, 3).map(lambda n: datetime(2030, 5, 1, 12, 0, n, tzinfo=UTC)),
        st.text("0af-", min_size=1, max_size=4),
    ),
    unique_by=lambda row: row[1],
    max_size=14,
)


def one_page(everything: Sequence[Row], live: Sequence[Row], limit: int, offset: int) -> list[Row]:
    """A page as the service makes it, of an archive that has everything already."""
    stored = sorted((row for row in everything if row not in live), reverse=True)
    part = archive_slice(len(live), limit, offset)
    found = stored[part.offset : part.offset + part.limit]
    return page(live, found, limit, offset, lambda row: row)


@given(rows, st.data(), st.integers(1, 5))
def test_pages_are_those_of_one_list_wherever_its_rows_are(
    everything: list[Row], data: st.DataObject, limit: int
) -> None:
    """Between two pages any number of rows moves out of the cluster."""
    live = data.draw(st.lists(st.sampled_from(everything), unique=True)) if everything else []
    seen: list[Row] = []
    for offset in range(0, len(everything) + limit, limit):
        seen += one_page(everything, live, limit, offset)
        live = live[: data.draw(st.integers(0, len(live)))]
    assert seen == sorted(everything, reverse=True)


@given(rows, st.data(), st.integers(1, 5), st.integers(0, 20))
def test_no_more_of_the_archive_is_read_than_may_be_shown(
    everything: list[Row], data: st.DataObject, limit: int, offset: int
) -> None:
    live = data.draw(st.lists(st.sampled_from(everything), unique=True)) if everything else []
    assert archive_slice(len(live), limit, offset).limit <= limit + len(live)


def ended(world: World, name: str, *on: Instance, seconds: int = 0) -> Rollout:
    """A finished rollout as the operator leaves it, steps and all."""
    key = {"initiatedBy": "api-key laptop (k-1)", "initiatedFromIP": "192.0.2.1"}
    rollout = world.rollout(name, **key)
    born = {"creationTimestamp": format_time(START + timedelta(seconds=seconds))}
    rollout = world.kube.change(Rollout, name, "acme", {"metadata": born})
    trail = [step(1, "created", "queued", "api-key laptop (k-1)"), step(2, "started", "running")]
    for order, instance in enumerate(on):
        world.target(
            rollout,
            order,
            instance,
            "succeeded",
            taskId="00000000-0000-4000-8000-00000000000a",
            startedAt=format_time(START),
            completedAt=format_time(START + timedelta(seconds=2.5)),
            lastResultStatus="activated",
            hostname=f"{instance.metadata.name}.local",
            detail={"from": "1.0.0"},
            transitions=[step(1, "started", "in_progress"), step(2, "succeeded", "succeeded")],
        )
    return world.report(
        rollout,
        state="succeeded",
        startedAt=format_time(START),
        completedAt=format_time(START + timedelta(seconds=3)),
        message="2 of 2 targets succeeded",
        transitions=trail,
    )


def step(seq: int, event: str, state: str, actor: str = "operator") -> dict[str, Any]:
    at = format_time(START + timedelta(seconds=seq))
    return {"seq": seq, "event": event, "state": state, "at": at, "actor": actor}


async def archive(world: World, rollout: Rollout) -> None:
    """Store a rollout as the operator does before it removes it."""
    targets = world.services.cache.targets_by_rollout.get("acme", rollout.metadata.name)
    await world.history.rollouts.archive(
        plain(rollout),
        [plain(one) for one in targets],
        tenant_id="acme",
        namespace="acme",
        uid=rollout.metadata.uid,
        at=world.clock(),
    )


async def everything(world: World, rollout: Rollout, instance: Instance) -> dict[str, bytes]:
    """Return all answers in which a rollout shows."""
    uid = rollout.metadata.uid
    paths = (
        f"{FLEET}/{uid}",
        f"{TIMELINE}/{uid}/timeline",
        f"{TIMELINE}/{uid}/events",
        FLEET,
        f"/v1/instances/{instance.spec.id}/runtime/rollouts",
    )
    answers = {path: await world.call("GET", path) for path in paths}
    assert {answer.status_code for answer in answers.values()} == {200}
    return {path: answer.content for path, answer in answers.items()}


async def test_every_answer_stays_the_same_to_the_byte(world: World) -> None:
    ada, bob = world.instance("ada"), world.instance("bob")
    rollout = ended(world, "r1", ada, bob)
    live = await everything(world, rollout, ada)
    await archive(world, rollout)
    assert await everything(world, rollout, ada) == live, "in both"
    changed = {"metadata": {"deletionTimestamp": format_time(START)}}
    world.kube.change(Rollout, "r1", "acme", changed)
    assert await everything(world, rollout, ada) == live, "going"
    bury(world, rollout)
    assert await everything(world, rollout, ada) == live, "gone"


async def test_what_takes_back_is_marked_before_and_after_it_leaves_the_cluster(
    world: World,
) -> None:
    ada = world.instance("ada")
    rollout = ended(world, "r1", ada, ada)
    update, back = sorted(one.metadata.name for one in world.kube.of(RolloutTarget))
    world.kube.change(RolloutTarget, back, "acme", {"spec": {"rollbackOf": update}})
    live = await everything(world, rollout, ada)
    detail = json.loads(live[f"{FLEET}/{rollout.metadata.uid}"])
    assert [one["takes_back"] for one in detail["targets"]] == [False, True]
    timeline = json.loads(live[f"{TIMELINE}/{rollout.metadata.uid}/timeline"])
    assert [one["takes_back"] for one in timeline["timeline"]] == [False, True]
    of_ada = json.loads(live[f"/v1/instances/{ada.spec.id}/runtime/rollouts"])
    assert sorted(one["takes_back"] for one in of_ada) == [False, True]
    await archive(world, rollout)
    bury(world, rollout)
    assert await everything(world, rollout, ada) == live


@pytest.mark.parametrize("first", ["targets", "rollout"])
async def test_it_does_not_matter_which_watch_tells_first(world: World, first: str) -> None:
    """The garbage collector and the two watches keep no order among rollouts and targets."""
    ada, bob = world.instance("ada"), world.instance("bob")
    rollout = ended(world, "r1", ada, bob)
    live = await everything(world, rollout, ada)
    await archive(world, rollout)
    if first == "rollout":
        world.kube.drop(Rollout, "r1", "acme")
    else:
        for one in world.kube.of(RolloutTarget):
            world.kube.drop(RolloutTarget, one.metadata.name, "acme")
            assert await everything(world, rollout, ada) == live
    assert await everything(world, rollout, ada) == live


async def test_targets_deleted_by_hand_are_not_sought_in_the_archive(world: World) -> None:
    rollout = ended(world, "r1", world.instance("ada"))
    status = {"status": {"counts": {"total": 2, "succeeded": 2}, "removed": {"total": 1}}}
    world.kube.change(Rollout, "r1", "acme", status)
    with_away = await world.call("GET", f"{FLEET}/{rollout.metadata.uid}")
    assert len(with_away.json()["targets"]) == 1


async def test_rollouts_of_one_second_page_alike_before_and_after(world: World) -> None:
    ada = world.instance("ada")
    made = [ended(world, f"r{n}", ada) for n in range(6)]
    wanted = [one["id"] for one in (await world.call("GET", FLEET)).json()]
    for n, rollout in enumerate(made):
        await archive(world, rollout)
        bury(world, rollout)
        pages = [
            (await world.call("GET", f"{FLEET}?limit=2&offset={offset}")).json()
            for offset in (0, 2, 4)
        ]
        assert [one["id"] for part in pages for one in part] == wanted, f"after {n + 1} moved"
    mine = (await world.call("GET", f"/v1/instances/{ada.spec.id}/runtime/rollouts")).json()
    assert [one["rollout_id"] for one in mine] != []
    assert len({one["id"] for one in mine}) == 6


async def test_one_that_is_removed_between_two_pages_is_on_one_of_them(world: World) -> None:
    made = [ended(world, f"r{n}", seconds=n) for n in range(4)]
    first = (await world.call("GET", f"{FLEET}?limit=2")).json()
    for rollout in (made[3], made[0]):
        await archive(world, rollout)
        bury(world, rollout)
    second = (await world.call("GET", f"{FLEET}?limit=2&offset=2")).json()
    ids = [one["id"] for one in (*first, *second)]
    assert ids == [one.metadata.uid for one in reversed(made)]


async def test_what_another_tenant_left_under_the_name_is_not_shown(world: World) -> None:
    """Neither in lists, whose pages it must not shorten, nor alone."""
    ada = world.instance("ada")
    theirs, ours = ended(world, "theirs", ada, seconds=9), ended(world, "ours", ada)
    for rollout, tenant in ((theirs, "former"), (ours, "acme")):
        targets = world.services.cache.targets_by_rollout.get("acme", rollout.metadata.name)
        await world.history.rollouts.archive(
            plain(rollout),
            [plain(one) for one in targets],
            tenant_id=tenant,
            namespace="acme",
            uid=rollout.metadata.uid,
            at=world.clock(),
        )
        bury(world, rollout)
    (shown,) = (await world.call("GET", f"{FLEET}?limit=1")).json()
    assert shown["id"] == ours.metadata.uid
    path = f"/v1/instances/{ada.spec.id}/runtime/rollouts?limit=1"
    (mine,) = (await world.call("GET", path)).json()
    assert mine["rollout_id"] == ours.metadata.uid
    for path in (f"{FLEET}/{theirs.metadata.uid}", f"{TIMELINE}/{theirs.metadata.uid}/timeline"):
        assert (await world.call("GET", path)).status_code == 404


async def test_while_the_database_is_away_what_is_live_is_answered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = world.instance("ada")
    live, old = ended(world, "live", ada), ended(world, "old", ada)
    await archive(world, old)
    bury(world, old)
    before = await world.call("GET", f"{FLEET}/{live.metadata.uid}")

    async def away(*_: Any, **__: Any) -> Any:
        raise HistoryUnavailable("sqlite+aiosqlite:////secret/place.db is locked")

    for name in ("get", "list", "targets_of_instance"):
        monkeypatch.setattr(world.history.rollouts, name, away)
    uid = live.metadata.uid
    assert (await world.call("GET", f"{FLEET}/{uid}")).content == before.content
    for what in ("timeline", "events"):
        assert (await world.call("GET", f"{TIMELINE}/{uid}/{what}")).status_code == 200
    assert (await world.call("POST", f"{FLEET}/{uid}/pause")).status_code == 409  # it has ended
    for path in (
        f"{FLEET}/{old.metadata.uid}",
        f"{TIMELINE}/{old.metadata.uid}/timeline",
        f"{TIMELINE}/{old.metadata.uid}/events",
        FLEET,
        f"/v1/instances/{ada.spec.id}/runtime/rollouts",
    ):
        answer = await world.call("GET", path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2"), path
        assert "secret" not in answer.text
