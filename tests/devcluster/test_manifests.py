"""The manifests: good for kustomize, least rights, samples that the API server takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hydracore_crds import KINDS
from hydracore_devcluster.client import Api
from hydracore_devcluster.install import NOT_INSTALLED, STAMPS, _resources, _serves
from hydracore_devcluster.layout import ProjectLayout
from tests.conftest import TestCluster

COMPONENTS = {"s3", "stamps"}


def documents(project: ProjectLayout) -> list[dict[str, Any]]:
    files = [
        path
        for path in project.manifests.rglob("*.yaml")
        if path.name != "kustomization.yaml" and path.parent.name not in COMPONENTS
    ]
    return [d for f in files for d in yaml.safe_load_all(f.read_text()) if d]


def test_no_role_has_a_wildcard(project: ProjectLayout) -> None:
    roles = [d for d in documents(project) if d["kind"] in {"Role", "ClusterRole"}]
    assert len(roles) == 9
    for role in roles:
        for rule in role["rules"]:
            granted = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert not [g for g in granted if "*" in g]
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])


def test_no_account_is_bound_to_anothers_role(project: ProjectLayout) -> None:
    bindings = [d for d in documents(project) if d["kind"].endswith("RoleBinding")]
    assert len(bindings) == 3
    for binding in bindings:
        assert [s["name"] for s in binding["subjects"]] == [binding["roleRef"]["name"]]


@pytest.mark.cluster
def test_kustomize_builds_them(kubectl: Callable[..., Any], project: ProjectLayout) -> None:
    built = kubectl("kustomize", str(project.manifests), check=True).stdout
    kinds = sorted(d["kind"] for d in yaml.safe_load_all(built))
    own = [d["kind"] for d in documents(project) if d["kind"] not in SAMPLES]
    assert kinds == sorted([*own, *("CustomResourceDefinition" for _ in KINDS)])


SAMPLES = {kind.KIND.kind for kind in KINDS}


def test_the_installer_leaves_the_services_out(project: ProjectLayout) -> None:
    installed = {d["kind"] for f in _resources(project.manifests) for d in load_all(f)}
    assert installed == {
        *("Namespace", "ServiceAccount", "Role", "RoleBinding"),
        *("ClusterRole", "ClusterRoleBinding"),
        *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
    }
    listed = yaml.safe_load((project.manifests / "kustomization.yaml").read_text())["resources"]
    assert set(listed) >= NOT_INSTALLED


@pytest.mark.cluster
async def test_names_are_stamped_where_the_cluster_can(
    admin_api: Api, project: ProjectLayout, cluster: TestCluster
) -> None:
    path = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies"
    installed = {one["metadata"]["name"] for one in (await admin_api.json("GET", path))["items"]}
    files = _resources(project.manifests / STAMPS)
    assert installed >= {d["metadata"]["name"] for f in files for d in load_all(f)}


@pytest.mark.cluster
async def test_a_cluster_that_cannot_stamp_is_told_apart(admin_api: Api) -> None:
    assert await _serves(admin_api, "/apis/admissionregistration.k8s.io/v1", "nosuchpolicies") is (
        False
    )


def load_all(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text()))


@pytest.mark.cluster
def test_the_samples_are_accepted(
    kubectl: Callable[..., Any], project: ProjectLayout, namespace: str
) -> None:
    folder = str(project.manifests / "samples")
    said = kubectl("apply", "-n", namespace, "-k", folder, "--dry-run=server", check=True).stdout
    for name in ("instanceclass", "instance", "updatepolicy", "rollout"):
        assert f"{name}.hydracore.io/" in said
