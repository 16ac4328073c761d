"""Definitions and rights in the cluster: who may do what, and nothing more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hydracore_crds import KINDS
from hydracore_devcluster.client import Api, ApiError
from hydracore_devcluster.errors import InstallFailedError
from hydracore_devcluster.install import install
from hydracore_devcluster.layout import ProjectLayout
from tests.conftest import TestCluster

pytestmark = pytest.mark.cluster

LEASES = "coordination.k8s.io"
SYSTEM = "hydracore-system"
GROUPS = {"namespaces": "", "configmaps": "", "secrets": "", "pods": "", "leases": LEASES}
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


async def may(api: Api, verb: str, resource: str, namespace: str = "anywhere") -> bool:
    """Return whether the connection's user may do it."""
    group = GROUPS.get(resource, "hydracore.io")
    name, _, sub = resource.partition("/")
    attributes = {"group": group, "resource": name, "verb": verb, "namespace": namespace}
    if sub:
        attributes["subresource"] = sub
    spec = {"resourceAttributes": attributes}
    answer = await api.json("POST", REVIEW, {"spec": spec})
    return bool(answer["status"]["allowed"])


OPERATOR = {
    "instances": "get list watch patch",
    "instances/status": "patch",
    "rollouts": "get list watch create patch delete",
    "rollouts/status": "patch",
    "instanceactions": "list watch delete",
    "instanceactions/status": "patch",
    "rollouttargets": "get list watch create patch",
    "rollouttargets/status": "patch",
    "updatepolicies": "list watch",
    "updatepolicies/status": "patch",
    "bundles": "list watch patch",
    "bundles/status": "patch",
    "instanceclasses": "list watch",
    "namespaces": "list watch",
    "configmaps": "",
    "leases": "",
    "secrets": "",
    "pods": "",
}
API = {
    "instances": "get list watch create patch delete",
    "instances/status": "",
    "instanceactions": "list watch create",
    "instanceactions/status": "",
    "rollouts": "get list watch create patch",
    "rollouts/status": "",
    "rollouttargets": "get list watch patch",
    "rollouttargets/status": "",
    "updatepolicies": "get list watch create patch",
    "updatepolicies/status": "",
    "bundles": "list watch",
    "instanceclasses": "list watch",
    "namespaces": "get list watch",
    "configmaps": "",
    "leases": "",
    "secrets": "",
    "pods": "",
}
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


@pytest.mark.parametrize("who", ["operator", "api"])
async def test_rights_are_exactly_those(cluster: TestCluster, who: str) -> None:
    file, wanted = (
        (cluster.accounts.operator, OPERATOR) if who == "operator" else (cluster.accounts.api, API)
    )
    async with await Api.connect(file) as api:
        for resource, verbs in wanted.items():
            allowed = {verb for verb in VERBS if await may(api, verb, resource)}
            assert allowed == set(verbs.split()), resource


async def test_ledgers_and_leases_are_the_operators_and_only_in_its_namespace(
    cluster: TestCluster,
) -> None:
    async with await Api.connect(cluster.accounts.operator) as api:
        for verb in ("get", "list", "create", "update", "delete"):
            assert await may(api, verb, "configmaps", SYSTEM)
        for verb in ("get", "create", "update"):
            assert await may(api, verb, "leases", SYSTEM)
        assert not await may(api, "get", "secrets", SYSTEM)
    async with await Api.connect(cluster.accounts.api) as api:
        assert not await may(api, "get", "configmaps", SYSTEM)
        assert not await may(api, "update", "leases", SYSTEM)


async def test_a_refused_write_names_the_account(cluster: TestCluster) -> None:
    async with await Api.connect(cluster.accounts.api) as api:
        with pytest.raises(ApiError, match="hydracore-system:hydracore-api") as caught:
            await api.json("POST", "/api/v1/namespaces", {"metadata": {"name": "x"}})
    assert caught.value.status == 403


async def test_every_kind_is_served(admin_api: Api) -> None:
    found = await admin_api.json("GET", "/apis/hydracore.io/v1alpha1")
    served = {r["name"] for r in found["resources"] if "/" not in r["name"]}
    assert served == {kind.KIND.plural for kind in KINDS}


async def test_all_kinds_share_a_category(kubectl: Callable[..., Any], namespace: str) -> None:
    done = kubectl("get", "hydra", "-n", namespace, check=True)
    assert "No resources found" in done.stderr or done.stdout


async def test_installing_again_changes_nothing_but_the_tokens(
    cluster: TestCluster, project: ProjectLayout, admin_api: Api
) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/hydracore-operator"
    before = (await admin_api.json("GET", path))["metadata"]["resourceVersion"]
    accounts = await install(cluster.dev, project)
    assert accounts == cluster.accounts
    after = (await admin_api.json("GET", path))["metadata"]["resourceVersion"]
    assert after == before


async def test_a_refused_manifest_is_named(
    cluster: TestCluster, project: ProjectLayout, tmp_path: Path
) -> None:
    (tmp_path / "crds").mkdir()
    (tmp_path / "manifests").mkdir()
    broken = yaml.safe_load((project.crds / "bundles.yaml").read_text())
    broken["metadata"]["name"] = "other.hydracore.io"
    (tmp_path / "crds" / "other.yaml").write_text(yaml.safe_dump(broken))
    (tmp_path / "manifests" / "kustomization.yaml").write_text("resources: []\n")
    with pytest.raises(InstallFailedError) as caught:
        await install(cluster.dev, ProjectLayout(tmp_path))
    assert "CustomResourceDefinition other.hydracore.io" in str(caught.value)
    assert "other.yaml" in str(caught.value)
