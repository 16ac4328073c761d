"""kubeconform, with the schemas of our definitions and of the real API server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hydracore_devcluster.layout import ProjectLayout
from tests.conftest import Kubectl
from tests.packaging.conftest import Render
from tests.packaging.support import JSON, dump

pytestmark = pytest.mark.cluster

Conform = Callable[..., JSON]


def all_valid(answer: JSON, count: int) -> None:
    # Skipped would mean that no schema was found.
    assert answer["summary"] == {"valid": count, "invalid": 0, "errors": 0, "skipped": 0}


@pytest.mark.parametrize("which", ["chart", "kustomized", "kind_kustomized"])
def test_every_object_fits_its_schema(
    which: str, kubeconform: Conform, request: pytest.FixtureRequest
) -> None:
    objects: list[JSON] = request.getfixturevalue(which)
    assert len(objects) > 20
    all_valid(kubeconform(dump(objects)), len(objects))


def test_the_chart_with_everything_set_fits(kubeconform: Conform, render: Render) -> None:
    objects = render(
        "--set",
        "api.trustedProxies={10.0.0.0/8},api.service.type=NodePort,api.service.nodePort=30080,"
        "image.pullSecrets={a},api.podAnnotations.a=b,operator.nodeSelector.disk=ssd,"
        "api.tolerations[0].operator=Exists,api.service.annotations.a=b,"
        "networkPolicy.apiFrom[0].ipBlock.cidr=10.0.0.0/8",
        "--set-json",
        'operator.affinity={"nodeAffinity": {}}',
    )
    all_valid(kubeconform(dump(objects)), len(objects))


def test_the_samples_fit(kubeconform: Conform, kubectl: Kubectl) -> None:
    samples = kubectl("kustomize", "manifests/samples", check=True).stdout
    all_valid(kubeconform(samples), 5)


@pytest.mark.parametrize(
    ("kind", "path", "said"),
    [
        ("Deployment", ("spec", "template", "spec", "contaniers"), "contaniers"),
        ("PodDisruptionBudget", ("spec", "minAvailable"), "minAvailable"),
        ("ClusterRole", ("rules",), "rules"),
        ("CustomResourceDefinition", ("spec", "scope"), "scope"),
    ],
)
def test_it_sees_what_is_wrong(
    kubeconform: Conform, chart: list[JSON], kind: str, path: tuple[str, ...], said: str
) -> None:
    broken = next(d for d in chart if d["kind"] == kind)
    node = broken = {**broken}
    for key in path[:-1]:
        node[key] = {**node[key]}
        node = node[key]
    node[path[-1]] = {"not": "so"}
    answer = kubeconform(dump([broken]), check=False)
    assert answer["summary"]["invalid"] == 1
    assert said in str(answer["resources"][0])


def test_it_sees_a_misspelt_field_of_ours(
    kubeconform: Conform, project: ProjectLayout, tmp_path: Path
) -> None:
    text = (project.manifests / "samples" / "rollout.yaml").read_text()
    answer = kubeconform(text.replace("maxParallel: 2", "maxParalel: 2"), check=False)
    assert "maxParalel" in str(answer["resources"])
    answer = kubeconform(text.replace("onFailure: pause", "onFailure: panic"), check=False)
    assert answer["summary"]["invalid"] == 1
    assert "/spec/strategy/onFailure" in str(answer["resources"])
