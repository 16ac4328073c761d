"""The object store of an installation: a volume or a bucket, with no more rights than needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from hydracore_artifacts.location import Credentials
from hydracore_artifacts.store import ArtifactStore
from hydracore_devcluster.layout import ProjectLayout
from tests.conftest import Kubectl
from tests.packaging.conftest import Render
from tests.packaging.support import (
    JSON,
    S3,
    SERVICES,
    Tool,
    environment,
    load,
    only,
    pod_spec,
    service_container,
)
from tests.packaging.test_settings import SECRETS, settings

FOLDER = "/var/lib/hydracore/artifacts"
OVERLAY = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../manifests]
components: [../manifests/s3]
patches:
  - patch: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: hydracore-settings, namespace: hydracore-system}
      data:
        HYDRACORE_ARTIFACTS_URL: s3://my-bucket/hydracore
        HYDRACORE_ARTIFACTS_S3_ENDPOINT: https://account.r2.example.com
        HYDRACORE_ARTIFACTS_S3_REGION: auto
"""


@pytest.fixture
def bucket_kustomized(kubectl: Kubectl, project: ProjectLayout, tmp_path: Path) -> list[JSON]:
    (tmp_path / "manifests").symlink_to(project.manifests)
    (tmp_path / "crds").symlink_to(project.crds)
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "kustomization.yaml").write_text(OVERLAY)
    return load(kubectl("kustomize", str(tmp_path / "overlay"), check=True).stdout)


@pytest.fixture
def bucket_chart(render: Render) -> list[JSON]:
    return render("--set-json", f"artifacts={S3}")


@pytest.fixture(params=["bucket_chart", "bucket_kustomized"])
def objects(request: pytest.FixtureRequest) -> list[JSON]:
    found: list[JSON] = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_the_services_open_the_bucket_and_no_volume(
    objects: list[JSON], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, _ = settings(objects, service, monkeypatch)
    assert taken.artifacts_url == "s3://my-bucket/hydracore"
    access = taken.s3_access()
    assert (access.endpoint, access.region) == ("https://account.r2.example.com", "auto")
    assert access.credentials == Credentials(
        SECRETS["HYDRACORE_ARTIFACTS_S3_ACCESS_KEY_ID"],
        SECRETS["HYDRACORE_ARTIFACTS_S3_SECRET_ACCESS_KEY"],
    )
    assert ArtifactStore.of(taken).signs_urls
    pod = pod_spec(only(objects, "Deployment", f"-{service}"))
    assert pod is not None
    assert {v["name"] for v in pod["volumes"]} == {"tmp", "keys"}
    mounts = service_container(objects, service)["volumeMounts"]
    assert FOLDER not in {m["mountPath"] for m in mounts}


def test_the_chart_s_objects_are_valid(bucket_chart: list[JSON], kubeconform: object) -> None:
    assert callable(kubeconform)
    own = [d for d in bucket_chart if d["kind"] != "CustomResourceDefinition"]
    summary = kubeconform(yaml.safe_dump_all(own))["summary"]
    assert (summary["invalid"], summary["errors"], summary["skipped"]) == (0, 0, 0)


def test_the_api_may_have_a_key_pair_that_only_reads(bucket_chart: list[JSON]) -> None:
    def secret(service: str) -> set[str]:
        names = {}
        for variable in service_container(bucket_chart, service)["env"]:
            if variable["name"].startswith("HYDRACORE_ARTIFACTS_S3"):
                names[variable["name"]] = variable["valueFrom"]["secretKeyRef"]["name"]
        assert len(names) == 2
        return set(names.values())

    assert secret("operator") == {"my-bucket"}
    assert secret("api") == {"my-bucket-read"}


def test_signed_urls_are_the_api_s_affair(
    bucket_chart: list[JSON], chart: list[JSON], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, _ = settings(bucket_chart, "api", monkeypatch)
    assert (taken.artifacts_signed_urls, taken.artifacts_signed_url_seconds) == (True, 300)
    name = "HYDRACORE_ARTIFACTS_SIGNED_URLS"
    assert name not in environment(bucket_chart, "operator")
    assert name not in environment(chart, "api")


@pytest.mark.parametrize("which", ["chart", "kustomized", "kind_kustomized"])
def test_of_a_volume_the_api_reads_and_the_operator_deletes(
    which: str, request: pytest.FixtureRequest
) -> None:
    found = request.getfixturevalue(which)
    for service, reads_only in (("operator", False), ("api", True)):
        mounts = {m["mountPath"]: m for m in service_container(found, service)["volumeMounts"]}
        assert mounts[FOLDER].get("readOnly", False) is reads_only, service


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"existingClaim": "mine"}, "are both given: the store is one of them"),
        ({"s3": {"existingSecret": ""}}, "artifacts.s3.existingSecret: a Secret with the key pair"),
        ({"s3": {"endpoint": "http://minio:9000"}}, "signedUrls needs artifacts.s3.url, and an"),
        ({"s3": {"url": ""}}, "signedUrls needs artifacts.s3.url"),
        ({"s3": {"url": "s3://key:word@bucket"}}, "does not match pattern"),
        ({"s3": {"url": "https://bucket"}}, "does not match pattern"),
        ({"s3": {"signedUrlSeconds": 5}}, "minimum: got 5, want 10"),
    ],
)
def test_what_does_not_go_together_is_refused(
    helm: Tool, values: Path, change: JSON, said: str
) -> None:
    told = json.loads(S3)
    told["s3"] |= change.get("s3", {})
    told["existingClaim"] = change.get("existingClaim", "" if told["s3"]["url"] else "mine")
    args = ("-f", str(values), "--set-json", f"artifacts={json.dumps(told)}")
    done = helm("template", "trial", "charts/hydracore", *args, check=False)
    assert done.returncode != 0
    assert said in done.stderr
