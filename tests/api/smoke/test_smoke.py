"""Smoke routes: the ops token only, the smoke customer's instances only."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
import pytest

from hydracore_crds import Instance
from tests.api.support.events import enrolled, post, usage
from tests.api.support.fake_agent import FakeAgent, running
from tests.api.support.files import OPS_TOKEN
from tests.api.support.world import RUNNING, World

OPS = {"Authorization": f"Bearer {OPS_TOKEN}"}
SMOKE = "/internal/v1/smoke"
ORDER = {"tier_id": "small", "region_id": "eu-1", "manifest_id": "m", "idempotency_key": "k"}


async def ask(world: World, method: str, path: str, **more: Any) -> httpx.Response:
    return await world.call(method, f"{SMOKE}{path}", headers=OPS, **more)


async def order(world: World, **fields: Any) -> httpx.Response:
    return await ask(world, "POST", "/provision", json=ORDER | fields)


async def test_an_order_takes_the_customers_way(world: World) -> None:
    answer = await order(world, agent_name="Ada")
    assert answer.status_code == 202
    (made,) = world.kube.of(Instance)
    assert answer.json() == {
        "idempotency_key": "k",
        "instance_id": made.spec.id,
        "task_id": made.metadata.uid,
    }
    assert (made.metadata.namespace, made.spec.customer_id) == ("acme", "smoke")
    assert (made.spec.manifest_id, made.spec.agent_name) == ("m", "Ada")
    assert (await order(world, agent_name="Ada")).content == answer.content
    assert (await order(world, agent_name="Bob")).status_code == 422


@pytest.mark.parametrize(
    "fields",
    [
        {"idempotency_key": ""},
        {"idempotency_key": "k" * 256},
        {"manifest_id": ""},
        {"manifest_id": "m" * 101},
        {"tier_id": "unknown"},
        {"tier_id": "t" * 81},
        {"region_id": ""},
        {"agent_name": ""},
        {"customer_id": "mine"},
    ],
)
async def test_a_bad_order_names_its_field(world: World, fields: dict[str, str]) -> None:
    answer = await order(world, **fields)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][:2] == ["body", next(iter(fields))]
    assert not world.kube.of(Instance)


async def test_it_is_followed_and_deleted(world: World) -> None:
    id_ = (await order(world)).json()["instance_id"]
    assert (await ask(world, "GET", f"/instances/{id_}")).json() == {
        "id": id_,
        "status": "provisioning",
        "hostname": None,
    }
    found = {"found": True, "instance_id": id_, "status": "provisioning"}
    assert (await ask(world, "GET", "/instances/by-key/k")).json() == found
    gone = await ask(world, "DELETE", f"/instances/{id_}")
    assert gone.status_code == 200
    assert gone.json()["instance_id"] == id_
    assert not [one for one in world.kube.of(Instance) if not one.deleting]
    assert (await ask(world, "DELETE", f"/instances/{id_}")).status_code == 200


async def test_an_unknown_key_is_not_found_and_no_error(world: World) -> None:
    answer = await ask(world, "GET", "/instances/by-key/never%2Fused")
    assert (answer.status_code, answer.json()["found"]) == (200, False)


@pytest.mark.parametrize("customer", ["another", None])
async def test_an_instance_of_others_is_as_an_unknown_one(
    world: World, customer: str | None
) -> None:
    others = world.instance("one", customerId=customer, idempotencyKey="theirs")
    unknown = uuid.uuid4()
    for method, tail, more in (
        ("GET", "", {}),
        ("DELETE", "", {}),
        ("POST", "/chat", {"json": {"message": "hi"}}),
    ):
        theirs = await ask(world, method, f"/instances/{others.spec.id}{tail}", **more)
        none = await ask(world, method, f"/instances/{unknown}{tail}", **more)
        assert (theirs.status_code, theirs.content) == (404, none.content), method
    assert not world.kube.called("delete", Instance)


async def test_the_key_of_anothers_order_is_as_an_unknown_one(world: World) -> None:
    body = {"tier_id": "small", "region_id": "eu-1", "idempotency_key": "theirs"}
    assert (await world.call("POST", "/v1/instances", json=body)).status_code == 202
    theirs = await ask(world, "GET", "/instances/by-key/theirs")
    unknown = await ask(world, "GET", "/instances/by-key/unknown")
    assert theirs.content == unknown.content


@pytest.mark.parametrize(("customer", "status"), [("smoke", 200), ("another", 404)])
async def test_a_deleted_one_is_still_whose_it_was(
    world: World, customer: str, status: int
) -> None:
    body = {"tier_id": "small", "region_id": "eu-1", "idempotency_key": "old"}
    made = await world.call("POST", "/v1/instances", json=body | {"customer_id": customer})
    (instance,) = world.kube.of(Instance)
    world.kube.drop(Instance, instance.metadata.name, "acme")
    id_ = made.json()["instance_id"]
    await world.history.tombstones.put(
        id_,
        tenant_id="acme",
        namespace="acme",
        name=instance.metadata.name,
        customer_id=customer,
        snapshot={},
        deleted_at=world.clock(),
    )
    assert (await ask(world, "GET", "/instances/by-key/old")).json()["found"] is (status == 200)
    gone = await ask(world, "DELETE", f"/instances/{id_}")
    assert gone.status_code == status


async def test_keys_of_tenants_open_nothing(world: World) -> None:
    key = await world.key(admin=True, tenant_wide=True)
    for method, path in (
        ("POST", "/provision"),
        ("GET", "/instances/by-key/k"),
        ("GET", f"/instances/{uuid.uuid4()}"),
        ("DELETE", f"/instances/{uuid.uuid4()}"),
        ("POST", f"/instances/{uuid.uuid4()}/chat"),
    ):
        wrong = {**key, "Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
        for headers in (key, wrong, {}):
            answer = await world.call(method, f"{SMOKE}{path}", headers=headers, json=ORDER)
            assert answer.status_code == 401, (method, path)


async def test_one_can_chat_beside_a_stream_that_is_open(world: World) -> None:
    async with running(FakeAgent("")) as agent:
        status = RUNNING | {"agentUrl": agent.url, "agentPublicKey": agent.public_key}
        one = world.instance("one", customerId="smoke", status=status)
        agent.instance_id = str(one.spec.id)
        path = f"/instances/{one.spec.id}/chat"
        first = asyncio.create_task(ask(world, "POST", path, json={"message": "hi"}))
        await asyncio.wait_for(agent.began.wait(), 10)
        agent.began.clear()
        second = asyncio.create_task(ask(world, "POST", path, json={"message": "ho"}))
        await asyncio.wait_for(agent.began.wait(), 10)
        agent.answers.set()
        for answer in await asyncio.gather(first, second):
            assert answer.status_code == 200
            assert "hello" in answer.text
        assert world.services.streams == set()


@pytest.mark.parametrize("message", ["", "m" * 4001])
async def test_a_message_has_1_to_4000_characters(world: World, message: str) -> None:
    one = world.instance("one", customerId="smoke")
    answer = await ask(world, "POST", f"/instances/{one.spec.id}/chat", json={"message": message})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"smoke_namespace": None}, "HYDRACORE_SMOKE_NAMESPACE and"),
        ({"smoke_customer_id": None}, "HYDRACORE_SMOKE_CUSTOMER_ID"),
        ({"smoke_namespace": "nowhere"}, "is no tenant's"),
    ],
)
async def test_what_is_not_set_up_says_what_to_set(
    world: World, more: dict[str, Any], said: str
) -> None:
    world.services.settings = world.settings.model_copy(update=more)
    answer = await order(world)
    assert answer.status_code == 503
    assert said in answer.json()["detail"]
    assert not world.kube.of(Instance)


async def test_model_calls_are_counted_within_the_window(world: World) -> None:
    one = await enrolled(world, world.instance("one", customerId="smoke"))
    path = f"/instances/{one.spec.id}/llm-events"
    none = {"instance_id": one.spec.id, "window_seconds": 900, "count": 0, "providers": []}
    assert (await ask(world, "GET", path)).json() == none
    await post(
        world,
        "usage",
        one,
        usage("a"),
        usage("b", provider="anthropic"),
        usage("c", occurred_at="2030-05-01T11:00:00Z"),
    )
    lately = (await ask(world, "GET", path)).json()
    assert (lately["count"], lately["providers"]) == (2, ["anthropic", "openai"])
    longer = (await ask(world, "GET", f"{path}?window_seconds=3600")).json()
    assert (longer["count"], longer["window_seconds"]) == (3, 3600)
    for seconds in (0, 86401):
        answer = await ask(world, "GET", f"{path}?window_seconds={seconds}")
        assert answer.status_code == 422
    others = await enrolled(world, world.instance("two"), "hca_" + "o" * 43)
    assert (await ask(world, "GET", f"/instances/{others.spec.id}/llm-events")).status_code == 404
