"""One control plane and three real agents for all fault tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hydracore_devcluster.assets import Assets
from hydracore_devcluster.layout import ProjectLayout
from tests.faults.fleet import Fleet
from tests.faults.operators import OperatorProcess
from tests.faults.plane import Plane, running_plane
from tests.faults.simulated import Tenant
from tests.rights.session import folder as audit_logs
from tests.rights.session import keep


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def plane(
    assets: Assets, project: ProjectLayout, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Plane]:
    """A control plane whose processes may be killed."""
    async with running_plane(tmp_path_factory.mktemp("faults"), assets, project) as made:
        yield made
    keep(made.dev.audit_log, audit_logs(tmp_path_factory))


@pytest_asyncio.fixture(loop_scope="session")
async def operator(plane: Plane) -> OperatorProcess:
    """The one operator; it leads."""
    return await plane.one_operator()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _fleet(plane: Plane) -> Fleet:
    await plane.one_operator()
    made = Fleet(plane)
    await made.create(("ada", "alan", "grace"))
    return made


@pytest_asyncio.fixture(loop_scope="session")
async def fleet(_fleet: Fleet, operator: OperatorProcess) -> Fleet:
    """Three real agents, all ready."""
    await _fleet.all_ready()
    return _fleet


@pytest_asyncio.fixture(loop_scope="session")
async def tenant(plane: Plane, tmp_path: Path) -> AsyncIterator[Tenant]:
    """A fresh tenant of simulated agents."""
    async with Tenant(plane, tmp_path) as made:
        yield made
