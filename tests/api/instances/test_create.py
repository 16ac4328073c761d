"""Creating instances: once for each key, whatever happens on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hydracore_api.instances.create import object_name
from hydracore_crds import Instance, InstanceClass
from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_kube import Forbidden, Unavailable
from tests.api.instances.test_instances import tombstone
from tests.api.support.world import World

ORDER = {"tier_id": "small", "region_id": "eu-1"}


async def create(world: World, **body: Any) -> Any:
    return await world.call("POST", "/v1/instances", json={**ORDER, **body})


async def test_an_order_becomes_an_instance(world: World) -> None:
    answer = await create(
        world,
        idempotency_key="k-1",
        agent_name="Ada",
        customer_id="c-1",
        user_display_name="Grace",
        manifest_id="m",
        recipe_id="r",
        website_template_slug="w",
        workflow_slugs=["a", "b"],
        preset_id="p",
    )
    assert answer.status_code == 202
    (made,) = world.kube.of(Instance)
    assert answer.json() == {
        "idempotency_key": "k-1",
        "instance_id": made.spec.id,
        "task_id": made.metadata.uid,
        "message": answer.json()["message"],
    }
    assert made.metadata.name == object_name("acme", "k-1")
    assert made.metadata.labels == {MANAGED_BY_LABEL: "api"}
    assert made.spec.to_wire() == {
        "id": made.spec.id,
        "className": "small",
        "regionId": "eu-1",
        "idempotencyKey": "k-1",
        "agentName": "Ada",
        "customerId": "c-1",
        "userDisplayName": "Grace",
        "manifestId": "m",
        "recipeId": "r",
        "websiteTemplateSlug": "w",
        "workflowSlugs": ["a", "b"],
        "presetId": "p",
        "workloadType": "agent",
        "runtimeType": "expressclaw",
    }
    assert (await world.call("GET", f"/v1/instances/{made.spec.id}")).status_code == 200


async def test_without_a_key_each_order_is_another(world: World) -> None:
    answers = [await create(world), await create(world)]
    assert len({answer.json()["instance_id"] for answer in answers}) == 2
    assert len({answer.json()["idempotency_key"] for answer in answers}) == 2
    assert len(world.kube.of(Instance)) == 2


async def test_many_at_once_with_one_key(world: World) -> None:
    answers = await asyncio.gather(*(create(world, idempotency_key="k") for _ in range(12)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert len(world.kube.of(Instance)) == 1


async def test_another_body_is_refused(world: World) -> None:
    await create(world, idempotency_key="k")
    answer = await create(world, idempotency_key="k", agent_name="Ada")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "idempotency_key"]
    same = await create(world, idempotency_key="k", preset_id="personal_assistant")
    assert same.status_code == 202  # the default said aloud is the same body


async def test_tenants_do_not_share_keys(world: World) -> None:
    mine = (await create(world, idempotency_key="k")).json()
    headers = await world.key("other")
    theirs = await world.call(
        "POST", "/v1/instances", headers=headers, json={**ORDER, "idempotency_key": "k"}
    )
    assert theirs.json()["instance_id"] != mine["instance_id"]


async def test_repeated_after_the_offer_ended_and_after_deletion(world: World) -> None:
    first = await create(world, idempotency_key="k")
    world.kube.drop(InstanceClass, "small", None)
    assert (await create(world, idempotency_key="k")).content == first.content
    (made,) = world.kube.of(Instance)
    world.kube.drop(Instance, made.metadata.name, "acme")
    await tombstone(world, first.json()["instance_id"])
    assert (await create(world, idempotency_key="k")).content == first.content
    assert world.kube.of(Instance) == []


async def test_a_crash_between_claim_and_object_is_healed_by_the_next_call(world: World) -> None:
    world.kube.fail.append(Unavailable("no answer"))
    lost = await create(world, idempotency_key="k")
    assert lost.status_code == 503
    assert (await world.call("GET", "/v1/instances/by-key/k")).json()["found"] is False
    answer = await create(world, idempotency_key="k")
    assert answer.status_code == 202
    (made,) = world.kube.of(Instance)
    assert made.spec.id == answer.json()["instance_id"]


async def test_a_crash_after_the_object_is_healed_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, set_task = [], world.history.idempotency.set_task

    async def lost(*args: Any) -> None:
        store.append(args)

    monkeypatch.setattr(world.history.idempotency, "set_task", lost)
    first = await create(world, idempotency_key="k")
    monkeypatch.setattr(world.history.idempotency, "set_task", set_task)
    assert store
    assert (await create(world, idempotency_key="k")).content == first.content
    assert len(world.kube.of(Instance)) == 1
    claim = await world.history.idempotency.get("acme", "k")
    assert claim is not None
    assert claim.task_id == first.json()["task_id"]


async def test_a_strangers_object_in_the_way_is_left_alone(world: World) -> None:
    stranger = world.instance(object_name("acme", "k"))
    answer = await create(world, idempotency_key="k")
    assert answer.status_code == 409
    assert world.kube.of(Instance) == [stranger]


async def test_unknown_tier_and_region_say_what_there_is(world: World) -> None:
    world.instance_class("large")
    tier = await create(world, tier_id="huge")
    assert tier.status_code == 422
    assert tier.json()["detail"][0]["loc"] == ["body", "tier_id"]
    assert "large, small" in tier.json()["detail"][0]["msg"]
    region = await create(world, region_id="mars")
    assert region.json()["detail"][0]["loc"] == ["body", "region_id"]
    assert "eu-1, eu-2" in region.json()["detail"][0]["msg"]
    assert world.kube.called("create", Instance) == 0


async def test_a_refused_order_does_not_use_its_key_up(world: World) -> None:
    assert (await create(world, idempotency_key="k", tier_id="huge")).status_code == 422
    assert (await create(world, idempotency_key="k")).status_code == 202


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"tier_id": ""}, ["body", "tier_id"]),
        ({"tier_id": "x" * 64}, ["body", "tier_id"]),
        ({"region_id": None}, ["body", "region_id"]),
        ({"colour": "red"}, ["body", "colour"]),
        ({"idempotency_key": ""}, ["body", "idempotency_key"]),
        ({"idempotency_key": "x" * 256}, ["body", "idempotency_key"]),
        ({"agent_name": 7}, ["body", "agent_name"]),
        ({"workflow_slugs": ["x"] * 65}, ["body", "workflow_slugs"]),
        ({"agent_name": "a\x00b"}, ["body"]),
        ({"workflow_slugs": ["a\x00b"]}, ["body"]),
    ],
)
async def test_bad_bodies(world: World, body: dict[str, Any], loc: list[str]) -> None:
    answer = await create(world, **body)
    assert answer.status_code == 422
    (first, *_) = answer.json()["detail"]
    assert first["loc"] == loc
    assert set(first) == {"loc", "msg", "type"}


@pytest.mark.parametrize(
    "raw",
    [
        b'{"tier_id": "small", "region_id": "eu-1", "agent_name": "\\ud800"}',
        b'{"tier_id": "small", "region_id": "eu-1", "\\ud800": 1}',
        b'{"tier_id": "small", "region_id": "eu-1", "agent_name": "\xff"}',
        b"{",
        b"",
        b"[]",
        b"null",
        b'{"tier_id": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"tier_id": 1e999, "region_id": NaN}',
    ],
)
async def test_bytes_that_are_no_order(world: World, raw: bytes) -> None:
    headers = {**(await world.key()), "Content-Type": "application/json"}
    answer = await world.call("POST", "/v1/instances", headers=headers, content=raw)
    assert 400 <= answer.status_code < 500
    assert answer.json()["detail"]


async def test_a_tenant_that_is_being_deleted(world: World) -> None:
    world.kube.fail.append(Forbidden("ending", status=403, reason="NamespaceTerminating"))
    assert (await create(world)).status_code == 409


async def test_by_key(world: World) -> None:
    unknown = await world.call("GET", "/v1/instances/by-key/nobody")
    assert (unknown.status_code, unknown.json()["found"]) == (200, False)
    created = (await create(world, idempotency_key="kä:1")).json()
    found = (await world.call("GET", "/v1/instances/by-key/k%C3%A4:1")).json()
    assert (found["found"], found["instance_id"]) == (True, created["instance_id"])
    assert found["status"] == "provisioning"
    other = await world.key("other")
    theirs = await world.call("GET", "/v1/instances/by-key/k%C3%A4:1", headers=other)
    assert theirs.content == unknown.content
    (made,) = [one for one in world.kube.of(Instance) if one.spec.id == created["instance_id"]]
    world.kube.drop(Instance, made.metadata.name, "acme")
    await tombstone(world, created["instance_id"])
    gone = (await world.call("GET", "/v1/instances/by-key/k%C3%A4:1")).json()
    assert (gone["found"], gone["status"]) == (True, "deleted")


@pytest.mark.parametrize(
    ("key", "path"), [("k/ä 1", "k%2F%C3%A4%201"), ("../x", "..%2Fx"), ("a//b/", "a%2F%2Fb%2F")]
)
async def test_by_key_of_a_key_with_slashes(world: World, key: str, path: str) -> None:
    unknown = await world.call("GET", f"/v1/instances/by-key/{path}")
    assert (unknown.status_code, unknown.json()["found"]) == (200, False)
    created = (await create(world, idempotency_key=key)).json()
    found = (await world.call("GET", f"/v1/instances/by-key/{path}")).json()
    assert (found["found"], found["instance_id"]) == (True, created["instance_id"])


@pytest.mark.parametrize("key", ["x" * 256, "a%00b", "%ED%A0%80"])
async def test_by_key_of_an_impossible_key(world: World, key: str) -> None:
    answer = await world.call("GET", f"/v1/instances/by-key/{key}")
    assert (answer.status_code, answer.json()["found"]) == (200, False)
