"""Packages of benchmarks, with a uv that only pretends."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from bench.packages import LOCK, PackagesMissingError, provide, python_path
from hydracore_devcluster.layout import ProjectLayout
from hydracore_devcluster.progress import Progress
from tests.devcluster.fakes import program


@pytest.fixture
def layout(tmp_path: Path) -> ProjectLayout:
    found = ProjectLayout(tmp_path)
    (tmp_path / LOCK).parent.mkdir()
    (tmp_path / LOCK).write_text("celery==1\n")
    program(
        tmp_path / "scripts" / "uv.sh",
        f'while [ "$1" != --target ]; do shift; done; mkdir -p "$2"; echo "$@" >> {tmp_path}/runs',
    )
    return found


def runs(layout: ProjectLayout) -> int:
    return len((layout.root / "runs").read_text().splitlines())


def test_they_are_installed_once_and_again_when_others_are_pinned(layout: ProjectLayout) -> None:
    out = io.StringIO()
    first = provide(layout, Progress(out))
    assert provide(layout, Progress(out)) == first
    assert runs(layout) == 1
    assert "installing what only benchmarks need" in out.getvalue()
    (layout.root / LOCK).write_text("celery==2\n")
    provide(layout, Progress(out))
    assert runs(layout) == 2


def test_a_failure_quotes_uv_and_is_tried_again(layout: ProjectLayout) -> None:
    program(layout.root / "scripts" / "uv.sh", "echo 'no such version' >&2; exit 1")
    for _ in range(2):
        with pytest.raises(PackagesMissingError, match="no such version"):
            provide(layout, Progress(io.StringIO()))


def test_they_come_before_the_project_on_the_path(layout: ProjectLayout) -> None:
    assert python_path(layout, Path("/packages")) == f"/packages:{layout.root}"
