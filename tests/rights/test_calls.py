"""A real API server's audit log is read right; in a cluster of its own, for refusals are meant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from hydracore_crds import Instance, ObjectMeta
from hydracore_crds.instance import InstanceSpec, InstanceStatus
from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_devcluster.assets import Assets
from hydracore_devcluster.client import Api, ApiError
from hydracore_devcluster.cluster import DevCluster
from hydracore_devcluster.install import Accounts, install
from hydracore_devcluster.layout import ProjectLayout
from hydracore_kube import Forbidden, KubeClient
from tests.rights.calls import Call, read
from tests.rights.grants import granted
from tests.rights.plugin import manifests
from tests.rights.verdict import judge

pytestmark = pytest.mark.cluster

ID = "7f1c1f5e-2f0b-4c1e-9a51-0c8f1c5d2e77"
SECONDS = 20.0


@dataclass
class Scene:
    dev: DevCluster
    accounts: Accounts
    api: KubeClient
    operator: KubeClient

    async def calls(self, *wanted: Call) -> list[Call]:
        """Return all calls, once those that are wanted stand in the log."""
        async with asyncio.timeout(SECONDS):
            while True:
                found = [*read([self.dev.audit_log])]
                bare = [Call(**{**as_dict(c), "said": ""}) for c in found]
                if all(call in bare for call in wanted):
                    return found
                await asyncio.sleep(0.05)


def as_dict(call: Call) -> dict[str, object]:
    return {name: getattr(call, name) for name in Call.__slots__}


def called(verb: str, resource: str = "instances", **other: object) -> Call:
    fields: dict[str, object] = {"account": "hydracore-api", "group": "hydracore.io"}
    fields |= {"home": False, "outcome": "passed", **other}
    return Call(verb=verb, resource=resource, **fields)  # type: ignore[arg-type]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(
    assets: Assets, project: ProjectLayout, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    dev = DevCluster(tmp_path_factory.mktemp("audited"), assets)
    await dev.start()
    try:
        accounts = await install(dev, project)
        api = await KubeClient.connect(str(accounts.api), field_manager="hydracore-api")
        operator = await KubeClient.connect(
            str(accounts.operator), field_manager="hydracore-operator"
        )
        yield Scene(dev, accounts, api, operator)
        await api.close()
        await operator.close()
    finally:
        await dev.stop()


def instance(name: str) -> Instance:
    return Instance(
        metadata=ObjectMeta(name=name, namespace="default", labels={MANAGED_BY_LABEL: "api"}),
        spec=InstanceSpec(id=ID, class_name="s", region_id="eu"),
    )


async def test_a_call_and_the_rights_that_it_took(scene: Scene) -> None:
    await scene.api.list(Instance, "default")
    wanted = called("create", rights=("set-id", "set-marks"))
    found: list[Call] = []
    async with asyncio.timeout(SECONDS):
        # Policies are in force a little after they are stored.
        for number in count():
            await scene.api.create(instance(f"ada-{number}"))
            found = await scene.calls(called("list"))
            if any(call.rights == wanted.rights for call in found):
                break
            await asyncio.sleep(0.2)
    assert wanted in found


async def test_a_watch_counts_while_it_lasts(scene: Scene) -> None:
    await scene.api.create(instance("kept"))

    async def watch() -> None:
        async for _ in scene.api.watch(Instance, "default", resource_version="0"):
            pass

    task = asyncio.create_task(watch())
    try:
        await scene.calls(called("watch"))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_status_past_its_subresource_is_seen_and_not_stored(scene: Scene) -> None:
    await scene.api.create(instance("sly"))
    body = {"status": {"state": "running"}}
    stored = await scene.api.patch(Instance, "sly", "default", body)
    assert stored.status.state is None
    await scene.calls(called("patch", writes_status=True))


async def test_a_refusal_is_told_from_a_denial(scene: Scene, project: ProjectLayout) -> None:
    made = await scene.api.create(instance("bob"))
    with pytest.raises(Forbidden):
        await scene.api.update_status(made, InstanceStatus(state="running"))
    marked = {"metadata": {"labels": {MANAGED_BY_LABEL: "me"}}}
    with pytest.raises(Forbidden):
        await scene.operator.patch(Instance, "bob", "default", marked)
    operator = {"account": "hydracore-operator", "outcome": "denied", "rights": ("set-marks",)}
    found = await scene.calls(
        called("patch", "instances/status", outcome="refused"), called("patch", **operator)
    )
    verdict = judge(granted(manifests(project)), dict.fromkeys(found, 1), whole=False)
    refused, denied = (
        [text for text in verdict.findings if word in text] for word in ("refused:", "denied by")
    )
    assert len(refused) == len(denied) == 1
    assert "cannot patch resource" in refused[0]
    assert "hydracore.io/managed-by may be set" in denied[0]


async def test_what_tests_do_with_the_accounts_does_not_count(scene: Scene) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    async with await Api.connect(Path(scene.accounts.api)) as other:
        with pytest.raises(ApiError):
            await other.json("GET", path)
    with pytest.raises(Forbidden):
        await scene.api.get_raw(("v1", "secrets", "default", "x"))
    found = await scene.calls(called("get", "secrets", group="", outcome="refused"))
    assert not [call for call in found if call.resource == "configmaps"]


async def test_a_half_written_line_is_skipped(scene: Scene, tmp_path: Path) -> None:
    await scene.api.create(instance("last"))
    found = await scene.calls(called("create", rights=("set-id", "set-marks")))
    torn = tmp_path / "torn.log"
    torn.write_bytes(scene.dev.audit_log.read_bytes() + b'{"kind":"Event","user":{"us')
    assert {*read([torn])} >= {*found}
