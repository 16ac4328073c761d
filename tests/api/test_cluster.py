"""The API with the real API server, under its own service account."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from hydracore_api.auth.keys import create_api_key
from hydracore_crds import KINDS, Instance, UpdatePolicy
from hydracore_crds.names import WAKE_ANNOTATION
from tests.api.support.files import SECRET
from tests.api.support.live import CLASS, Live, running
from tests.api.support.world import START
from tests.conftest import Kubectl

pytestmark = pytest.mark.cluster


async def test_many_creates_with_one_key_on_two_replicas(live: Live) -> None:
    body = {"tier_id": CLASS, "region_id": "eu-1", "idempotency_key": "k", "agent_name": "Ada"}
    answers = await asyncio.gather(
        *(live.call("POST", "/v1/instances", replica=n % 2, json=body) for n in range(20))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    made, _ = await live.admin.list(Instance, live.namespace)
    assert [one.spec.id for one in made] == [answers[0].json()["instance_id"]]
    assert made[0].metadata.uid == answers[0].json()["task_id"]
    # Each replica reads what was written, whichever wrote it.
    for n in range(2):
        path = f"/v1/instances/{made[0].spec.id}"
        answer = await live.call("GET", path, replica=n)
        assert answer.status_code == 200
        assert answer.json()["updated_at"].endswith("Z")
        polled = await live.call("GET", "/v1/instances/by-key/k", replica=n)
        assert polled.json()["found"] is True
    deleted = await live.call("DELETE", f"/v1/instances/{made[0].spec.id}")
    assert deleted.json()["already_deleted"] is False
    again = await live.call("DELETE", f"/v1/instances/{made[0].spec.id}")
    assert again.json()["already_deleted"] is True
    assert (await live.call("POST", "/v1/instances", json=body)).json() == answers[0].json()
    assert (await live.admin.list(Instance, live.namespace))[0] == []


async def test_kubectl_and_rest_are_equal_doors(live: Live, kubectl: Kubectl) -> None:
    manifest = f"""
apiVersion: hydracore.io/v1alpha1
kind: Instance
metadata: {{name: by-hand, namespace: {live.namespace}}}
spec: {{className: {CLASS}, regionId: eu-1, agentName: Grace}}
"""
    kubectl("apply", "-f", "-", input=manifest, check=True)
    await live.until(lambda cache: cache.instances.get(f"{live.namespace}/by-hand"))
    (line,) = (await live.call("GET", "/v1/instances")).json()["instances"]
    assert (line["agent_name"], line["status"]) == ("Grace", "provisioning")
    detail = await live.call("GET", f"/v1/instances/{line['id']}")
    assert detail.status_code == 200


async def test_what_the_schema_refuses_is_422(live: Live) -> None:
    body = {"tier_id": CLASS, "region_id": "eu-1", "agent_name": "x" * 253}
    assert (await live.call("POST", "/v1/instances", json=body)).status_code == 202
    body["agent_name"] = "x" * 254
    assert (await live.call("POST", "/v1/instances", json=body)).status_code == 422


async def test_a_tenant_that_is_ending(live: Live, kubectl: Kubectl) -> None:
    held = await live.admin.create(
        Instance.model_validate(
            {
                "metadata": {
                    "name": "held",
                    "namespace": live.namespace,
                    "finalizers": ["hydracore.io/operator"],
                },
                "spec": {"className": CLASS, "regionId": "eu-1"},
            }
        )
    )
    kubectl("delete", "namespace", live.namespace, "--wait=false", check=True)
    body = {"tier_id": CLASS, "region_id": "eu-1"}
    answer = await live.call("POST", "/v1/instances", json=body)
    assert answer.status_code == 409
    assert "deleted" in answer.json()["detail"]
    await live.until(lambda cache: cache.instances.get(held.key).deleting)
    again = await live.call("DELETE", f"/v1/instances/{held.metadata.uid}")
    assert again.json()["already_deleted"] is True
    gone = {"metadata": {"finalizers": None}}
    await live.admin.patch(Instance, "held", live.namespace, gone)


async def test_policies_at_once(live: Live) -> None:
    path = "/v1/instances/fleet/updates/policy"
    answers = await asyncio.gather(
        live.call("PATCH", path, json={"max_parallel_rollouts": 9}),
        live.call("PATCH", path, json={"runtime_default": "auto"}, replica=1),
        live.call(
            "PATCH",
            path,
            json={"maintenance_window_start_hour_utc": 22, "maintenance_window_end_hour_utc": 4},
        ),
    )
    assert {answer.status_code for answer in answers} == {200}
    policy = await live.admin.get(UpdatePolicy, "default", live.namespace)
    assert (policy.spec.max_parallel_rollouts, policy.spec.runtime) == (9, "auto")
    assert policy.spec.maintenance_window is not None
    cleared = {
        "max_parallel_rollouts": None,
        "maintenance_window_start_hour_utc": None,
        "maintenance_window_end_hour_utc": None,
    }
    found = (await live.call("PATCH", path, json=cleared)).json()
    assert found["max_parallel_rollouts"] == 2
    assert found["maintenance_window_start_hour_utc"] is None
    one = await running(live, "a")
    override = f"/v1/instances/{one.metadata.uid}/updates/policy"
    answer = await live.call("PATCH", override, json={"runtime": "disabled"})
    assert answer.json()["runtime_source"] == "instance_override"
    answer = await live.call("PATCH", override, json={"runtime": None})
    assert answer.json()["runtime_source"] == "tenant_default"


async def test_a_stage_report_wakes_the_operator(live: Live) -> None:
    from hydracore_agentclient import bootstrap_token  # noqa: PLC0415
    from hydracore_api.auth.agents import hash_token  # noqa: PLC0415

    one = await running(live, "a")
    services = live.replicas[0].services
    token = bootstrap_token(services.control_plane_key, one.metadata.uid, 1)
    await live.history.credentials.arm(
        one.metadata.uid, namespace=live.namespace, name="a", token_hash=hash_token(token)
    )
    answer = await live.replicas[0].client.post(
        "/agent/v1/bootstrap",
        headers={"Authorization": f"Bearer {token}"},
        json={"instance_id": one.metadata.uid, "stage": "booting", "seq": 4},
    )
    assert answer.json() == {"accepted": True, "last_seq": 4}
    fresh = await live.admin.get(Instance, "a", live.namespace)
    assert fresh.metadata.annotations[WAKE_ANNOTATION] == "4"


async def test_a_locked_database_is_503_and_reads_go_on(live: Live, tmp_path: Path) -> None:
    one = await running(live, "a")
    assert (await live.call("GET", "/v1/instances")).status_code == 200
    for found in live.replicas:
        await found.services.authenticator.close()
    holder = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    body = {"tier_id": CLASS, "region_id": "eu-1", "idempotency_key": "k"}
    async with asyncio.timeout(12):
        answer = await live.call("POST", "/v1/instances", json=body)
    assert answer.status_code == 503
    assert "history.db" not in answer.text
    assert (await live.call("GET", f"/v1/instances/{one.metadata.uid}")).status_code == 200
    holder.execute("ROLLBACK")
    holder.close()
    assert (await live.call("POST", "/v1/instances", json=body)).status_code == 202


async def test_it_is_ready(live: Live) -> None:
    answer = await live.call("GET", "/readyz")
    assert answer.status_code == 200
    kinds = {kind.KIND.kind for kind in KINDS}
    assert set(answer.json()["watches"]) == {"Namespace", *kinds}


async def test_a_tenant_that_the_watch_has_not_shown_is_looked_up(live: Live) -> None:
    _, key = await create_api_key(
        live.history,
        SECRET,
        tenant_id="gone",
        namespace=f"gone-{live.namespace}",
        name="left over",
        scopes=["instances:*"],
        admin=False,
        created_by="tests",
        at=START,
    )
    client = live.replicas[0].client
    refused = await client.get("/v1/instances/fleet/runtime/rollouts", headers={"X-Api-Key": key})
    assert refused.status_code == 403
    assert "tenant of this key does not exist" in refused.json()["detail"]
