"""Chart and manifests are two forms of one installation; and both are as safe as they claim."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from hydracore_crds import KINDS
from hydracore_devcluster.layout import ProjectLayout
from tests.packaging.support import (
    JSON,
    SERVICES,
    dump,
    load,
    only,
    pod_spec,
    pods,
    service_container,
)

PEOPLE = ("viewer", "editor", "admin", "out-of-window", "approver", "restore")
ROLES = {"Role": ["operator"], "ClusterRole": ["operator", "api", *PEOPLE]}
RELEASE = "trial-hydracore-"
STAMPS = "MutatingAdmissionPolicy"


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, names in ROLES.items() for n in names])
def test_the_rights_are_the_same(
    chart: list[JSON], kustomized: list[JSON], kind: str, name: str
) -> None:
    ours, theirs = (only(objects, kind, f"-{name}") for objects in (chart, kustomized))
    assert ours["rules"] == theirs["rules"]
    aggregated = [
        {k: v for k, v in role["metadata"]["labels"].items() if "aggregate" in k}
        for role in (ours, theirs)
    ]
    assert aggregated[0] == aggregated[1]
    assert bool(aggregated[0]) == (name in {"viewer", "editor", "admin"})


@pytest.mark.parametrize("kind", ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"])
def test_the_policies_are_the_same(
    chart: list[JSON], kustomized: list[JSON], kind: str, project: ProjectLayout
) -> None:
    ours, theirs = (
        {d["metadata"]["name"]: d["spec"] for d in objects if d["kind"] == kind}
        for objects in (chart, kustomized)
    )
    named = yaml.safe_load(yaml.safe_dump(ours).replace(RELEASE, "hydracore-"))
    assert named == theirs
    folder = project.manifests / "policies"
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert len(theirs) >= len(listed) == len(list(folder.glob("*.yaml"))) - 1


def test_the_stamps_are_the_same(
    render: Callable[..., list[JSON]], chart: list[JSON], project: ProjectLayout
) -> None:
    """The chart has them where the cluster does; kustomize cannot ask: there it is a component."""
    folder = project.manifests / "stamps"
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert len(listed) == len(list(folder.glob("*.yaml"))) - 1
    theirs = load("---\n".join((folder / one).read_text() for one in listed))
    capable = render("--api-versions", "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy")
    ours, none = ([d for d in found if d["kind"].startswith(STAMPS)] for found in (capable, chart))
    assert none == []
    named = load(dump(ours).replace(RELEASE, "hydracore-"))
    assert specs(named) == specs(theirs)
    bound = {d["spec"]["policyName"] for d in theirs if d["kind"] == f"{STAMPS}Binding"}
    assert bound == {d["metadata"]["name"] for d in theirs if d["kind"] == STAMPS}


def specs(objects: list[JSON]) -> dict[tuple[str, str], JSON]:
    return {(d["kind"], d["metadata"]["name"]): d["spec"] for d in objects}


def test_every_policy_is_bound_and_denies(kustomized: list[JSON]) -> None:
    policies, bindings = (
        {d["metadata"]["name"]: d["spec"] for d in kustomized if d["kind"] == kind}
        for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    )
    assert {b["policyName"] for b in bindings.values()} == set(policies)
    assert all(b["validationActions"] == ["Deny"] for b in bindings.values())
    for name, policy in policies.items():
        assert policy["failurePolicy"] == "Fail", name
        assert all("messageExpression" in rule for rule in policy["validations"]), name


def test_there_are_no_other_roles_and_bindings(chart: list[JSON], kustomized: list[JSON]) -> None:
    for objects in (chart, kustomized):
        for kind, names in ROLES.items():
            assert len([d for d in objects if d["kind"] == kind]) == len(names)
        for binding in (d for d in objects if d["kind"].endswith("RoleBinding")):
            (subject,) = binding["subjects"]
            account = only(objects, "ServiceAccount", subject["name"])
            assert subject["namespace"] == account["metadata"]["namespace"]
            assert only(objects, binding["roleRef"]["kind"], binding["roleRef"]["name"])


def test_people_may_read_every_kind_and_write_no_status(kustomized: list[JSON]) -> None:
    plurals = {kind.KIND.plural for kind in KINDS}
    for name in ("viewer", "editor", "admin"):
        rules = only(kustomized, "ClusterRole", f"-{name}")["rules"]
        readable = {r for rule in rules if "watch" in rule["verbs"] for r in rule["resources"]}
        assert readable == plurals, f"{name}: a new kind needs its line in manifests/rbac"
    rules = only(kustomized, "ClusterRole", "-viewer")["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}


SAME_IN_POD = (
    *("securityContext", "automountServiceAccountToken", "enableServiceLinks"),
    *("terminationGracePeriodSeconds",),
)
SAME_IN_CONTAINER = (
    *("args", "ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"),
    *("securityContext", "volumeMounts", "resources"),
)


@pytest.mark.parametrize("service", SERVICES)
def test_the_services_run_alike(chart: list[JSON], kustomized: list[JSON], service: str) -> None:
    ours, theirs = (only(o, "Deployment", f"-{service}")["spec"] for o in (chart, kustomized))
    assert ours["replicas"] == theirs["replicas"] == 2
    assert ours["strategy"] == theirs["strategy"]
    for key in SAME_IN_POD:
        assert ours["template"]["spec"].get(key) == theirs["template"]["spec"].get(key), key
    mine, other = (service_container(o, service) for o in (chart, kustomized))
    for key in SAME_IN_CONTAINER:
        assert mine.get(key) == other.get(key), key


@pytest.mark.parametrize("which", ["chart", "kustomized", "kind_kustomized"])
def test_every_disruption_budget_leaves_one(which: str, request: pytest.FixtureRequest) -> None:
    objects: list[JSON] = request.getfixturevalue(which)
    budgets = [d for d in objects if d["kind"] == "PodDisruptionBudget"]
    assert len(budgets) == len(SERVICES)
    for budget in budgets:
        deployment = only(objects, "Deployment", budget["metadata"]["name"])
        assert budget["spec"]["selector"] == deployment["spec"]["selector"]
        assert budget["spec"]["maxUnavailable"] < deployment["spec"]["replicas"]


@pytest.mark.parametrize("which", ["chart", "kustomized", "kind_kustomized"])
def test_every_container_is_bounded_and_cannot_write(
    which: str, request: pytest.FixtureRequest
) -> None:
    found = pods(request.getfixturevalue(which))
    assert len(found) >= 2
    for name, pod in found.items():
        spec: Any = pod_spec(pod)
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            where = f"{name}/{container['name']}"
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, where
            assert "memory" in container["resources"]["limits"], where
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), where
            tag = container["image"].rpartition(":")[2]
            assert tag not in {"latest", container["image"]}, where
        account = spec.get("serviceAccountName")
        assert spec["automountServiceAccountToken"] is (account is not None), name


def test_versions_agree(project: ProjectLayout, chart: list[JSON], kustomized: list[JSON]) -> None:
    version = tomllib.loads((project.root / "pyproject.toml").read_text())["project"]["version"]
    described = yaml.safe_load((project.root / "charts/hydracore/Chart.yaml").read_text())
    assert described["appVersion"] == version
    for objects in (chart, kustomized):
        for pod in pods(objects).values():
            for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]:
                assert container["image"] == f"hydracore:{version}"
