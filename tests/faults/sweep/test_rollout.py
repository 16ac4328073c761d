"""A rollout survives the operator's death at every single outgoing call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.sweep.rollout import SmallRollout
from tests.faults.sweep.sweep import Stage
from tests.faults.sweep.trap import MOMENTS, Moment

pytestmark = [pytest.mark.stack, pytest.mark.faults]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scenario(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SmallRollout]:
    folder: Path = tmp_path_factory.mktemp("rollout")
    made = SmallRollout(stage.plane, folder)
    async with made.tenant:
        await stage.with_operator(made, made.prepare)
        yield made
    await made.history.close()


@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed_at_every_call(stage: Stage, scenario: SmallRollout, moment: Moment) -> None:
    swept = await stage.sweep(scenario, moment)
    swept.check()


async def test_then_it_rests(stage: Stage, scenario: SmallRollout) -> None:
    await stage.rest(scenario)
