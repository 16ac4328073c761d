"""A world with nothing in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.operator.instances.world import World, make_world


@pytest.fixture
async def world(
    operator_kubeconfig: str, admin_kubeconfig: str, namespace: str, tmp_path: Path
) -> AsyncIterator[World]:
    """A tenant without anything."""
    async with make_world(operator_kubeconfig, admin_kubeconfig, namespace, tmp_path) as made:
        yield made
