"""The chart as real helm reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hydracore_crds import KINDS
from hydracore_crds.generate import definition
from hydracore_crds.outputs import chart_template
from hydracore_devcluster.layout import ProjectLayout
from tests.packaging.conftest import Render
from tests.packaging.support import JSON, Tool, load, only, pods


def template(helm: Tool, *args: str) -> str:
    done = helm("template", "trial", "charts/hydracore", *args, check=False)
    assert done.returncode != 0
    return done.stderr


def test_helm_finds_nothing_wrong(helm: Tool, values: Path) -> None:
    said = helm("lint", "charts/hydracore", "--strict", "-f", str(values)).stdout
    assert "0 chart(s) failed" in said


def test_all_that_is_missing_is_named_at_once(helm: Tool) -> None:
    said = template(helm, "--set", "keys.existingSecret=mine")
    assert "agentApiUrl: where agents on servers reach the API" in said
    assert "database.existingSecret: a Secret with the URL of a PostgreSQL database" in said
    assert "artifacts.existingClaim: a PersistentVolumeClaim" in said
    assert "keys.existingSecret" not in said.partition("required")[2]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("api.replicas=two", "at '/api/replicas': got string, want integer"),
        ("operator.leaseSeconds=1", "at '/operator/leaseSeconds': minimum: got 1, want 3"),
        ("operator.logLevel=LOUD", "at '/operator/logLevel': value must be one of 'DEBUG'"),
        ("agentApiUrl=agents", "at '/agentApiUrl': 'agents' does not match pattern"),
        ("database.url=sqlite:///x", "at '/database': additional properties 'url' not allowed"),
        ("databse.existingSecret=x", "at '': additional properties 'databse' not allowed"),
        ("keys.existingSecret=A_B", "at '/keys/existingSecret': 'A_B' does not match pattern"),
        ("api.trustedProxies[0]=all", "at '/api/trustedProxies/0': 'all' does not match"),
        ("api.service.type=Magic", "at '/api/service/type': value must be one of 'ClusterIP'"),
    ],
)
def test_a_bad_value_is_refused_by_name(helm: Tool, values: Path, setting: str, said: str) -> None:
    assert said in template(helm, "-f", str(values), "--set", setting)


def test_an_old_cluster_is_refused(helm: Tool, values: Path) -> None:
    said = template(helm, "-f", str(values), "--kube-version", "1.31.0")
    assert "chart requires kubeVersion: >=1.32.0-0" in said


def test_every_value_has_a_default_and_a_schema(project: ProjectLayout) -> None:
    folder = project.root / "charts" / "hydracore"
    schema = yaml.safe_load((folder / "values.schema.json").read_text())
    default = yaml.safe_load((folder / "values.yaml").read_text())

    def compare(node: JSON, value: JSON, where: str) -> None:
        assert node["additionalProperties"] is False, where
        assert set(node["properties"]) - {"global"} == set(value), where
        for name, child in node["properties"].items():
            if "properties" in child:
                compare(child, value[name], f"{where}.{name}")

    compare(schema, default, "")


def test_the_definitions_are_ours_and_stay_when_it_is_uninstalled(chart: list[JSON]) -> None:
    found = {d["metadata"]["name"]: d for d in chart if d["kind"] == "CustomResourceDefinition"}
    assert set(found) == {kind.KIND.crd_name for kind in KINDS}
    for kind in KINDS:
        rendered = found[kind.KIND.crd_name]
        assert rendered["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert rendered == definition(kind)


def test_text_that_looks_like_a_template_comes_out_as_it_is(
    helm: Tool, values: Path, project: ProjectLayout, tmp_path: Path
) -> None:
    odd = definition(KINDS[0])
    wanted = "like {{ .Values.x }} or {{- end }}"
    odd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = wanted
    source = project.root / "charts" / "hydracore"
    for name in ("Chart.yaml", "values.yaml", "templates/_helpers.tpl"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        target.write_text((source / name).read_text())
    (tmp_path / "templates" / "odd.yaml").write_text(chart_template(odd))
    (rendered,) = load(helm("template", "x", str(tmp_path), "-f", str(values)).stdout)
    found = rendered["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"]
    assert found == wanted


def test_definitions_and_peoples_roles_can_be_left_out(render: Render) -> None:
    less = render("--set", "crds.install=false,rbac.people=false,networkPolicy.enabled=false")
    kinds = [d["kind"] for d in less]
    assert "CustomResourceDefinition" not in kinds
    assert "NetworkPolicy" not in kinds
    assert kinds.count("ClusterRole") == 2


def test_the_migration_comes_before_everything_and_needs_nothing_of_the_release(
    chart: list[JSON],
) -> None:
    job = only(chart, "Job")
    hooks = job["metadata"]["annotations"]["helm.sh/hook"]
    assert set(hooks.split(",")) == {"pre-install", "pre-upgrade"}
    spec = job["spec"]["template"]["spec"]
    assert "serviceAccountName" not in spec
    (container,) = spec["containers"]
    assert "envFrom" not in container
    assert container["args"] == ["migrate"]
    variable = {"name": "HYDRACORE_DATABASE_URL"}
    reference = {"secretKeyRef": {"name": "my-database", "key": "url"}}
    assert container["env"] == [{**variable, "valueFrom": reference}]


def test_the_tables_owner_migrates_and_gives_the_services_role_its_rights(render: Render) -> None:
    objects = render("--set", "migration.existingSecret=owner,migration.grantTo=hydracore_app")
    (container,) = only(objects, "Job")["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["migrate", "--grant-to", "hydracore_app"]
    reference = {"secretKeyRef": {"name": "owner", "key": "url"}}
    assert container["env"] == [{"name": "HYDRACORE_DATABASE_URL", "valueFrom": reference}]
    operator = only(objects, "Deployment", "-operator")["spec"]["template"]["spec"]
    urls = [
        variable["valueFrom"]["secretKeyRef"]["name"]
        for variable in operator["containers"][0]["env"]
        if variable["name"] == "HYDRACORE_DATABASE_URL"
    ]
    assert urls == ["my-database"]


def test_every_pod_has_the_named_image(render: Render) -> None:
    objects = render("--set", "image.repository=mine/hc,image.tag=1.2.3,image.pullSecrets={a,b}")
    found = pods(objects)
    assert {name.removeprefix("trial-hydracore-") for name in found} == {
        *("operator", "api", "migrate", "test-ready"),
    }
    for pod in found.values():
        assert [c["image"] for c in pod["spec"]["containers"]] == ["mine/hc:1.2.3"]
        assert pod["spec"]["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]


def test_the_longest_names_fit(render: Render) -> None:
    for document in render("--set", f"fullnameOverride={'x' * 48}"):
        if document["kind"] != "CustomResourceDefinition":
            assert len(document["metadata"]["name"]) <= 63


def test_the_test_asks_the_api_through_its_service(render: Render) -> None:
    objects = render("--set", "api.service.port=8888")
    service = only(objects, "Service")["metadata"]["name"]
    (container,) = only(objects, "Pod")["spec"]["containers"]
    assert container["command"][-1] == f"http://{service}:8888/readyz"


def test_the_policy_lets_in_whom_it_names_and_the_chart_s_test(render: Render) -> None:
    objects = render("--set", "networkPolicy.apiFrom[0].namespaceSelector.matchLabels.name=ingress")
    (rule,) = only(objects, "NetworkPolicy", "-api")["spec"]["ingress"]
    assert rule["from"][0] == {"namespaceSelector": {"matchLabels": {"name": "ingress"}}}
    test_labels = only(objects, "Pod")["metadata"]["labels"]
    assert rule["from"][1]["podSelector"]["matchLabels"].items() <= test_labels.items()
    assert only(objects, "NetworkPolicy", "-operator")["spec"]["ingress"] == []


def test_a_change_of_the_settings_starts_new_pods(chart: list[JSON], render: Render) -> None:
    changed = render("--set", "clusterName=other")
    for service in ("operator", "api"):
        before, after = (
            only(objects, "Deployment", f"-{service}")["spec"]["template"]["metadata"]
            for objects in (chart, changed)
        )
        assert before["labels"] == after["labels"]
        assert before["annotations"] != after["annotations"]


def test_the_notes_name_what_to_do_next(cluster_helm: Tool, values: Path) -> None:
    told = ["install", "trial", "charts/hydracore", "-n", "there", "-f", str(values)]
    said = cluster_helm(*told, "--dry-run=client").stdout.partition("NOTES:")[2]
    assert "kubectl -n there rollout status deployment/trial-hydracore-api" in said
    assert "https://agents.example.org" in said
