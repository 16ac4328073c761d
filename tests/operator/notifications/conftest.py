"""A tenant with one webhook, whose receiver listens on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hydracore_history import History
from tests.operator.notifications.receiver import Receiver
from tests.operator.notifications.stand import Stand
from tests.support.databases import sqlite_model, sqlite_url

__all__ = ["sqlite_model", "sqlite_url"]


@pytest.fixture
async def history(sqlite_url: str) -> AsyncIterator[History]:
    """A history that gives up soon."""
    found = History(sqlite_url, timeout_seconds=0.3)
    yield found
    await found.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that takes everything until it is told otherwise."""
    async with Receiver() as found:
        yield found


@pytest.fixture
async def stand(history: History, receiver: Receiver) -> Stand:
    """A tenant whose webhook ``pager`` has been greeted."""
    made = Stand(history)
    made.name(("pager", receiver.url))
    await made.tell()
    assert len(receiver.got) == 1
    receiver.got.clear()
    receiver.arrived.clear()
    return made
