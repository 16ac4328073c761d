"""Reading and deleting instances."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from hydracore_api.instances.lookup import NOT_FOUND
from hydracore_crds import Instance
from hydracore_history import HistoryUnavailable
from tests.api.support.fake_agent import FakeAgent, running
from tests.api.support.world import RUNNING, World


async def test_the_list_is_the_tenants_own(world: World) -> None:
    assert (await world.call("GET", "/v1/instances")).json() == {"instances": []}
    one = world.instance("one", agentName="Ada", customerId="c")
    world.instance("theirs", "other")
    (line,) = (await world.call("GET", "/v1/instances")).json()["instances"]
    assert line["created_at"].endswith("Z")
    assert {k: v for k, v in line.items() if k != "created_at"} == {
        "id": one.spec.id,
        "agent_name": "Ada",
        "status": "running",
        "hostname": "one.local",
        "ip_address": "127.0.0.1",
        "provider": "local",
        "region_id": "eu-1",
        "product_tier_name": "Small",
        "preset_id": "personal_assistant",
        "customer_email": None,
        "workload_type": "agent",
        "runtime_type": "expressclaw",
    }


async def test_one_that_the_operator_has_not_seen(world: World) -> None:
    fresh = world.instance("one", status={}, id=None)
    answer = await world.call("GET", f"/v1/instances/{fresh.metadata.uid}")
    assert answer.status_code == 200
    found = answer.json()
    assert found["id"] == fresh.metadata.uid
    assert (found["status"], found["callback_seq"], found["callback_stage"]) == (
        "provisioning",
        0,
        None,
    )
    assert (found["provider"], found["server_type_plan"]) == ("local", "local-1")
    assert found["capabilities"] == {}


async def test_detail_takes_capabilities_from_the_last_poll(world: World) -> None:
    one = world.instance("one")
    status = {"capabilities": {"chat": True, "shout": False, "odd": "text"}}
    assert one.spec.id is not None
    await world.history.health.poll(
        one.spec.id, at=world.clock(), ok=True, status=status, error=None
    )
    found = (await world.call("GET", f"/v1/instances/{one.spec.id}")).json()
    assert found["capabilities"] == {"chat": True, "shout": False}
    assert (found["callback_seq"], found["callback_stage"]) == (5, "healthy")
    world.kube.change(Instance, "one", "acme", {"status": {"healthStatus": "unreachable"}})
    found = (await world.call("GET", f"/v1/instances/{one.spec.id}")).json()
    assert found["capabilities"] == {}


async def test_updated_at_is_the_newest_write(world: World) -> None:
    managed = [{"time": "2030-05-01T10:00:00Z"}, {"time": "2030-05-02T11:00:00Z"}, {}]
    one = world.instance("one")
    world.kube.change(Instance, "one", "acme", {"metadata": {"managedFields": managed}})
    found = (await world.call("GET", f"/v1/instances/{one.spec.id}")).json()
    assert found["updated_at"] == "2030-05-02T11:00:00.000Z"


async def test_detail_without_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    one = world.instance("one")
    await world.call("GET", "/v1/instances")

    async def away(*_: Any) -> None:
        raise HistoryUnavailable("locked")

    monkeypatch.setattr(world.history.health, "get", away)
    monkeypatch.setattr(world.history.provision_log, "list", away)
    found = await world.call("GET", f"/v1/instances/{one.spec.id}")
    assert (found.status_code, found.json()["capabilities"]) == (200, {})
    for suffix in ("/logs", "/runtime"):  # these are mostly SQL's: no answer is better than half
        answer = await world.call("GET", f"/v1/instances/{one.spec.id}{suffix}")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


@pytest.mark.parametrize(
    ("method", "suffix"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/logs"),
        ("GET", "/runtime"),
        ("POST", "/chat"),
        ("GET", "/updates/available"),
        ("PATCH", "/updates/policy"),
        ("GET", "/runtime/rollouts"),
        ("POST", "/runtime/redeploy"),
    ],
)
async def test_anothers_is_the_same_as_unknown(world: World, method: str, suffix: str) -> None:
    theirs = world.instance("theirs", "other")
    bodies = {"/chat": {"message": "x"}, "/updates/policy": {}}
    more: dict[str, Any] = {"json": bodies[suffix]} if suffix in bodies else {}
    unknown = await world.call(method, f"/v1/instances/{uuid.uuid4()}{suffix}", **more)
    another = await world.call(method, f"/v1/instances/{theirs.spec.id}{suffix}", **more)
    assert unknown.status_code == another.status_code == 404
    assert unknown.content == another.content
    assert unknown.headers.raw == another.headers.raw
    assert unknown.json() == {"detail": NOT_FOUND}
    malformed = await world.call(method, f"/v1/instances/not-a-uuid{suffix}", **more)
    assert malformed.status_code == 422
    assert malformed.json()["detail"][0]["loc"] == ["path", "instance_id"]


async def test_anothers_tombstone_and_claim_are_unknown_too(world: World) -> None:
    id_ = str(uuid.uuid4())
    await tombstone(world, id_, "other")
    await world.history.idempotency.claim(
        "other", "k", body_hash="x", instance_id=id_, name="agent-x", at=world.clock()
    )
    assert (await world.call("GET", f"/v1/instances/{id_}")).status_code == 404
    assert (await world.call("DELETE", f"/v1/instances/{id_}")).status_code == 404


async def tombstone(world: World, id_: str, tenant: str = "acme") -> None:
    await world.history.tombstones.put(
        id_,
        tenant_id=tenant,
        namespace=tenant,
        name="gone",
        customer_id=None,
        snapshot={},
        deleted_at=world.clock(),
    )


async def test_logs(world: World) -> None:
    one = world.instance("one")
    assert one.spec.id is not None
    for n in range(3):
        await world.history.provision_log.append(
            one.spec.id,
            stage="ordered",
            level="info",
            message=f"line {n}",
            at=world.clock() + timedelta(seconds=n),
        )
    found = (await world.call("GET", f"/v1/instances/{one.spec.id}/logs")).json()
    assert found["total"] == 3
    assert found["logs"][0] == {
        "seq": 1,
        "stage": "ordered",
        "level": "info",
        "message": "line 0",
        "created_at": "2030-05-01T12:00:00.000Z",
    }


async def test_runtime_asks_the_agent(world: World) -> None:
    id_ = str(uuid.uuid4())
    async with running(FakeAgent(id_)) as agent:
        status = {**RUNNING, "agentUrl": agent.url, "agentPublicKey": agent.public_key}
        world.instance("one", id=id_, status=status)
        await world.history.health.poll(id_, at=world.clock(), ok=False, status=None, error="x")
        found = (await world.call("GET", f"/v1/instances/{id_}/runtime")).json()
    assert (found["openclaw_version"], found["health_status"]) == ("1.0.7", "degraded")
    assert (found["uptime_seconds"], found["active_connections"]) == (12.5, 3)
    assert (found["skills_loaded"], found["node_version"]) == (["echo"], None)
    assert (found["health_failures"], found["last_heartbeat"]) == (1, None)


async def test_an_agents_failure_is_no_error_of_ours(world: World) -> None:
    one = world.instance("one")  # nothing listens at its address
    answer = await world.call("GET", f"/v1/instances/{one.spec.id}/runtime")
    assert answer.status_code == 200
    found = answer.json()
    assert (found["openclaw_version"], found["uptime_seconds"]) == ("1.0.0", None)
    assert found["skills_loaded"] == []


async def test_an_impostor_is_not_believed(world: World) -> None:
    id_ = str(uuid.uuid4())
    async with running(FakeAgent(id_)) as agent:
        world.instance("one", id=id_, status={**RUNNING, "agentUrl": agent.url})
        found = (await world.call("GET", f"/v1/instances/{id_}/runtime")).json()
    assert found["openclaw_version"] == "1.0.0"
    assert found["active_connections"] is None


async def test_the_life_of_a_deletion(world: World) -> None:
    one = world.instance("one")
    path = f"/v1/instances/{one.spec.id}"
    first = (await world.call("DELETE", path)).json()
    assert (first["status"], first["already_deleted"]) == ("deleting", False)
    again = (await world.call("DELETE", path)).json()
    assert (again["status"], again["already_deleted"]) == ("deleting", True)
    assert (await world.call("GET", path)).json()["status"] == "deleting"
    world.kube.drop(Instance, "one", "acme")
    assert one.spec.id is not None
    await tombstone(world, one.spec.id)
    gone = (await world.call("DELETE", path)).json()
    assert (gone["status"], gone["already_deleted"]) == ("deleted", True)
    assert (await world.call("GET", path)).status_code == 404


async def test_one_deleted_before_the_operator_saw_it(world: World) -> None:
    order = {"tier_id": "small", "region_id": "eu-1", "idempotency_key": "k"}
    made = (await world.call("POST", "/v1/instances", json=order)).json()
    path = f"/v1/instances/{made['instance_id']}"
    first = (await world.call("DELETE", path)).json()
    assert (first["status"], first["already_deleted"]) == ("deleting", False)
    assert world.kube.of(Instance) == []
    again = (await world.call("DELETE", path)).json()
    assert (again["status"], again["already_deleted"]) == ("deleted", True)
    assert (await world.call("GET", path)).status_code == 404
    polled = (await world.call("GET", "/v1/instances/by-key/k")).json()
    assert (polled["found"], polled["status"]) == (True, "deleted")
    assert (await world.call("POST", "/v1/instances", json=order)).json() == made
    assert world.kube.of(Instance) == []
    other = await world.key("other")
    assert (await world.call("DELETE", path, headers=other)).status_code == 404


async def test_deleting_spares_a_namesake(world: World) -> None:
    one = world.instance("one")
    # The cache still shows the old one; in the cluster a new one has its name.
    world.kube.objects[("Instance", "acme", "one")]["metadata"]["uid"] = "another"
    answer = (await world.call("DELETE", f"/v1/instances/{one.spec.id}")).json()
    assert answer["already_deleted"] is True
    assert "deletionTimestamp" not in world.kube.objects[("Instance", "acme", "one")]["metadata"]


SUFFIXES = ("", "/logs", "/runtime", "/updates/available", "/runtime/rollouts")


@pytest.mark.parametrize("suffix", SUFFIXES)
async def test_an_id_claimed_a_second_time_opens_nothing(world: World, suffix: str) -> None:
    """Whoever writes a foreign id into an Instance of their own reads none of its history."""
    ours = world.instance("ours")
    id_ = str(ours.spec.id)
    await world.history.provision_log.append(
        id_, stage="ordered", level="info", message="ours", at=world.clock()
    )
    copy = world.instance("copy", "other", id=id_, status={})
    thief = await world.key("other")
    answer = await world.call("GET", f"/v1/instances/{id_}{suffix}", headers=thief)
    unknown = await world.call("GET", f"/v1/instances/{uuid.uuid4()}{suffix}", headers=thief)
    assert (answer.status_code, answer.content) == (404, unknown.content)
    assert (await world.call("GET", f"/v1/instances/{id_}{suffix}")).status_code == 200
    world.kube.drop(Instance, copy.metadata.name, "other")
    assert (await world.call("GET", f"/v1/instances/{id_}{suffix}")).status_code == 200


async def test_two_of_one_tenant_with_one_id_show_the_one_with_the_server(world: World) -> None:
    id_ = str(uuid.uuid4())
    world.instance("copy", id=id_, status={})
    real = {**RUNNING, "provider": {"name": "local", "serverId": "s-1"}, "hostname": "real.local"}
    world.instance("real", id=id_, status=real)
    world.instance("late", id=id_, status={})
    found = (await world.call("GET", f"/v1/instances/{id_}")).json()
    assert found["hostname"] == "real.local"
