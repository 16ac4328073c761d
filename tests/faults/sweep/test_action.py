"""An action runs at most once although the operator dies at every single outgoing call."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from hydracore_crds.instance_action import ActionName
from tests.faults.fleet import Fleet
from tests.faults.sweep.action import OneAction
from tests.faults.sweep.sweep import Stage
from tests.faults.sweep.trap import MOMENTS, Moment

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.sweep, pytest.mark.fault(1)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fleet(stage: Stage) -> AsyncIterator[Fleet]:
    """One real agent."""
    made = Fleet(stage.plane)
    await stage.with_operator(_Preparing(), lambda: made.create(("ada",)))
    yield made


class _Preparing(OneAction):
    """Stands for the scenario while its agent is made."""

    def __init__(self) -> None:
        self.name = "power-cycle"


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("what", ["power-cycle", "reboot"])
async def test_at_most_once(stage: Stage, fleet: Fleet, what: ActionName, moment: Moment) -> None:
    scenario = OneAction(stage.plane, fleet.servers[0], what)
    try:
        swept = await stage.sweep(scenario, moment)
    finally:
        await scenario.history.close()
    assert swept.complete, str(swept)
    assert scenario.outcomes["succeeded"] > 1
