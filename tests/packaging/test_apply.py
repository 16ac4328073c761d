"""Chart and manifests in the real API server: by helm, by kubectl, and against its admission."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hydracore_devcluster.layout import ProjectLayout
from tests.conftest import Kubectl
from tests.packaging.support import JSON, Tool, dump, load, only, pods, without_definitions

pytestmark = pytest.mark.cluster

CLUSTER_WIDE = (
    *("ClusterRole", "ClusterRoleBinding", "PersistentVolume"),
    *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
)
STATUS = "--subresource=status"
NAMESPACED = "deployments,services,configmaps,serviceaccounts,roles,poddisruptionbudgets"


@pytest.fixture
def restricted(namespace: str, kubectl: Kubectl) -> str:
    """A fresh namespace that takes restricted pods only."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    kubectl("label", "namespace", namespace, label, check=True)
    return namespace


@pytest.fixture
def away(kubectl: Kubectl) -> Iterator[list[JSON]]:
    """Objects outside of the namespace that go at the end."""
    objects: list[JSON] = []
    yield objects
    gone = [d for d in objects if d["kind"] in CLUSTER_WIDE]
    if gone:
        options = ("--ignore-not-found", "--wait=false")
        kubectl("delete", *options, "-f", "-", input=dump(gone), check=True)


def names(kubectl: Kubectl, namespace: str, label: str) -> set[str]:
    got = kubectl("get", NAMESPACED, "-n", namespace, "-l", label, "-o", "name", check=True)
    return set(got.stdout.split())


def test_helm_installs_upgrades_and_uninstalls(
    cluster_helm: Tool,
    kubectl: Kubectl,
    restricted: str,
    values: Path,
    suffix: str,
    away: list[JSON],
) -> None:
    release = f"r{suffix}"
    # No kubelet would run the migration. The definitions are there already.
    options = ["charts/hydracore", "-n", restricted, "-f", str(values), "--no-hooks"]
    options += ["--set", "crds.install=false"]
    away += load(cluster_helm("template", release, *options).stdout)

    cluster_helm("install", release, *options)
    label = f"app.kubernetes.io/instance={release}"
    found = names(kubectl, restricted, label)
    service = f"{release}-hydracore"
    assert f"deployment.apps/{service}-operator" in found
    assert f"service/{service}-api" in found
    assert f"serviceaccount/{service}-api" in found

    cluster_helm("upgrade", release, *options, "--set", "api.replicas=5")
    got = kubectl("get", "deployment", f"{service}-api", "-n", restricted, "-o", "yaml", check=True)
    assert yaml.safe_load(got.stdout)["spec"]["replicas"] == 5

    cluster_helm("uninstall", release, "-n", restricted, "--no-hooks")
    # What deletes pods and sets of them is not part of this control plane; the rest is gone.
    assert names(kubectl, restricted, label) == set()
    wide = "clusterroles,clusterrolebindings"
    wide += ",validatingadmissionpolicies,validatingadmissionpolicybindings"
    left = kubectl("get", wide, "-l", label, "-o", "name", check=True)
    assert left.stdout == ""


def test_the_chart_s_accounts_may_do_what_ours_may(
    cluster_helm: Tool,
    kubectl: Kubectl,
    restricted: str,
    values: Path,
    suffix: str,
    away: list[JSON],
) -> None:
    release = f"a{suffix}"
    options = ["charts/hydracore", "-n", restricted, "-f", str(values), "--no-hooks"]
    rendered = load(cluster_helm("template", release, *options).stdout)
    away += rendered
    kubectl("apply", "--server-side", "-f", "-", input=dump(without_definitions(rendered)))

    def may(account: str, *what: str) -> bool:
        user = f"--as=system:serviceaccount:{restricted}:{release}-hydracore-{account}"
        return kubectl("auth", "can-i", *what, user).stdout.strip() == "yes"

    assert may("operator", "patch", "instances.hydracore.io", STATUS, "-n", "any")
    assert may("operator", "update", "leases.coordination.k8s.io", "-n", restricted)
    assert not may("operator", "update", "leases.coordination.k8s.io", "-n", "any")
    assert may("api", "create", "instances.hydracore.io", "-n", "any")
    assert not may("api", "patch", "instances.hydracore.io", STATUS, "-n", "any")
    assert not may("api", "get", "secrets", "-n", restricted)


def test_the_whole_chart_is_accepted(chart: list[JSON], kubectl: Kubectl, restricted: str) -> None:
    moved = yaml.safe_load(
        yaml.safe_dump(chart).replace("namespace: there", f"namespace: {restricted}")
    )
    dry = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-")
    said = kubectl(*dry, input=dump(moved), check=True)
    assert len(said.stdout.splitlines()) == len(chart)
    assert "Warning" not in said.stderr


@pytest.mark.parametrize("folder", ["manifests", "kind"])
def test_kustomize_s_output_is_applied(
    folder: str,
    kubectl: Kubectl,
    namespace: str,
    suffix: str,
    project: ProjectLayout,
    tmp_path: Path,
    away: list[JSON],
) -> None:
    base = os.path.relpath(project.root / folder, tmp_path.resolve())
    overlay = {"resources": [base], "namespace": namespace, "nameSuffix": f"-{suffix}"}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    objects = load(kubectl("kustomize", str(tmp_path), check=True).stdout)
    away += objects
    told = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    said = kubectl(*told, input=dump(free_ports(objects)), check=True)
    assert len(said.stdout.splitlines()) == len(objects)
    assert "Warning" not in said.stderr
    found = names(kubectl, namespace, "app.kubernetes.io/part-of=hydracore")
    assert f"deployment.apps/hydracore-operator-{suffix}" in found
    assert f"service/hydracore-api-{suffix}" in found
    label = kubectl("get", "namespace", namespace, "-o", "yaml", check=True).stdout
    assert "pod-security.kubernetes.io/enforce: restricted" in label


def free_ports(objects: list[JSON]) -> list[JSON]:
    """Let the cluster choose the ports of nodes: another test may have the same one."""
    for service in (d for d in objects if d["kind"] == "Service"):
        for port in service["spec"]["ports"]:
            port.pop("nodePort", None)
    return objects


@pytest.mark.parametrize("which", ["chart", "kustomized", "kind_kustomized"])
def test_a_restricted_namespace_takes_every_pod(
    which: str, kubectl: Kubectl, restricted: str, request: pytest.FixtureRequest
) -> None:
    found = pods(request.getfixturevalue(which))
    dry = ("create", "--dry-run=server", "-n", restricted, "-f", "-")
    said = kubectl(*dry, input=dump(found.values()), check=True).stdout
    assert len(said.splitlines()) == len(found)
    # The namespace does refuse: else the above would mean nothing.
    pod = next(iter(found.values()))
    for container in pod["spec"]["containers"]:
        container["securityContext"] = {"allowPrivilegeEscalation": True}
    refused = kubectl(*dry, input=dump([pod]))
    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted' in refused.stderr


def test_people_s_roles_work(kubectl: Kubectl, namespace: str) -> None:
    for who in ("viewer", "editor"):
        binding = ("rolebinding", who, f"--clusterrole=hydracore-{who}", f"--user={who}")
        kubectl("create", *binding, "-n", namespace, check=True)

    def may(who: str, *what: str) -> bool:
        return kubectl("auth", "can-i", *what, "-n", namespace, f"--as={who}").stdout == "yes\n"

    assert may("viewer", "list", "rollouts.hydracore.io")
    assert not may("viewer", "create", "rollouts.hydracore.io")
    assert may("editor", "create", "rollouts.hydracore.io")
    assert may("editor", "patch", "rollouttargets.hydracore.io")
    assert may("editor", "patch", "instances.hydracore.io")
    assert not may("editor", "patch", "instances.hydracore.io", STATUS)
    assert not may("editor", "create", "rollouttargets.hydracore.io")


def test_a_development_cluster_has_rights_but_no_services(
    kubectl: Kubectl, kustomized: list[JSON]
) -> None:
    got = kubectl("get", "deployments,services", "-n", "hydracore-system", "-o", "name", check=True)
    assert got.stdout == ""
    role = only(kustomized, "ClusterRole", "-viewer")["metadata"]["name"]
    assert kubectl("get", "clusterrole", role, check=True).returncode == 0
