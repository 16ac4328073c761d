"""Fixtures of the agent's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.support.clock import FakeClock
from tests.agent.support.keys import Signer
from tests.agent.support.world import World


@pytest.fixture
def signer() -> Signer:
    return Signer()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path / "server")
