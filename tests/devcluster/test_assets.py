"""Folders of binaries."""

from __future__ import annotations

from pathlib import Path

import pytest

from hydracore_devcluster.assets import assets_folder, from_folder
from hydracore_devcluster.errors import AssetsIncompleteError
from tests.devcluster.fakes import BINARIES, binaries, project


def test_built_binaries_are_complete(tmp_path: Path) -> None:
    found = from_folder(binaries(tmp_path, *BINARIES))
    assert found.etcd == tmp_path / "server"
    assert found.missing is None


def test_envtests_binaries_do_and_say_what_they_cannot(tmp_path: Path) -> None:
    found = from_folder(binaries(tmp_path, "etcd", "kube-apiserver", "kubectl"))
    assert found.etcd == tmp_path / "etcd"
    assert found.kube_controller_manager is None
    assert "deleted namespaces stay in Terminating" in str(found.missing)


@pytest.mark.parametrize("absent", ["etcd", "kube-apiserver", "kubectl"])
def test_what_is_absent_is_named(tmp_path: Path, absent: str) -> None:
    names = [n for n in ("etcd", "kube-apiserver", "kubectl") if n != absent]
    binaries(tmp_path, *names)
    with pytest.raises(AssetsIncompleteError) as caught:
        from_folder(tmp_path)
    assert f"{tmp_path} has no executable {absent}:" in str(caught.value)
    assert "KUBEBUILDER_ASSETS" in str(caught.value)


def test_a_file_that_cannot_run_does_not_count(tmp_path: Path) -> None:
    binaries(tmp_path, *BINARIES)
    (tmp_path / "kubectl").chmod(0o644)
    with pytest.raises(AssetsIncompleteError, match="kubectl"):
        from_folder(tmp_path)


def test_the_variable_goes_before_the_cache(tmp_path: Path) -> None:
    layout = project(tmp_path)
    assert assets_folder(layout, {}) == tmp_path / ".hydracore" / "cache" / "bin"
    assert assets_folder(layout, {"KUBEBUILDER_ASSETS": "/a"}) == Path("/a")
