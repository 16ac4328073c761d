"""A rollout survives the operator's death at every outgoing call, and so does its window."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio

from tests.faults.sweep.rollout import SmallRollout
from tests.faults.sweep.sweep import Stage
from tests.faults.sweep.window import ClosingWindow

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.sweep, pytest.mark.fault(1)]
R = TypeVar("R", bound=SmallRollout)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rollout(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SmallRollout]:
    async with _ready(SmallRollout, stage, tmp_path_factory.mktemp("rollout")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def window(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ClosingWindow]:
    async with _ready(ClosingWindow, stage, tmp_path_factory.mktemp("window")) as made:
        yield made


@asynccontextmanager
async def _ready(kind: type[R], stage: Stage, folder: Path) -> AsyncIterator[R]:
    made = kind(stage.plane, folder)
    async with made.tenant:
        await stage.with_operator(made, made.prepare)
        yield made
    await made.history.close()


async def test_killed_after_every_call(stage: Stage, rollout: SmallRollout, first: int) -> None:
    swept = await stage.sweep(rollout, "after", first=first)
    assert first > 1 or swept.complete, str(swept)


async def test_killed_before_every_write(stage: Stage, rollout: SmallRollout, first: int) -> None:
    swept = await stage.sweep(rollout, "before", first=first, reads=False)
    assert first > 1 or swept.complete, str(swept)


async def test_killed_after_every_write_while_the_window_closes(
    stage: Stage, window: ClosingWindow, first: int
) -> None:
    swept = await stage.sweep(window, "after", first=first, reads=False)
    assert first > 1 or swept.complete, str(swept)


async def test_then_it_rests(stage: Stage, rollout: SmallRollout) -> None:
    await stage.rest(rollout)
