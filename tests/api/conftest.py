"""``world``: the app over an API server in memory; ``live``: two replicas with the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.support.live import live
from tests.api.support.world import World, close_world, make_world

__all__ = ["live", "world"]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    found = await make_world(tmp_path)
    found.tenant("acme")
    found.tenant("other")
    found.instance_class()
    yield found
    await close_world(found)
