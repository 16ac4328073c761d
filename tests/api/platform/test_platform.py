"""The platform's policy by REST, for those who run the platform."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from hydracore_crds import PlatformPolicy
from hydracore_crds.names import MANAGED_BY_LABEL, SET_BY_ANNOTATION
from tests.api.support.files import OPS_TOKEN
from tests.api.support.world import START, World

PATH = "/internal/v1/platform/policy"
OPS = {"Authorization": f"Bearer {OPS_TOKEN}"}
NOTHING = {"freeze": None, "max_parallel_rollouts": None}


async def read(world: World) -> httpx.Response:
    return await world.client.get(PATH, headers=OPS)


async def put(world: World, match: str | None, **wish: Any) -> httpx.Response:
    headers = OPS if match is None else {**OPS, "If-Match": match}
    return await world.client.put(PATH, headers=headers, json={**NOTHING, **wish})


def stored(world: World) -> PlatformPolicy:
    (found,) = world.kube.of(PlatformPolicy)
    return found


async def test_it_is_shut_for_tenants(world: World) -> None:
    key = await world.key()
    for headers in ({}, key, {"Authorization": f"Bearer {key['X-Api-Key']}"}):
        assert (await world.client.get(PATH, headers=headers)).status_code == 401
        wish = {"freeze": {"reason": "mine"}, "max_parallel_rollouts": None}
        answer = await world.client.put(PATH, headers={**headers, "If-Match": "*"}, json=wish)
        assert answer.status_code == 401
    assert world.kube.of(PlatformPolicy) == []


async def test_while_nothing_was_set_nothing_holds(world: World) -> None:
    answer = await read(world)
    assert answer.headers["ETag"] == '"none"'
    assert answer.json() == {
        **NOTHING,
        "frozen": False,
        "message": None,
        "in_flight": None,
        "generation": 0,
        "set_by": None,
    }


async def test_a_freeze_is_set_told_to_tenants_and_ends_at_its_time(world: World) -> None:
    ends = START + timedelta(hours=1)
    freeze = {"reason": "an incident", "until": "2030-05-01T15:00:00+02:00"}
    answer = await put(world, '"none"', freeze=freeze, max_parallel_rollouts=7)
    assert answer.status_code == 200
    assert answer.json() == {
        "freeze": {"reason": "an incident", "until": "2030-05-01T13:00:00.000Z"},
        "max_parallel_rollouts": 7,
        "frozen": True,
        "message": "the platform is frozen until 2030-05-01 13:00Z: an incident",
        "in_flight": None,
        "generation": 1,
        "set_by": "ops",
    }
    made = stored(world)
    assert made.spec.freeze is not None
    assert made.spec.freeze.until == ends
    assert made.metadata.labels == {MANAGED_BY_LABEL: "api"}
    tenant = (await world.call("GET", "/v1/instances/fleet/updates/policy")).json()
    assert tenant["platform_message"] == answer.json()["message"]
    world.clock.forward(hours=1)
    later = (await read(world)).json()
    assert (later["frozen"], later["message"]) == (False, None)
    assert later["freeze"]["reason"] == "an incident"


async def test_it_takes_the_place_of_all_that_stood_there(world: World) -> None:
    until = "2030-06-01T00:00:00Z"
    first = await put(world, '"none"', freeze={"reason": "a", "until": until})
    second = await put(world, first.headers["ETag"], freeze={"reason": "b"})
    assert second.json()["freeze"] == {"reason": "b", "until": None}
    third = await put(world, second.headers["ETag"], max_parallel_rollouts=3)
    assert (third.json()["freeze"], third.json()["max_parallel_rollouts"]) == (None, 3)
    last = await put(world, third.headers["ETag"])
    assert stored(world).spec.to_wire() == {}
    assert (await read(world)).headers["ETag"] == last.headers["ETag"]


async def test_the_same_again_writes_nothing(world: World) -> None:
    first = await put(world, "*", max_parallel_rollouts=3)
    again = await put(world, first.headers["ETag"], max_parallel_rollouts=3)
    assert again.content == first.content
    assert world.kube.called("patch", PlatformPolicy) == 0


async def test_a_change_must_say_what_it_is_based_on(world: World) -> None:
    refused = await put(world, None, max_parallel_rollouts=3)
    assert refused.status_code == 428
    assert "If-Match" in refused.json()["detail"]
    assert world.kube.of(PlatformPolicy) == []


async def test_a_freeze_of_others_is_not_ended_unseen(world: World) -> None:
    seen = (await put(world, "*", max_parallel_rollouts=3)).headers["ETag"]
    await put(world, seen, freeze={"reason": "an incident"})
    late = await put(world, seen, max_parallel_rollouts=4)
    assert late.status_code == 412
    assert (await put(world, '"none"')).status_code == 412
    assert stored(world).spec.freeze is not None
    assert (await put(world, "*")).json()["frozen"] is False


async def test_a_freeze_that_comes_between_reading_and_writing_stays(world: World) -> None:
    seen = (await put(world, "*", max_parallel_rollouts=3)).headers["ETag"]
    freeze = {"spec": {"freeze": {"reason": "an incident"}}}
    world.kube.before_patch.append(
        lambda: world.kube.change(PlatformPolicy, "default", None, freeze)
    )
    assert (await put(world, seen, max_parallel_rollouts=4)).status_code == 412
    assert stored(world).spec.to_wire() == {
        "freeze": {"reason": "an incident"},
        "maxParallelRollouts": 3,
    }


async def test_a_count_in_the_status_is_no_other_policy(world: World) -> None:
    def count(many: int) -> None:
        world.kube.change(PlatformPolicy, "default", None, {"status": {"inFlight": many}})

    seen = (await put(world, "*", max_parallel_rollouts=3)).headers["ETag"]
    count(2)
    world.kube.before_patch.append(lambda: count(3))
    answer = await put(world, seen, max_parallel_rollouts=4)
    assert (answer.status_code, answer.json()["in_flight"]) == (200, 3)


async def test_it_says_who_set_it_only_while_that_is_so(world: World) -> None:
    await put(world, "*", max_parallel_rollouts=3)
    await put(world, "*", max_parallel_rollouts=4)
    assert stored(world).metadata.annotations == {SET_BY_ANNOTATION: "2 ops"}
    assert (await read(world)).json()["set_by"] == "ops"
    world.kube.change(PlatformPolicy, "default", None, {"spec": {"maxParallelRollouts": 5}})
    assert (await read(world)).json()["set_by"] is None


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"freeze": {"reason": ""}}, ["freeze", "reason"]),
        ({"freeze": {"reason": "x" * 513}}, ["freeze", "reason"]),
        ({"freeze": {"until": "2030-06-01T00:00:00Z"}}, ["freeze", "reason"]),
        ({"freeze": {"reason": "x", "until": "2030-06-01T00:00:00"}}, ["freeze", "until"]),
        ({"freeze": {"reason": "x", "until": "2030-02-30T00:00:00Z"}}, ["freeze", "until"]),
        ({"freeze": {"reason": "x", "until": "2000-01-01T00:00:00+14:00"}}, ["freeze", "until"]),
        ({"freeze": {"reason": "x", "until": 1900000000}}, ["freeze", "until"]),
        ({"freeze": {"reason": "x", "untill": None}}, ["freeze", "untill"]),
        ({"max_parallel_rollouts": 0}, ["max_parallel_rollouts"]),
        ({"max_parallel_rollouts": 10_001}, ["max_parallel_rollouts"]),
        ({"max_parallel_rollouts": "3"}, ["max_parallel_rollouts"]),
    ],
)
async def test_what_cannot_be_used_is_422_with_its_field(
    world: World, wish: dict[str, Any], field: list[str]
) -> None:
    answer = await put(world, "*", **wish)
    assert answer.status_code == 422
    assert [one["loc"] for one in answer.json()["detail"]] == [["body", *field]]


@pytest.mark.parametrize("left_out", ["freeze", "max_parallel_rollouts"])
async def test_nothing_ends_by_leaving_it_out(world: World, left_out: str) -> None:
    wish = {name: None for name in NOTHING if name != left_out}
    answer = await world.client.put(PATH, headers={**OPS, "If-Match": "*"}, json=wish)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", left_out]
