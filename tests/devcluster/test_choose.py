"""Which cluster is used: KUBECONFIG's or one of our own."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from hydracore_devcluster.choose import choose_cluster
from hydracore_devcluster.cluster import DevCluster
from hydracore_devcluster.errors import BrokenKubeconfigError
from hydracore_devcluster.external import ExternalCluster
from hydracore_devcluster.interface import Cluster
from hydracore_devcluster.progress import Progress
from tests.devcluster.fakes import BINARIES, binaries, project


def choose(tmp_path: Path, **environ: str) -> Cluster:
    folder = binaries(tmp_path / "bin", *BINARIES)
    return choose_cluster(
        project(tmp_path / "project"),
        tmp_path / "state",
        {"KUBEBUILDER_ASSETS": str(folder), **environ},
        Progress(io.StringIO()),
    )


def test_one_of_our_own_is_the_rule(tmp_path: Path) -> None:
    assert isinstance(choose(tmp_path), DevCluster)


def test_an_empty_variable_names_nothing(tmp_path: Path) -> None:
    assert isinstance(choose(tmp_path, KUBECONFIG=""), DevCluster)


def test_kubeconfig_names_another(tmp_path: Path) -> None:
    found = choose(tmp_path, KUBECONFIG=str(tmp_path / "theirs"))
    assert isinstance(found, ExternalCluster)
    assert found.admin_kubeconfig == tmp_path / "theirs"
    assert found.kubectl == tmp_path / "bin" / "kubectl"
    assert found.missing is None


def test_our_own_kubeconfig_means_our_own_cluster(tmp_path: Path) -> None:
    own = tmp_path / "state" / "kubeconfigs" / "admin.yaml"
    assert isinstance(choose(tmp_path, KUBECONFIG=str(own)), DevCluster)


def test_several_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenKubeconfigError, match="several files"):
        choose(tmp_path, KUBECONFIG="/a:/b")
