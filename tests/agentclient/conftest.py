"""The control plane's key and a client with short deadlines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hydracore_agentclient import AgentClient, ControlPlaneKey

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def control_key() -> ControlPlaneKey:
    return ControlPlaneKey(Ed25519PrivateKey.generate())


@pytest_asyncio.fixture(loop_scope="session")
async def client(control_key: ControlPlaneKey) -> AsyncIterator[AgentClient]:
    made = AgentClient(
        control_key, subject="operator", now=lambda: NOW, connect_seconds=0.5, total_seconds=1.0
    )
    yield made
    await made.close()
