"""The set-up scripts say what a machine lacks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hydracore_devcluster.layout import ProjectLayout
from tests.devcluster.fakes import program

NEEDED = ("bash", "dirname", "cut", "mkdir", "rm", "tail", "cat", "env", "sha256sum", "flock")
PINNED = "0.13.9"


@pytest.fixture
def machine(tmp_path: Path, project: ProjectLayout) -> Path:
    """A checkout's scripts, and a PATH with basic programs only, in ``path``."""
    shutil.copytree(project.root / "scripts", tmp_path / "scripts")
    folder = tmp_path / "path"
    folder.mkdir()
    for name in NEEDED:
        found = shutil.which(name)
        assert found is not None, name
        (folder / name).symlink_to(found)
    return tmp_path


def uv(machine: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [machine / "scripts" / "uv.sh", *args],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": str(machine / "path"), "HOME": str(machine)},
        check=False,
    )


def test_no_python_names_the_package(machine: Path) -> None:
    done = uv(machine, "--version")
    assert done.returncode == 1
    assert "there is no Python on PATH: apt-get install python3 python3-venv" in done.stderr


def test_an_old_python_is_named(machine: Path) -> None:
    program(machine / "path" / "python3", "exit 1")
    done = uv(machine, "--version")
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed, and of python3 none is" in done.stderr
    assert "apt-get install python3" in done.stderr


def test_a_python_without_venv_names_the_package(machine: Path) -> None:
    # Debian's python3 has the module venv, but no ensurepip until python3-venv is installed.
    missing = program(machine / "python3.11", 'case "$2" in *ensurepip*) exit 1 ;; esac')
    program(
        machine / "path" / "python3",
        f'case "$2" in *sys.executable*) echo {missing} ;; esac',
    )
    done = uv(machine, "--version")
    assert done.returncode == 1
    assert (
        f"{missing} cannot make virtual environments: apt-get install python3-venv" in done.stderr
    )


def test_the_pinned_uv_on_path_is_used(machine: Path) -> None:
    script = f'[ "$1" = --version ] && echo "uv {PINNED}" || echo "called with $*"'
    program(machine / "path" / "uv", script)
    assert uv(machine, "pip", "sync").stdout == "called with pip sync\n"


def test_another_uv_on_path_is_not_used(machine: Path) -> None:
    program(machine / "path" / "uv", "echo uv 0.1.0")
    own = machine / ".hydracore" / "tools" / "uv" / "bin" / "uv"
    script = f'[ "$1" = --version ] && echo "uv {PINNED}" || echo "own $*"'
    program(own, script)
    assert uv(machine, "pip").stdout == "own pip\n"


def test_the_pins_agree(project: ProjectLayout) -> None:
    scripts = project.root / "scripts"
    assert f"uv=={PINNED} " in (scripts / "uv.txt").read_text()
    assert f"pinned={PINNED}\n" in (scripts / "uv.sh").read_text()
