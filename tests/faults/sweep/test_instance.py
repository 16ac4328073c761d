"""An Instance survives the operator's death at every single outgoing call, on its way up and down.

The operator works on one Instance in one thread of calls, so that a death before call n + 1 leaves
the same world behind as one after call n; what is swept is the moment after each call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.sweep.instance import InstanceLife
from tests.faults.sweep.sweep import Stage

pytestmark = [pytest.mark.stack, pytest.mark.faults]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scenario(stage: Stage) -> AsyncIterator[InstanceLife]:
    made = InstanceLife(stage.plane, stage.provider_ledger)
    await stage.with_operator(made, made.prepare)
    yield made
    await made.history.close()


async def test_killed_after_every_call(stage: Stage, scenario: InstanceLife, first: int) -> None:
    swept = await stage.sweep(scenario, "after", first=first)
    assert first > 1 or swept.complete, str(swept)


async def test_then_it_rests(stage: Stage, scenario: InstanceLife) -> None:
    await stage.rest(scenario)
