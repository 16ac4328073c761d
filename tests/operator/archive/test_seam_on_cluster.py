"""REST's answers about a rollout while it leaves a real API server: not a byte changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from hydracore_api.auth.keys import create_api_key
from hydracore_crds import Rollout
from hydracore_crds.names import MANAGED_BY_LABEL, PAUSED_BY_ANNOTATION
from hydracore_operator.archive import ArchiveReconciler, RolloutArchiver
from hydracore_operator.archive.reconciler import archive_key
from tests.api.support.files import SECRET, make_settings
from tests.api.support.live import Replica, replica
from tests.operator.archive.archiving import later
from tests.operator.rollouts import builders
from tests.operator.rollouts.stand import Stand, utc_now

pytestmark = pytest.mark.cluster

FLEET = "/v1/instances/fleet/runtime/rollouts"
TIMELINE = "/v1/instances/fleet/runtime-rollouts"


@pytest_asyncio.fixture
async def stand(
    namespace: str, admin_kubeconfig: str, operator_kubeconfig: str, tmp_path: Path
) -> AsyncIterator[Stand]:
    async with Stand(namespace, admin_kubeconfig, operator_kubeconfig, tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def rest(stand: Stand, api_kubeconfig: str, tmp_path: Path) -> AsyncIterator[Replica]:
    """REST over the same API server and database, as the API's account."""
    settings = make_settings(tmp_path, kubeconfig=api_kubeconfig)
    assert settings.database_url.endswith(str(tmp_path / "history.db"))
    async with replica(settings) as found:
        _, key = await create_api_key(
            stand.history,
            SECRET,
            tenant_id=stand.namespace,
            namespace=stand.namespace,
            name="laptop",
            scopes=["instances:*"],
            admin=True,
            created_by="tests",
            at=utc_now(),
        )
        found.client.headers["X-Api-Key"] = key
        yield found


class Watcher:
    """Asks REST again and again, and keeps every different answer."""

    def __init__(self, client: httpx.AsyncClient, *paths: str) -> None:
        self.client, self.paths = client, paths
        self.answers: dict[str, list[bytes]] = {path: [] for path in paths}
        self.asked = 0

    async def run(self) -> None:
        while True:
            await self.ask()
            await asyncio.sleep(0)

    async def ask(self) -> None:
        for path in self.paths:
            answer = await self.client.get(path)
            assert answer.status_code == 200, (path, answer.text)
            known = self.answers[path]
            if answer.content not in known:
                known.append(answer.content)
        self.asked += 1


async def test_nothing_changes_for_rest_when_a_rollout_goes(stand: Stand, rest: Replica) -> None:
    await stand.prepare(instances=3, limit=1, push_seconds=0.4)
    operator = await stand.operator()
    made = builders.rollout(bundle=stand.bundle.metadata.name, namespace=stand.namespace)
    made.metadata.labels = {MANAGED_BY_LABEL: "api"}
    rollout = await stand.admin.create(made)
    uid, cache = rollout.metadata.uid, rest.services.cache
    assert await cache.until(lambda: cache.rollouts.get(rollout.key) is not None, 20)
    for verb, state in (("pause", "paused"), ("resume", "in_progress")):
        answer = await rest.client.post(f"{FLEET}/{uid}/{verb}")
        assert answer.status_code == 200, answer.text
        await stand.until(lambda r, s=state: r.status.state == s, rollout, state)  # type: ignore[misc]
    rollout = await stand.finished(rollout, "succeeded")
    assert await cache.until(lambda: _same(cache.rollouts.get(rollout.key), rollout), 20)

    instance = (await stand.targets())[0].spec.instance_id
    watcher = Watcher(
        rest.client,
        f"{FLEET}/{uid}",
        f"{TIMELINE}/{uid}/timeline",
        f"{TIMELINE}/{uid}/events",
        FLEET,
        f"/v1/instances/{instance}/runtime/rollouts",
    )
    await watcher.ask()
    watching = asyncio.create_task(watcher.run())
    ctx = later(operator, 8)
    await ArchiveReconciler(ctx, {"rollouts": RolloutArchiver(ctx)}).reconcile(archive_key(rollout))
    assert await cache.until(lambda: cache.rollouts.get(rollout.key) is None, 30)
    assert await cache.until(lambda: not cache.targets.in_namespace(stand.namespace), 30)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await watcher.ask()
    assert watcher.asked > 2
    assert {path: len(found) for path, found in watcher.answers.items()} == dict.fromkeys(
        watcher.paths, 1
    )
    events = json.loads(watcher.answers[f"{TIMELINE}/{uid}/events"][0])["events"]
    own = [one for one in events if one["target_id"] is None]
    told = [(one["event"], one["actor"].split(" (")[0]) for one in own]
    assert told[0][0] == "created"
    assert ("paused", "api-key laptop") in told
    assert ("resumed", "api-key laptop") in told
    assert told[-1] == ("succeeded", "operator")


async def test_a_kubernetes_user_is_named_among_the_events(stand: Stand, rest: Replica) -> None:
    await stand.prepare(instances=2, limit=1, push_seconds=0.4)
    await stand.operator()
    rollout = await stand.roll()
    await stand.until(lambda r: r.status.state == "in_progress", rollout, "the start")
    for paused, state in ((True, "paused"), (False, "in_progress")):
        await stand.edit(rollout, {"paused": paused})
        await stand.until(lambda r, s=state: r.status.state == s, rollout, state)  # type: ignore[misc]
    rollout = await stand.finished(rollout, "succeeded")
    cache = rest.services.cache
    assert await cache.until(lambda: _same(cache.rollouts.get(rollout.key), rollout), 20)
    answer = await rest.client.get(f"{TIMELINE}/{rollout.metadata.uid}/events")
    own = [one for one in answer.json()["events"] if one["target_id"] is None]
    told = {one["event"]: one["actor"] for one in own}
    assert told["created"] == told["paused"] == told["resumed"]
    assert told["created"].startswith("kubernetes-user ")
    assert PAUSED_BY_ANNOTATION not in rollout.metadata.annotations


def _same(found: Rollout | None, wanted: Rollout) -> bool:
    return found is not None and found.status == wanted.status
