"""Liveness and readiness; the documents."""

from __future__ import annotations

from typing import Any

import pytest

from hydracore_history import HistoryUnavailable
from hydracore_kube import Reflector
from tests.api.support.world import World


async def test_alive_without_anything(world: World) -> None:
    world.services.cache.bundles.ready.clear()
    answer = await world.client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready(world: World) -> None:
    answer = await world.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ok", "watches": {}, "database": "ok"},
    )


async def test_not_ready_before_the_first_lists(world: World) -> None:
    world.services.cache.targets.ready.clear()
    assert (await world.client.get("/readyz")).status_code == 503


async def test_not_ready_with_a_dead_watch(world: World) -> None:
    class Dead(Reflector[Any]):
        def __init__(self, age: float) -> None:
            self._age = age

        def age(self) -> float:
            return self._age

    world.services.cache._reflectors = {"Instance": Dead(1.04), "Rollout": Dead(400)}
    answer = await world.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["watches"] == {"Instance": 1.0, "Rollout": 400}
    world.services.cache._reflectors["Rollout"] = Dead(float("inf"))
    assert (await world.client.get("/readyz")).json()["watches"]["Rollout"] is None


async def test_not_ready_without_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> None:
        raise HistoryUnavailable("locked")

    monkeypatch.setattr(world.history, "check", away)
    answer = await world.client.get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (503, "unavailable")


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
async def test_documents(world: World, path: str) -> None:
    answer = await world.client.get(path)
    assert answer.status_code == 200
    assert "HydraCore" in answer.text
