"""Other people's kubeconfigs: what is wrong is said, with the file's name."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from hydracore_devcluster import kubeconfig
from hydracore_devcluster.errors import BrokenKubeconfigError

GOOD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "here",
    "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
}


def write(path: Path, **changes: Any) -> Path:
    file = path / "config"
    file.write_text(yaml.safe_dump({**GOOD, **changes}))
    return file


def test_a_good_one(tmp_path: Path) -> None:
    assert kubeconfig.read_cluster(write(tmp_path)) == {"server": "https://127.0.0.1:1"}


def test_a_ca_beside_it_is_read_in(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(b"pem")
    cluster = {"server": "https://x", "certificate-authority": "ca.crt"}
    found = kubeconfig.read_cluster(write(tmp_path, clusters=[{"name": "c", "cluster": cluster}]))
    assert found == {
        "server": "https://x",
        "certificate-authority-data": base64.b64encode(b"pem").decode(),
    }


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"current-context": None}, "current-context is not set"),
        ({"current-context": "there"}, "contexts has no usable entry named 'there'"),
        ({"contexts": None}, "contexts has no usable entry named 'here'"),
        ({"contexts": ["here"]}, "contexts has no usable entry named 'here'"),
        ({"clusters": []}, "clusters has no usable entry named 'c'"),
        ({"users": []}, "users has no usable entry named 'u'"),
        ({"clusters": [{"name": "c", "cluster": {}}]}, "cluster 'c' names no server"),
        (
            {
                "clusters": [
                    {"name": "c", "cluster": {"server": "s", "certificate-authority": "gone.crt"}}
                ]
            },
            "cannot be read: No such file",
        ),
    ],
)
def test_broken_ones(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    file = write(tmp_path, **changes)
    with pytest.raises(BrokenKubeconfigError) as caught:
        kubeconfig.read_cluster(file)
    assert problem in caught.value.problem
    assert str(file) in str(caught.value)
    assert "unset KUBECONFIG" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: [1\nb: 2\n", "it is not YAML in line 2"),
        (b"just text", "it holds no mapping"),
        (b"", "it holds no mapping"),
        (b"\xff\xfe\x00", "it is not a text file"),
    ],
)
def test_files_that_are_something_else(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "config"
    file.write_bytes(content)
    with pytest.raises(BrokenKubeconfigError, match=problem):
        kubeconfig.read_cluster(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BrokenKubeconfigError, match="cannot be read: No such file"):
        kubeconfig.read_cluster(tmp_path / "config")


def test_ours_are_for_the_owners_eyes(tmp_path: Path) -> None:
    file = tmp_path / "mine"
    cluster = {"server": "https://127.0.0.1:2"}
    kubeconfig.write(file, cluster=cluster, user="me", token="secret", namespace="ns")
    assert file.stat().st_mode & 0o777 == 0o600
    assert kubeconfig.read_cluster(file) == cluster
