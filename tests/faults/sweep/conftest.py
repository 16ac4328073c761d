"""A control plane of the sweep's own, in which operators live only as long as a sweep lets them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hydracore_devcluster.assets import Assets
from hydracore_devcluster.layout import ProjectLayout
from tests.faults.plane import running_plane
from tests.faults.sweep.processes import fork_server
from tests.faults.sweep.sweep import Stage

FIRST_CALL = "HYDRACORE_SWEEP_FROM"
"""Environment variable: the call at which sweeps begin, to look into a fault."""


@pytest.fixture
def first() -> int:
    """The call at which sweeps begin."""
    return int(os.environ.get(FIRST_CALL, "1"))


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def stage(
    assets: Assets, project: ProjectLayout, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """The control plane, and operators that die."""
    folder: Path = tmp_path_factory.mktemp("sweep")
    (folder / "operators").mkdir()
    async with running_plane(folder / "plane", assets, project) as plane:
        yield Stage(plane, fork_server(project.root), folder / "operators")
