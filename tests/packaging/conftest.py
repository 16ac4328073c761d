"""Real helm and kubeconform, and what helm and kustomize make of the packaging."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hydracore_devcluster.build import provide_tools
from hydracore_devcluster.layout import ProjectLayout
from hydracore_devcluster.progress import Progress
from hydracore_devcluster.toolset import PACKAGING_TOOLS
from tests.conftest import Kubectl
from tests.packaging import schemas
from tests.packaging.support import JSON, VALUES, Tool, load

Render = Callable[..., list[JSON]]


@pytest.fixture(scope="session")
def tools(project: ProjectLayout, pytestconfig: pytest.Config) -> Path:
    """The folder of helm and kubeconform, built when they are missing (with progress shown)."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        return provide_tools(PACKAGING_TOOLS, project, os.environ, Progress(sys.stderr))


@pytest.fixture(scope="session")
def helm(tools: Path, project: ProjectLayout, tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """Helm without anybody's settings, and without a cluster."""
    home = tmp_path_factory.mktemp("helm")
    return Tool(tools / "helm", {"PATH": os.defpath, "HOME": str(home)}, project.root)


@pytest.fixture(scope="session")
def cluster_helm(helm: Tool, admin_kubeconfig: str) -> Tool:
    """Helm on the real API server, as administrator."""
    return Tool(helm.path, {**helm.env, "KUBECONFIG": admin_kubeconfig}, helm.cwd)


@pytest.fixture(scope="session")
def values(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the least values."""
    path = tmp_path_factory.mktemp("values") / "values.yaml"
    path.write_text(yaml.safe_dump(VALUES))
    return path


@pytest.fixture(scope="session")
def render(helm: Tool, values: Path) -> Render:
    """``render("--set", "a=b")`` returns the chart's objects of release ``trial`` in ``there``."""

    def run(*args: str) -> list[JSON]:
        told = ["template", "trial", "charts/hydracore", "-n", "there", "-f", str(values), *args]
        return load(helm(*told).stdout)

    return run


@pytest.fixture(scope="session")
def chart(render: Render) -> list[JSON]:
    """The chart with the least values."""
    return render()


@pytest.fixture(scope="session")
def kustomized(kubectl: Kubectl) -> list[JSON]:
    """The objects of manifests/."""
    return load(kubectl("kustomize", "manifests", check=True).stdout)


@pytest.fixture(scope="session")
def kind_kustomized(kubectl: Kubectl) -> list[JSON]:
    """The objects of kind/."""
    return load(kubectl("kustomize", "kind", check=True).stdout)


@pytest.fixture(scope="session")
def kubeconform(
    tools: Path, project: ProjectLayout, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Any]:
    """Kubeconform with our schemas and the API server's: ``kubeconform(yaml_text)``."""
    folder = tmp_path_factory.mktemp("schemas")
    files = sorted(project.crds.glob("*.yaml"))
    schemas.from_definitions([yaml.safe_load(f.read_text()) for f in files], folder)
    for path in schemas.CORE:
        served = kubectl("get", "--raw", f"/openapi/v3/{path}", check=True).stdout
        schemas.from_openapi(json.loads(served), folder)
    tool = Tool(tools / "kubeconform", {"PATH": os.defpath}, project.root)
    location = str(folder / schemas.LOCATION)

    def run(text: str, *, check: bool = True) -> JSON:
        told = ["-strict", "-summary", "-output", "json", "-schema-location", location, "-"]
        return dict(json.loads(tool(*told, said=text, check=check).stdout))

    return run


@pytest.fixture
def suffix() -> str:
    """Something that no other test has in its names.

    It begins with a letter: digits alone would be a number to whoever reads it from YAML.
    """
    return f"x{secrets.token_hex(3)}"
