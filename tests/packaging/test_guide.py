"""docs/install.md: its commands are good for the chart, the manifests and the command line."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hydracore_devcluster.layout import ProjectLayout
from tests.conftest import Kubectl
from tests.packaging.support import Tool, environment, load, only, pods


@pytest.fixture
def guide(project: ProjectLayout) -> str:
    return (project.root / "docs" / "install.md").read_text()


def commands(guide: str) -> list[list[str]]:
    """Return the commands of all shell blocks, line by line."""
    blocks = re.findall(r"^```sh\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines]


def test_helm_takes_the_guide_s_values(guide: str, helm: Tool) -> None:
    (told,) = [c for c in commands(guide) if c[:2] == ["helm", "upgrade"]]
    assert told[:5] == ["helm", "upgrade", "--install", "hydracore", "charts/hydracore"]
    objects = load(helm("template", *told[3:]).stdout)
    assert only(objects, "Deployment", "-api")["metadata"]["name"] == "hydracore-api"
    for pod in pods(objects).values():
        for container in pod["spec"]["containers"]:
            assert container["image"] == "example.org/hydracore:0.1.0"


def test_the_overlay_of_the_guide_works(
    guide: str, kubectl: Kubectl, project: ProjectLayout, tmp_path: Path
) -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    (tmp_path / "manifests").symlink_to(project.manifests)
    (tmp_path / "crds").symlink_to(project.crds)
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "kustomization.yaml").write_text(text)
    built = kubectl("kustomize", str(tmp_path / "overlay"), check=True).stdout
    objects = load(built)
    env = environment(objects, "operator")
    assert env["HYDRACORE_AGENT_API_URL"] == "https://hydracore.example.org"
    assert env["HYDRACORE_ARTIFACTS_URL"] == "file:///var/lib/hydracore/artifacts"
    assert "image: hydracore:" not in built


def test_every_command_of_ours_exists(guide: str) -> None:
    ours = [c[c.index("hydracore") :] for c in commands(guide) if "hydracore" in c]
    ours = [c for c in ours if c[1:2] in (["bundle"], ["keys"])]
    assert len(ours) == 5
    program = Path(sys.executable).parent / "hydracore"
    for command in ours:
        told = [str(program), *command[1:3], "--help"]
        done = subprocess.run(told, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, command
        for option in (word for word in command if word.startswith("--")):
            assert option in done.stdout, command


def test_the_secrets_have_the_keys_that_the_manifests_read(
    guide: str, project: ProjectLayout
) -> None:
    (made,) = [c for c in commands(guide) if "hydracore-keys" in c]
    given = {
        word.partition("=")[2].split("=")[0].rpartition("/")[2]
        for word in made
        if word.startswith("--from-file")
    }
    read: set[str] = set()
    for name in ("operator", "api"):
        text = (project.manifests / "workloads" / f"{name}.yaml").read_text()
        deployment = only(yaml.safe_load_all(text), "Deployment")
        volumes = deployment["spec"]["template"]["spec"]["volumes"]
        read |= {item["key"] for v in volumes for item in v.get("secret", {}).get("items", [])}
    assert given == read | {"ops-token"}
