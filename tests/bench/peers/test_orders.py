"""The order protocol of contenders in Python, against agents that check signatures."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from bench.peers.bare_loop.program import BareLoop
from bench.peers.job import Job, ask_seconds
from bench.peers.orders import BlockingAgents, succeeded
from hydracore_agentclient import ControlPlaneKey
from hydracore_agentclient.errors import WrongIdentity
from tests.bench.peers.conftest import BUNDLE, job_for
from tests.simulation.agents import AgentFleet

TASK = "00000000-0000-4000-8000-000000000001"


async def test_an_order_is_sent_and_asked_after_until_it_has_ended(key_file: Path) -> None:
    async with AgentFleet(ControlPlaneKey.from_pem(key_file)) as fleet:
        agent = fleet.add(push_seconds=0.05)
        job = job_for(fleet, key_file)
        report = await asyncio.to_thread(BlockingAgents(job).push, job.agents[0], TASK, BUNDLE)
    assert succeeded(report, BUNDLE)
    assert agent.digest == BUNDLE.sha256
    assert agent.epoch == job.epoch
    assert fleet.oracle.activated == [(agent.instance_id, TASK)]
    assert fleet.oracle.asked > 2


async def test_what_a_stranger_answers_is_not_believed(key_file: Path) -> None:
    async with AgentFleet(ControlPlaneKey.from_pem(key_file)) as fleet:
        fleet.add().faults.wrong_identity = True
        job = job_for(fleet, key_file)
        with pytest.raises(WrongIdentity):
            await asyncio.to_thread(BlockingAgents(job).push, job.agents[0], TASK, BUNDLE)


async def test_an_agents_refusal_says_what_it_said(key_file: Path) -> None:
    async with AgentFleet(ControlPlaneKey.from_pem(key_file)) as fleet:
        agent = fleet.add()
        job = job_for(fleet, key_file)
        agent.epoch = job.epoch + 1
        with pytest.raises(RuntimeError, match=r"409.*stale_epoch"):
            await asyncio.to_thread(BlockingAgents(job).push, job.agents[0], TASK, BUNDLE)


async def test_the_bare_loop_pushes_to_each_agent_once_and_keeps_the_limit(key_file: Path) -> None:
    async with AgentFleet(ControlPlaneKey.from_pem(key_file)) as fleet:
        for _ in range(7):
            fleet.add(push_seconds=0.03)
        async with aiohttp.ClientSession() as http:
            await BareLoop(job_for(fleet, key_file, limit=3), http).run()
    assert sorted(one for one, _ in fleet.oracle.activated) == sorted(fleet.agents)
    assert fleet.oracle.most_in_flight == 3


async def test_the_bare_loop_does_not_call_a_failed_push_done(key_file: Path) -> None:
    async with AgentFleet(ControlPlaneKey.from_pem(key_file)) as fleet:
        fleet.add()
        fleet.add().faults.outcome = "rolled_back"
        async with aiohttp.ClientSession() as http:
            with pytest.raises(RuntimeError, match="1 of 2 agents"):
                await BareLoop(job_for(fleet, key_file), http).run()


async def test_a_job_is_read_as_it_was_written(key_file: Path, tmp_path: Path) -> None:
    async with AgentFleet(ControlPlaneKey.from_pem(key_file)) as fleet:
        fleet.add()
        job = job_for(fleet, key_file)
    job.write(tmp_path / "job.json")
    assert Job.read(tmp_path / "job.json") == job
    assert '"askSeconds":0.01' in (tmp_path / "job.json").read_text()


def test_questions_fit_the_length_of_orders() -> None:
    assert (ask_seconds(5.0), ask_seconds(0.2)) == (1.0, 0.25)
