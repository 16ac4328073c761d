"""SIGKILL of the API server in the middle of a rollout; then everything has to be quiet."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from hydracore_crds import Bundle, Instance, Rollout, RolloutTarget, UpdatePolicy
from hydracore_crds.instance_class import InstanceClass
from hydracore_devcluster.client import Api
from hydracore_kube import KubeClient
from tests.faults.fleet import Fleet
from tests.faults.plane import Plane
from tests.faults.simulated import Tenant
from tests.faults.waiting import holds, until

pytestmark = [pytest.mark.stack, pytest.mark.faults]
LIMIT = 2
KINDS = (Bundle, Instance, InstanceClass, Rollout, RolloutTarget, UpdatePolicy)
SETTLE_SECONDS = 60.0
SETTLED_SECONDS = 4.0
QUIET_SECONDS = 20.0
WRITES = {"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"}
_REQUESTS = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<count>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


async def test_the_rollout_goes_on_and_then_nothing_is_written(
    plane: Plane, fleet: Fleet, tenant: Tenant
) -> None:
    """Real agents stand by, so that their health and heartbeats count too in the quiet time."""
    async with plane.supervised_operator():
        await tenant.prepare(agents=12, push_seconds=0.5, max_parallel_rollouts=LIMIT)
        oracle = tenant.fleet.oracle
        await tenant.start()
        await tenant.until_accepted(3)
        await plane.dev.restart_apiserver()
        await tenant.finished("succeeded")
        await tenant.check_success(LIMIT)
        await fleet.all_ready()

        async with await Api.connect(plane.dev.admin_kubeconfig) as api:
            await _settle(plane.admin)
            versions, writes, asked = await _versions(plane.admin), await _writes(api), oracle.asked

            async def unchanged() -> bool:
                return await _versions(plane.admin) == versions

            await holds(unchanged, "unchanged resourceVersions", QUIET_SECONDS, every=1.0)
            written = await _writes(api) - writes
    assert oracle.asked > asked, "the operator was at work all the time"
    assert written.pop("leases") > QUIET_SECONDS / 2, "the API server counts writes"
    assert written == {}


async def _settle(admin: KubeClient) -> None:
    """Wait until nothing has changed for a few seconds."""
    last: dict[str, str] = {}

    async def look() -> bool:
        before = dict(last)
        last.clear()
        last.update(await _versions(admin))
        return before == last

    await until(look, "everything to settle", SETTLE_SECONDS, every=SETTLED_SECONDS)


async def _versions(admin: KubeClient) -> dict[str, str]:
    """Return the resourceVersion of every custom resource."""
    found: dict[str, str] = {}
    for kind in KINDS:
        objects, _ = await admin.list(kind)
        for obj in objects:
            found[f"{kind.KIND.plural}/{obj.key}"] = obj.metadata.resource_version or ""
    return found


async def _writes(api: Api) -> Counter[str]:
    """Return how many writes the API server has carried out, by resource."""
    found: Counter[str] = Counter()
    for match in _REQUESTS.finditer(await api.text("GET", "/metrics")):
        labels = dict(_LABEL.findall(match["labels"]))
        if labels["verb"] in WRITES and labels["code"].startswith("2"):
            found[labels["resource"]] += int(float(match["count"]))
    return found
