"""Whether everything has come to rest: nothing changes and nothing is written but the Lease."""

from __future__ import annotations

import re
from collections import Counter

from hydracore_crds import Bundle, Instance, Rollout, RolloutTarget, UpdatePolicy
from hydracore_crds.instance_class import InstanceClass
from hydracore_devcluster.client import Api
from hydracore_kube import KubeClient, Where
from hydracore_operator.policies.counts import COUNT_EVERY
from tests.faults.plane import Plane
from tests.faults.waiting import holds, until

KINDS = (Bundle, Instance, InstanceClass, Rollout, RolloutTarget, UpdatePolicy)
NAMESPACES_SECONDS = 120.0
SETTLE_SECONDS = 60.0
SETTLED_SECONDS = COUNT_EVERY.total_seconds() + 3.0
"""Longer than anything is put off: the operator holds counts of an UpdatePolicy back."""
QUIET_SECONDS = 60.0
WRITES = {"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"}
_REQUESTS = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<count>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


async def check_quiet(plane: Plane) -> None:
    """Wait until nothing changes; then assert that it stays so for a minute (I7).

    What is written is counted by the API server; an operator must be leading, since its Lease
    shows that writes are counted.
    """
    async with await Api.connect(plane.dev.admin_kubeconfig) as api:
        await _no_namespace_going(plane.admin)
        await _settle(plane.admin)
        versions, written = await _versions(plane.admin), await writes(api)

        async def unchanged() -> bool:
            found = await _versions(plane.admin)
            changed = {key for key, _ in found.items() ^ versions.items()}
            assert changed == set(), "changed or gone in the quiet time"
            return True

        await holds(unchanged, "unchanged resourceVersions", QUIET_SECONDS, every=1.0)
        more = await writes(api) - written
    assert more.pop("leases") > QUIET_SECONDS / 2, "the API server counts writes"
    assert more == {}


async def _no_namespace_going(admin: KubeClient) -> None:
    """Wait until the tenants of earlier tests are gone.

    The controller that empties a namespace comes back to it after half a minute or so, and its
    deletions are counted as writes.
    """

    async def look() -> bool:
        found, _ = await admin.list_raw(Where("v1", "namespaces"))
        return not any("deletionTimestamp" in item["metadata"] for item in found)

    await until(look, "deleted namespaces to be gone", NAMESPACES_SECONDS, every=0.5)


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


async def writes(api: Api) -> Counter[str]:
    """Return how many writes the API server has carried out, by resource."""
    found: Counter[str] = Counter()
    for (verb, resource), number in (await requests(api)).items():
        if verb in WRITES:
            found[resource] += number
    return found


async def requests(api: Api) -> Counter[tuple[str, str]]:
    """Return how many requests have succeeded at the API server, by verb and resource."""
    found: Counter[tuple[str, str]] = Counter()
    for match in _REQUESTS.finditer(await api.text("GET", "/metrics")):
        labels = dict(_LABEL.findall(match["labels"]))
        if labels["code"].startswith("2"):
            found[labels["verb"], labels["resource"]] += int(float(match["count"]))
    return found
