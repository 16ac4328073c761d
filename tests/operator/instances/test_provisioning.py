"""From nothing to Ready on the real API server, and what must not happen on the way."""

from __future__ import annotations

import hashlib

import pytest

from hydracore_agentclient import InvalidAnswer, WrongIdentity
from hydracore_crds import Bundle, Instance
from hydracore_crds.names import FINALIZER
from hydracore_operator.providers import server_name
from tests.operator.instances.world import PUBLIC_KEY, World, is_ready, reason, server_id

pytestmark = pytest.mark.cluster


async def test_from_nothing_to_ready(world: World) -> None:
    made = await world.create(agentName="Ada")
    await world.once("ada")
    seen = await world.instance("ada")
    assert FINALIZER in seen.metadata.finalizers
    assert seen.spec.id == made.metadata.uid
    assert (seen.status.state, seen.status.provisioning_stage) == ("provisioning", "ordered")
    assert reason(seen) == "Provisioning"
    assert world.provider.calls == []  # the intent is stored before anybody is called
    assert seen.status.hostname == server_name("ada", made.metadata.uid)

    await world.once("ada")
    seen = await world.instance("ada")
    (server,) = world.provider.of(made.metadata.uid)
    assert server_id(seen) == server.id
    assert seen.status.agent_url == server.agent_url
    assert reason(seen) == "WaitingForAgent"

    data = world.provider.user_data[server.id]
    assert data["instanceId"] == made.metadata.uid
    assert data["agentName"] == "Ada"
    credential = await world.ctx.history.credentials.get(made.metadata.uid)
    assert credential is not None
    assert credential.token_hash == hashlib.sha256(data["bootstrapToken"].encode()).hexdigest()

    await world.enrol(made.metadata.uid)
    await world.once("ada")
    seen = await world.instance("ada")
    assert seen.status.agent_public_key == PUBLIC_KEY
    assert seen.status.provisioning_stage == "bundle_installed"
    assert seen.status.bootstrap is not None
    assert seen.status.bootstrap.seq == 4
    assert not is_ready(seen)

    world.agents.healthy(made.metadata.uid, "1.0.0", world.digest)
    await world.once("ada")
    seen = await world.instance("ada")
    assert is_ready(seen)
    assert (seen.status.state, seen.status.provisioning_stage) == ("running", "healthy")
    assert seen.status.runtime is not None
    assert seen.status.runtime.version == "1.0.0"
    assert seen.status.health_status == "healthy"
    assert seen.status.error_code is None
    assert reason(seen, "UpToDate") == "Current"
    assert world.agents.asked[-1].public_key == PUBLIC_KEY
    log = await world.ctx.history.provision_log.list(made.metadata.uid)
    texts = [line.message for line in log]
    assert [t.split(" ")[0] for t in texts] == ["ordering", "the", "in", "the", "ready:"]


async def test_after_convergence_nothing_is_written(world: World) -> None:
    before = await world.ready()
    lines = await world.ctx.history.provision_log.list(before.metadata.uid)
    for _ in range(3):
        world.later(minutes=6)
        again = await world.once("ada")
        assert again is not None
        assert again.total_seconds() >= 300
    world.restart()
    await world.once("ada")
    after = await world.instance("ada")
    assert after.metadata.resource_version == before.metadata.resource_version
    assert await world.ctx.history.provision_log.list(before.metadata.uid) == lines


@pytest.mark.parametrize(
    ("spec", "code", "text"),
    [
        ({"className": "no-such-class"}, "UnknownClass", "no InstanceClass 'no-such-class'"),
        ({"regionId": "mars"}, "UnknownRegion", "known: here"),
    ],
)
async def test_unknown_class_or_region_is_a_condition(
    world: World, spec: dict[str, str], code: str, text: str
) -> None:
    await world.create(**spec)
    await world.once("ada")
    seen = await world.instance("ada")
    assert seen.status.state == "failed"
    assert (reason(seen), reason(seen, "ServerProvisioned")) == (code, code)
    assert seen.status.error_code == code
    assert text in (seen.status.error_message or "")
    assert world.provider.calls == []


async def test_bundle_that_is_not_ready_is_waited_for(world: World) -> None:
    name = f"runtime-{world.slug}-1.0.0"
    bad = [
        {
            "type": "Ready",
            "status": "False",
            "reason": "DigestMismatch",
            "message": "other bytes",
            "lastTransitionTime": world.now.isoformat(),
        }
    ]
    await world.admin.patch(
        Bundle, name, None, {"status": {"conditions": bad}}, subresource="status"
    )
    await world.create()
    again = await world.once("ada")
    seen = await world.instance("ada")
    assert seen.status.state == "provisioning"
    assert reason(seen) == "BundleNotReady"
    assert "DigestMismatch: other bytes" in (seen.status.error_message or "")
    assert again is not None
    good = [{**bad[0], "status": "True", "reason": "Verified"}]
    await world.admin.patch(
        Bundle, name, None, {"status": {"conditions": good}}, subresource="status"
    )
    seen = await world.until("ada", lambda i: server_id(i) is not None)
    assert seen.status.error_code is None


async def test_paused_is_left_alone(world: World) -> None:
    await world.create()
    note = {"metadata": {"annotations": {"hydracore.io/paused": "true"}}}
    before = await world.admin.patch(Instance, "ada", world.namespace, note)
    assert await world.once("ada") is None
    after = await world.instance("ada")
    assert after.metadata.resource_version == before.metadata.resource_version
    without = {"metadata": {"annotations": {"hydracore.io/paused": None}}}
    await world.admin.patch(Instance, "ada", world.namespace, without)
    await world.until("ada", lambda i: server_id(i) is not None)


async def test_a_stuck_stage_fails_and_says_what_to_do_then_recovers(world: World) -> None:
    made = await world.create()
    await world.until("ada", lambda i: server_id(i) is not None)
    await world.ctx.history.stages.record(
        made.metadata.uid,
        stage="cloud_init",
        seq=2,
        level="error",
        message="no route",
        at=world.now,
    )
    world.later(minutes=9)
    await world.once("ada")
    assert (await world.instance("ada")).status.state == "provisioning"
    world.later(minutes=2)
    await world.once("ada")
    seen = await world.instance("ada")
    assert (seen.status.state, seen.status.error_code) == ("failed", "BootstrapTimeout")
    for part in ("cloud_init", "no route", "Check that the server can reach the API"):
        assert part in (seen.status.error_message or "")
    version = seen.metadata.resource_version
    world.later(minutes=7)
    await world.once("ada")
    assert (await world.instance("ada")).metadata.resource_version == version
    await world.enrol(made.metadata.uid)
    world.agents.healthy(made.metadata.uid, "1.0.0", world.digest)
    seen = await world.until("ada", is_ready)
    assert (seen.status.state, seen.status.error_code) == ("running", None)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (WrongIdentity("the proof is another's"), "IdentityMismatch"),
        (InvalidAnswer("the answer is no JSON"), "InvalidAnswer"),
    ],
)
async def test_who_answers_garbage_or_lies_is_not_ready(
    world: World, error: WrongIdentity | InvalidAnswer, code: str
) -> None:
    made = await world.create()
    await world.until("ada", lambda i: server_id(i) is not None)
    await world.enrol(made.metadata.uid)
    world.agents.answers[made.metadata.uid] = error
    await world.once("ada")
    seen = await world.instance("ada")
    assert not is_ready(seen)
    assert seen.status.error_code == code
    assert seen.status.runtime is None


async def test_an_instance_outside_a_tenant_gets_no_server(world: World) -> None:
    label = {"metadata": {"labels": {"hydracore.io/tenant-id": None}}}
    await world.admin.patch_raw(f"/api/v1/namespaces/{world.namespace}", label)
    await world.create()
    await world.once("ada")
    seen = await world.instance("ada")
    assert (reason(seen), seen.status.state) == ("NotATenant", "failed")
    assert world.provider.calls == []
