"""kind-config.yaml, the folder kind/ and the manifests fit each other."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from hydracore_devcluster.layout import ProjectLayout
from tests.packaging.support import JSON, environment, only, pod_spec


@pytest.fixture
def node(project: ProjectLayout) -> JSON:
    config = yaml.safe_load((project.root / "kind-config.yaml").read_text())
    assert (config["kind"], config["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")
    (found,) = config["nodes"]
    return dict(found)


def test_the_api_s_port_comes_to_this_machine(node: JSON, kind_kustomized: list[JSON]) -> None:
    (mapping,) = node["extraPortMappings"]
    service = only(kind_kustomized, "Service", "-api")["spec"]
    assert service["type"] == "NodePort"
    (port,) = service["ports"]
    assert port["nodePort"] == mapping["containerPort"]
    assert mapping["listenAddress"] == "127.0.0.1"


def test_the_store_is_a_folder_of_this_machine(node: JSON, kind_kustomized: list[JSON]) -> None:
    (mount,) = node["extraMounts"]
    volume = only(kind_kustomized, "PersistentVolume")
    assert volume["spec"]["hostPath"]["path"] == mount["containerPath"]
    claim = only(kind_kustomized, "PersistentVolumeClaim")
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    assert claim["spec"]["accessModes"] == volume["spec"]["accessModes"]
    place = {k: claim["metadata"][k] for k in ("name", "namespace")}
    assert volume["spec"]["claimRef"] == place
    for service in ("operator", "api"):
        spec: Any = pod_spec(only(kind_kustomized, "Deployment", f"-{service}"))
        claims = [v["persistentVolumeClaim"] for v in spec["volumes"] if "persistentV" in str(v)]
        assert claims == [{"claimName": place["name"]}]


def test_the_database_is_the_one_that_the_guide_names(
    kind_kustomized: list[JSON], project: ProjectLayout
) -> None:
    service = only(kind_kustomized, "Service", "-postgres")
    host, port = service["metadata"]["name"], service["spec"]["ports"][0]["port"]
    guide = (project.root / "docs" / "install.md").read_text()
    assert f"@{host}:{port}/hydracore" in guide
    (container,) = only(kind_kustomized, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    given = {e["name"]: e.get("value", e.get("valueFrom")) for e in container["env"]}
    reference = {"secretKeyRef": {"name": "hydracore-database", "key": "password"}}
    assert given["POSTGRES_PASSWORD"] == reference
    assert given["POSTGRES_USER"] == given["POSTGRES_DB"] == "hydracore"
    assert environment(kind_kustomized, "api")["HYDRACORE_DATABASE_URL"] is None
