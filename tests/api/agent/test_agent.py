"""``/agent/v1``: stages, enrolment, heartbeats, bundles."""

from __future__ import annotations

import asyncio
import base64
import uuid
from typing import Any

import pytest

from hydracore_agentclient import bootstrap_token
from hydracore_api.auth.agents import hash_token
from hydracore_crds import Instance
from hydracore_crds.names import WAKE_ANNOTATION
from hydracore_kube import Unavailable
from tests.api.support.world import World

PUBLIC_KEY = base64.b64encode(bytes(range(32))).decode()


async def armed(world: World, counter: int = 1, name: str = "one") -> tuple[str, dict[str, str]]:
    """An instance whose bootstrap token is good; its id and the token's header."""
    known = world.kube.objects.get(("Instance", "acme", name))
    one = Instance.model_validate(known) if known else world.instance(name)
    assert one.spec.id is not None
    token = bootstrap_token(world.services.control_plane_key, one.spec.id, counter)
    await world.history.credentials.arm(
        one.spec.id, namespace="acme", name=name, token_hash=hash_token(token)
    )
    return one.spec.id, {"Authorization": f"Bearer {token}"}


async def report(
    world: World, headers: dict[str, str], id_: str, seq: int, stage: str = "booting"
) -> Any:
    body = {"instance_id": id_, "stage": stage, "seq": seq, "level": "info", "message": "hello"}
    return await world.call("POST", "/agent/v1/bootstrap", headers=headers, json=body)


def wake(world: World) -> str | None:
    return world.kube.of(Instance)[0].metadata.annotations.get(WAKE_ANNOTATION)


async def test_stages_rise_and_wake_the_operator(world: World) -> None:
    id_, token = await armed(world)
    assert (await report(world, token, id_, 1)).json() == {"accepted": True, "last_seq": 1}
    assert wake(world) == "1"
    answer = await report(world, token, id_, 3, "cloud_init")
    assert answer.json() == {"accepted": True, "last_seq": 3}
    stale = await report(world, token, id_, 2)
    assert stale.json() == {"accepted": False, "last_seq": 3}
    assert wake(world) == "3"
    lines = await world.history.provision_log.list(id_)
    assert [line.stage for line in lines] == ["booting", "cloud_init"]


async def test_a_lost_wake_is_made_up_for_by_the_next_report(world: World) -> None:
    id_, token = await armed(world)
    world.kube.fail.append(Unavailable("gone"))
    assert (await report(world, token, id_, 1)).status_code == 503
    assert wake(world) is None
    assert (await report(world, token, id_, 1)).json() == {"accepted": False, "last_seq": 1}
    assert wake(world) == "1"


async def test_the_instance_is_gone(world: World) -> None:
    id_, token = await armed(world)
    world.kube.drop(Instance, "one", "acme")
    assert (await report(world, token, id_, 1)).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "ordered"},
        {"seq": -1},
        {"seq": 2**31},
        {"level": "debug"},
        {"message": "x" * 4097},
        {"message": "a\x00b"},
        {"instance_id": "x"},
        {"more": 1},
    ],
)
async def test_bad_stage_reports(world: World, change: dict[str, Any]) -> None:
    id_, token = await armed(world)
    body = {"instance_id": id_, "stage": "booting", "seq": 1, "level": "info", "message": ""}
    answer = await world.call("POST", "/agent/v1/bootstrap", headers=token, json={**body, **change})
    assert answer.status_code == 422
    assert await world.history.stages.latest(id_) is None


async def enrol(world: World, headers: dict[str, str], id_: str) -> Any:
    body = {"instance_id": id_, "public_key": PUBLIC_KEY}
    return await world.call("POST", "/agent/v1/secrets", headers=headers, json=body)


async def test_the_key_is_issued_once(world: World) -> None:
    id_, token = await armed(world)
    answers = await asyncio.gather(*(enrol(world, token, id_) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    (key,) = [a.json()["agent_key"] for a in answers if a.status_code == 200]
    assert key.startswith("hca_")
    stored = await world.history.credentials.get(id_)
    assert stored is not None
    assert (stored.key_hash, stored.public_key) == (hash_token(key), PUBLIC_KEY)
    assert (await enrol(world, token, id_)).status_code == 409
    _, again = await armed(world, counter=2)
    assert (await enrol(world, token, id_)).status_code == 401  # the old token has ended
    assert (await enrol(world, again, id_)).status_code == 200


@pytest.mark.parametrize("public_key", ["", "x", base64.b64encode(b"short").decode(), "A" * 65])
async def test_a_bad_public_key(world: World, public_key: str) -> None:
    id_, token = await armed(world)
    body = {"instance_id": id_, "public_key": public_key}
    answer = await world.call("POST", "/agent/v1/secrets", headers=token, json=body)
    assert answer.status_code == 422


async def beat(world: World, headers: dict[str, str], id_: str, **change: Any) -> Any:
    body = {
        "instance_id": id_,
        "uptime_seconds": 12.75,
        "health_status": "healthy",
        "versions": {
            "runtime": {"slug": "expressclaw", "version": "1.0.0", "sha256": "a" * 64},
            "skills": [{"slug": "mail", "version": "1.0.0", "extra": 1}],
            "mcp_servers": [],
        },
    }
    return await world.call("POST", "/agent/v1/heartbeat", headers=headers, json={**body, **change})


async def test_the_first_heartbeat_ends_the_token(world: World) -> None:
    id_, token = await armed(world)
    key = {"Authorization": f"Bearer {(await enrol(world, token, id_)).json()['agent_key']}"}
    assert (await beat(world, token, id_)).status_code == 401
    answer = await beat(world, key, id_)
    assert answer.status_code == 200
    control = world.services.control_plane_key
    assert answer.json() == {
        "next_seconds": 30,
        "control_plane_keys": [{"kid": control.kid, "public_key": control.public_key_base64}],
        "trusted_bundle_keys": [
            {"key_id": one["keyId"], "public_key": one["publicKey"]}
            for one in world.services.trusted_keys.to_wire()
        ],
    }
    row = await world.history.health.get(id_)
    assert row is not None
    assert row.versions == {
        "runtime": {"slug": "expressclaw", "version": "1.0.0", "sha256": "a" * 64},
        "skills": [{"slug": "mail", "version": "1.0.0", "sha256": None}],
        "mcp_servers": [],
    }
    assert (row.last_heartbeat, row.uptime_seconds) == (world.clock(), 12)
    assert (await report(world, token, id_, 9)).status_code == 401
    assert (await enrol(world, token, id_)).status_code == 401
    assert (await beat(world, key, id_)).status_code == 200


async def test_credentials_speak_for_their_own_instance_only(world: World) -> None:
    mine, token = await armed(world)
    theirs, _ = await armed(world, name="two")
    assert (await report(world, token, theirs, 1)).status_code == 403
    assert (await enrol(world, token, theirs)).status_code == 403
    key = {"Authorization": f"Bearer {(await enrol(world, token, mine)).json()['agent_key']}"}
    assert (await beat(world, key, theirs)).status_code == 403
    assert await world.history.stages.latest(theirs) is None


@pytest.mark.parametrize("path", ["bootstrap", "secrets", "heartbeat", "bundles/" + "a" * 64])
async def test_others_are_refused(world: World, path: str) -> None:
    api_key = (await world.key())["X-Api-Key"]
    id_, _ = await armed(world)
    wrong = bootstrap_token(world.services.control_plane_key, id_, 2)
    for headers in (
        {},
        {"X-Api-Key": api_key},
        {"Authorization": f"Bearer {api_key}"},
        {"Authorization": f"Bearer {wrong}"},
        {"Authorization": "Bearer hca_" + "x" * 43},
        {"Authorization": "Bearer hcb_"},
        {"Authorization": "Basic eDp5"},
    ):
        if path.startswith("bundles"):
            answer = await world.call("GET", f"/agent/v1/{path}", headers=headers)
        else:
            bodies = {
                "bootstrap": {"instance_id": id_, "stage": "booting", "seq": 1},
                "secrets": {"instance_id": id_, "public_key": PUBLIC_KEY},
                "heartbeat": {
                    "instance_id": id_,
                    "uptime_seconds": 1,
                    "health_status": "healthy",
                    "versions": {},
                },
            }
            answer = await world.call(
                "POST", f"/agent/v1/{path}", headers=headers, json=bodies[path]
            )
        assert answer.status_code == 401, headers


def test_token_hashes_differ() -> None:
    assert len({hash_token(str(uuid.uuid4())) for _ in range(10)}) == 10
