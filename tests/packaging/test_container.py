"""The Containerfile, as far as it can be tested without building an image."""

from __future__ import annotations

import fnmatch
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hydracore_devcluster.layout import ProjectLayout
from tests.packaging.support import JSON, pods, service_container

Instruction = tuple[str, str]


@pytest.fixture
def instructions(project: ProjectLayout) -> list[Instruction]:
    text = (project.root / "Containerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in joined.splitlines()]


def of(instructions: list[Instruction], name: str) -> list[str]:
    return [rest for instruction, rest in instructions if instruction == name]


def copied(instructions: list[Instruction]) -> list[str]:
    """Return what is copied out of the checkout."""
    found: list[str] = []
    for rest in of(instructions, "COPY"):
        if not rest.startswith("--from="):
            found += shlex.split(rest)[:-1]
    return found


def ignored(project: ProjectLayout, path: str) -> bool:
    """Return whether .containerignore leaves a path out: the last pattern that fits decides."""
    decided = False
    for line in (project.root / ".containerignore").read_text().splitlines():
        if line and not line.startswith("#") and fits(line.removeprefix("!"), path):
            decided = not line.startswith("!")
    return decided


def fits(pattern: str, path: str) -> bool:
    """Return whether a pattern fits a path or a folder above it."""
    parts, wanted = path.split("/"), pattern.split("/")
    if wanted[0] == "**":
        return any(fnmatch.fnmatch(part, wanted[1]) for part in parts)
    return len(parts) >= len(wanted) and all(map(fnmatch.fnmatch, parts, wanted))


def test_what_it_copies_is_there_and_not_ignored(
    instructions: list[Instruction], project: ProjectLayout
) -> None:
    paths = copied(instructions)
    assert len(paths) > 10
    for path in paths:
        assert (project.root / path).exists(), path
        assert not ignored(project, path), path
    for path in (".git", ".venv", ".hydracore", "tests", "docs", "crds/bundles.yaml"):
        assert ignored(project, path), path
    assert ignored(project, "core/hydracore_core/__pycache__")


def test_it_copies_every_package_and_what_describes_them(
    instructions: list[Instruction], project: ProjectLayout
) -> None:
    described = tomllib.loads((project.root / "pyproject.toml").read_text())
    packages = described["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    files = {"pyproject.toml", "requirements.lock", described["project"]["readme"]}
    assert {*packages, *files} <= set(copied(instructions))


def test_everything_that_is_installed_is_pinned(instructions: list[Instruction]) -> None:
    bases = of(instructions, "FROM")
    assert {base.split(" ")[0] for base in bases} == {"python:3.11.14-slim-bookworm"}
    installs = [r for r in of(instructions, "RUN") if "pip install" in r]
    assert len(installs) == 3
    tool, dependencies, project = installs
    for install in (tool, dependencies):
        assert "--require-hashes" in install
        assert "--only-binary :all:" in install
    assert "--constraint requirements.lock --requirement pyproject.toml" in dependencies
    assert "--no-deps --build-constraints scripts/build.txt ." in project


def test_the_lock_has_a_hash_for_all_that_the_image_needs(project: ProjectLayout) -> None:
    lock = (project.root / "requirements.lock").read_text()
    pinned = set(re.findall(r"^([a-z0-9._-]+)==[^ ]+.* \\$", lock, re.MULTILINE))
    described = tomllib.loads((project.root / "pyproject.toml").read_text())
    wanted = {re.split(r"[\[>=<]", d)[0] for d in described["project"]["dependencies"]}
    assert wanted - {"hydracore"} <= pinned


def test_nobody_runs_it_as_root(
    instructions: list[Instruction], chart: list[JSON], kustomized: list[JSON]
) -> None:
    (user,) = of(instructions, "USER")
    for objects in (chart, kustomized):
        for pod in pods(objects).values():
            security = pod["spec"]["securityContext"]
            assert f"{security['runAsUser']}:{security['runAsGroup']}" == user


def test_the_ports_fit(instructions: list[Instruction], chart: list[JSON]) -> None:
    (ports,) = of(instructions, "EXPOSE")
    found = {service_container(chart, s)["ports"][0]["containerPort"] for s in ("api", "operator")}
    assert {int(port) for port in ports.split()} == found


def test_the_entry_commands_exist(
    instructions: list[Instruction], chart: list[JSON], kustomized: list[JSON]
) -> None:
    (entry,) = of(instructions, "ENTRYPOINT")
    assert entry == '["hydracore"]'
    commands = {
        container["args"][0]
        for objects in (chart, kustomized)
        for pod in pods(objects).values()
        for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
        if "args" in container
    }
    assert commands == {"operator", "api", "migrate"}
    program = Path(sys.executable).parent / "hydracore"
    for command in commands:
        done = subprocess.run(
            [program, command, "--help"], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert f"hydracore {command}" in done.stdout
