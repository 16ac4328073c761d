"""The real API server, spoken to directly; one namespace for all kinds, kept empty by the doors."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable

import pytest_asyncio

from hydracore_devcluster.client import Api
from tests.conftest import tenant
from tests.crds.support import Door

MakeDoor = Callable[..., Door]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def namespace(admin_api: Api) -> AsyncIterator[str]:
    """One tenant for all tests of definitions: every deleted namespace costs a second of work."""
    async with tenant(admin_api, f"t-crds-{secrets.token_hex(4)}") as name:
        yield name


@pytest_asyncio.fixture(loop_scope="session")
async def door(admin_api: Api) -> AsyncIterator[MakeDoor]:
    """``door("instances", namespace)`` returns the kind's door; what it created goes away."""
    doors: list[Door] = []

    def make(plural: str, namespace: str | None = None) -> Door:
        doors.append(Door(admin_api, plural, namespace))
        return doors[-1]

    yield make
    for opened in doors:
        await opened.clear()
