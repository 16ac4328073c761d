"""Heartbeats: end of the boot, keys, failures, a new key."""

from __future__ import annotations

import httpx
import pytest

from hydracore_agent.agentkey import AgentKey
from hydracore_agent.backoff import Backoff
from hydracore_agent.bootstrap.stages import STAGES, Stages
from hydracore_agent.heartbeat import Enrolment, Heartbeat
from hydracore_agent.identity import Identity
from hydracore_agent.trust import TrustStore
from tests.agent.support.api import Api
from tests.agent.support.keys import INSTANCE, Signer, kid


class Bench:
    def __init__(self, world) -> None:
        self.world, self.api = world, Api()
        self.health = "healthy"
        self.plane = self.api.control_plane()
        self.key = AgentKey(world.layout.agent_key)
        world.layout.agent_key.write_text("hca_old\n")
        self.stages = Stages(world.layout.boot, self.plane, "hcb_token")
        for stage in STAGES[:4]:
            self.stages.mark(stage)
        self.trust = TrustStore.load(world.layout.trust, world.settings())
        self.heartbeat = Heartbeat(
            self.plane,
            Enrolment(self.key, Identity.load(world.layout.identity), self.stages, world.settings),
            self.trust,
            lambda: {"health_status": self.health, "uptime_seconds": 1},
            interval=30,
            backoff=Backoff(1, 8, lambda: 1.0),
            clock=world.clock.monotonic,
        )


@pytest.fixture
def bench(world) -> Bench:
    return Bench(world)


async def test_finishes_the_boot_before_the_first_heartbeat(bench) -> None:
    assert await bench.heartbeat.beat() == 7
    assert await bench.heartbeat.beat() == 7
    assert bench.api.names() == ["bootstrap", "heartbeat", "heartbeat"]
    _, token, stage = bench.api.calls[0]
    assert (token, stage["stage"], stage["instance_id"]) == ("hcb_token", "healthy", INSTANCE)
    assert bench.api.calls[1][1] == "hca_old"


async def test_an_unhealthy_agent_does_not_end_its_boot(bench) -> None:
    bench.health = "unhealthy"
    await bench.heartbeat.beat()
    assert bench.api.calls == []
    bench.health = "degraded"
    await bench.heartbeat.beat()
    assert bench.api.names() == ["bootstrap", "heartbeat"]


async def test_a_token_that_has_ended_means_a_finished_boot(bench) -> None:
    bench.api.answers["bootstrap"] = 401
    assert await bench.heartbeat.beat() == 7
    assert bench.stages.is_done("healthy")


async def test_takes_new_keys_and_keeps_them(bench, world) -> None:
    newer = Signer()
    both = [*world.signer.control_keys(), *newer.control_keys()]
    bench.api.answers["heartbeat"] = {"next_seconds": 3, "control_plane_keys": both}
    await bench.heartbeat.beat()
    assert kid(newer.control) in bench.trust.control_plane
    kept = TrustStore.load(world.layout.trust, world.settings())
    assert kid(newer.control) in kept.control_plane


@pytest.mark.parametrize(
    "answer",
    [
        503,
        429,
        404,
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        b"garbage",
        b"[]",
        b"x" * 300_000,
        {"next_seconds": "soon"},
        {"next_seconds": 1, "control_plane_keys": "all"},
    ],
)
async def test_no_failure_ends_it_and_it_waits_longer(bench, answer) -> None:
    bench.api.answers["heartbeat"] = [answer, answer, answer, {"next_seconds": 5}]
    assert [await bench.heartbeat.beat() for _ in range(4)] == [1, 2, 4, 5]
    assert bench.heartbeat.check().status == "healthy"


async def test_a_silent_control_plane_is_a_degradation(bench, world) -> None:
    bench.api.answers["heartbeat"] = 503
    await bench.heartbeat.beat()
    assert bench.heartbeat.check().status == "healthy"
    world.clock.advance(91)
    result = bench.heartbeat.check()
    assert result.status == "degraded"
    assert "503" in result.message


async def test_a_refused_key_is_fetched_anew_when_enrolment_is_armed(bench, world) -> None:
    bench.api.answers["heartbeat"] = [401, {"next_seconds": 4}]
    assert await bench.heartbeat.beat() == 4
    assert bench.api.calls[2][0] == "secrets"
    assert bench.api.calls[-1][1] == "hca_new"
    assert world.layout.agent_key.read_text().strip() == "hca_new"
    assert world.layout.agent_key.stat().st_mode & 0o777 == 0o600


async def test_a_refused_key_that_cannot_be_renewed_is_kept(bench) -> None:
    bench.api.answers["heartbeat"] = 401
    bench.api.answers["secrets"] = 409
    assert await bench.heartbeat.beat() == 1
    assert bench.key.get() == "hca_old"
