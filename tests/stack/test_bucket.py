"""A whole stack whose artifacts are in a bucket: published, fetched by signed URLs, deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hydracore_agent.layout import Layout
from hydracore_artifacts.store import ArtifactStore
from hydracore_cli.stack.env_file import read_env
from hydracore_cli.stack.layout import layout_of
from hydracore_devcluster.assets import Assets
from hydracore_operator.providers.local.record import records
from tests.stack.test_stack import Stack, command, load_kubectl, wait_for
from tests.support.s3.server import S3Server

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def url(s3: S3Server) -> str:
    return f"s3://{s3.bucket()}/hydracore"


@pytest.fixture(scope="module")
def stack(
    assets: Assets, s3: S3Server, url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/",
        "KUBEBUILDER_ASSETS": str(assets.kube_apiserver.parent),
        "HYDRACORE_ARTIFACTS_SIGNED_URLS": "true",
        **s3.environment(url),
    }
    layout = layout_of(tmp_path_factory.mktemp("bucket"))
    done = command(environ, "up", "--state-dir", str(layout.state_dir))
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield Stack(layout, environ, done.stdout)
    finally:
        command(environ, "down", "--state-dir", str(layout.state_dir))


def test_from_publishing_to_deletion_without_a_secret_on_the_way(
    stack: Stack, s3: S3Server, url: str, tmp_path: Path
) -> None:
    kubectl = load_kubectl(stack)
    assert not list((stack.layout.root / "artifacts").glob("**/*")), "nothing is in a folder"
    assert stored(s3, url, "sha256")
    publish(stack, tmp_path)
    ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}'
    wait_for(
        lambda: kubectl("get", "bundle", "runtime-expressclaw-0.9.0", "-o", ready) == "Verified",
        60,
        "the operator to verify what lies in the bucket",
    )
    with stack.rest() as rest:
        instance = run(rest)
        where = redirected(stack, kubectl)
        assert where.startswith(f"{s3.endpoint}/")
        artifacts = ArtifactStore(url, s3.access).instances
        asyncio.run(artifacts.put(instance["id"], "diagnostics/first.json", b"{}"))
        assert stored(s3, url, "instances")
        seen = everything(stack, kubectl)
        assert rest.delete(f"/v1/instances/{instance['id']}").status_code in {200, 202}
        wait_for(lambda: not kubectl("get", "instances", "-A", "-o", "name"), 90, "its end")
    assert not stored(s3, url, "instances")
    assert stored(s3, url, "sha256"), "bundles stay"
    for text in (seen, everything(stack, kubectl), stack.first_output):
        assert s3.credentials.secret_access_key not in text
        assert s3.credentials.access_key_id not in text
        assert "X-Amz-Signature" not in text
    env = read_env(stack.layout.env)
    assert env["HYDRACORE_ARTIFACTS_URL"] == url


def publish(stack: Stack, folder: Path) -> None:
    """A second runtime, by the command line."""
    bundle = folder / "bundle.tar.gz"
    told = ("--version", "0.9.0", "--out", str(bundle))
    assert command(stack.environ, "bundle", "build", *told).returncode == 0
    for verb in ("sign", "publish"):
        done = stack.run("bundle", verb, str(bundle))
        assert done.returncode == 0, done.stdout + done.stderr


def run(rest: httpx.Client) -> dict[str, Any]:
    body = {"tier_id": "local-small", "region_id": "local", "agent_name": "Ada"}
    created = rest.post("/v1/instances", json=body)
    assert created.status_code == 202, created.text
    path = f"/v1/instances/{created.json()['instance_id']}"
    found: dict[str, Any] = wait_for(
        lambda: (a := rest.get(path).json())["status"] == "running" and a, 90, "running"
    )
    return found


def redirected(stack: Stack, kubectl: Any) -> str:
    """Ask for a bundle as the agent does; return where the API sends it."""
    (folder,) = [folder for folder, _ in records(stack.layout.servers)]
    key = Layout(folder).agent_key.read_text().strip()
    query = "jsonpath={.items[0].spec.artifact.sha256}"
    path = f"/agent/v1/bundles/{kubectl('get', 'bundles', '-o', query)}"
    base = read_env(stack.layout.env)["HYDRACORE_API_URL"]
    answer = httpx.get(base + path, headers={"Authorization": f"Bearer {key}"}, trust_env=False)
    assert answer.status_code == 307
    return answer.headers["Location"]


def stored(s3: S3Server, url: str, kind: str) -> list[str]:
    root = s3.buckets / url.removeprefix("s3://") / kind
    return [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]


def everything(stack: Stack, kubectl: Any) -> str:
    """All that the stack has written down: files, logs, custom resources."""
    kinds = "instances,bundles,rollouts,rollouttargets,events,configmaps"
    texts = [kubectl("get", kinds, "-A", "-o", "yaml")]
    texts += [
        path.read_bytes().decode(errors="replace")
        for path in stack.layout.state_dir.rglob("*")
        if path.is_file() and not path.is_symlink() and "releases" not in path.parts
    ]
    return "\n".join(texts)
