"""What contenders' tests share: a control plane's key, and jobs for simulated agents."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.peers.job import Agent, Bundle, Job
from tests.simulation.agents import AgentFleet

BUNDLE = Bundle(
    slug="expressclaw",
    version="1.1.0",
    sha256="ab" * 32,
    size_bytes=1000,
    key_id="k",
    signature="s",
)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    key = Ed25519PrivateKey.generate()
    path = tmp_path / "key.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def job_for(fleet: AgentFleet, key_file: Path, limit: int = 2) -> Job:
    """Return a job for all agents of a fleet, which asks every few milliseconds."""
    agents = [
        Agent(
            instance_name=f"agent-{number}",
            instance_id=agent.instance_id,
            url=fleet.url(agent),
            public_key=agent.public_key,
        )
        for number, agent in enumerate(fleet.agents.values())
    ]
    return Job(
        kubeconfig="",
        tenant="bench",
        namespace="bench-peers",
        rollout="r",
        bundle_name="b",
        limit=limit,
        ask_seconds=0.01,
        epoch=3,
        key_file=str(key_file),
        bundle=BUNDLE,
        agents=agents,
    )
