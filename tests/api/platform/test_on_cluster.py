"""The platform's policy with the real API server, under the API's own account."""

from __future__ import annotations

import contextlib

import pytest

from hydracore_crds import PlatformPolicy
from hydracore_kube import NotFound
from tests.api.support.files import OPS_TOKEN
from tests.api.support.live import Live

pytestmark = pytest.mark.cluster

PATH = "/internal/v1/platform/policy"
OPS = {"Authorization": f"Bearer {OPS_TOKEN}"}


async def test_the_platform_is_frozen_and_thawed_by_rest(live: Live) -> None:
    one, two = (replica.client for replica in live.replicas)
    freeze = {"reason": "an incident", "until": "2099-01-01T00:00:00.5+01:00"}
    wish = {"freeze": freeze, "max_parallel_rollouts": 5}
    none = (await one.get(PATH, headers=OPS)).headers["ETag"]
    try:
        made = await one.put(PATH, headers={**OPS, "If-Match": none}, json=wish)
        assert made.status_code == 200, made.text
        assert made.json()["set_by"] == "ops"
        seen = await two.get(PATH, headers=OPS)
        assert (seen.json(), seen.headers["ETag"]) == (made.json(), made.headers["ETag"])
        again = await two.put(PATH, headers={**OPS, "If-Match": none}, json=wish)
        assert again.status_code == 412
        wish = {"freeze": None, "max_parallel_rollouts": None}
        match = {"If-Match": seen.headers["ETag"]}
        thawed = await two.put(PATH, headers={**OPS, **match}, json=wish)
        assert (thawed.json()["frozen"], thawed.json()["generation"]) == (False, 2)
        stored = await live.admin.get(PlatformPolicy, "default")
        assert stored.spec.to_wire() == {}
        assert thawed.json()["set_by"] == "ops"
    finally:
        with contextlib.suppress(NotFound):
            await live.admin.delete(PlatformPolicy, "default", None)
