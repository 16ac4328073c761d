"""A broken kubeconfig is refused with the file and the fault, and without its secrets."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from hydracore_kube import KubeClient, KubeconfigError

GOOD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:6443"}}],
    "users": [{"name": "u", "user": {"token": "s3cr3t-token"}}],
    "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
}


async def _fault(path: Path) -> str:
    with pytest.raises(KubeconfigError) as caught:
        await KubeClient.connect(str(path), field_manager="t")
    assert str(path) in caught.value.message
    assert "s3cr3t" not in caught.value.message
    return caught.value.message


async def test_a_good_one_connects(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(GOOD))
    await (await KubeClient.connect(str(path), field_manager="t")).close()


async def test_a_missing_file(tmp_path: Path) -> None:
    assert "no such file" in await _fault(tmp_path / "nowhere")


async def test_a_directory(tmp_path: Path) -> None:
    await _fault(tmp_path)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("users:\n- {name: u, user: {token: s3cr3t\n", "no YAML"),
        ("", "no mapping"),
        ("just words", "no mapping"),
        ("- a\n- b\n", "no mapping"),
        ("\x00\x01", "no YAML|cannot be used"),
    ],
)
async def test_text_that_is_no_kubeconfig(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    message = await _fault(path)
    assert any(part in message for part in fault.split("|")), message


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"current-context": "other"}, "other"),
        ({"contexts": []}, "context"),
        ({"contexts": None}, ""),
        ({"clusters": [{"name": "k", "cluster": {}}]}, "server"),
        ({"clusters": [{"name": "k", "cluster": {"server": "127.0.0.1:6443"}}]}, "https://"),
        (
            {
                "clusters": [
                    {
                        "name": "k",
                        "cluster": {"server": "https://x", "certificate-authority": "ca.pem"},
                    }
                ]
            },
            "ca.pem",
        ),
        (
            {
                "clusters": [
                    {
                        "name": "k",
                        "cluster": {
                            "server": "https://x",
                            "certificate-authority-data": base64.b64encode(b"no pem").decode(),
                        },
                    }
                ]
            },
            "certificate",
        ),
    ],
)
async def test_content_that_cannot_be_used(
    tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump({**GOOD, **change}))
    assert fault in await _fault(path)


async def test_without_a_file_outside_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(KubeconfigError, match="HYDRACORE_KUBECONFIG"):
        await KubeClient.connect(None, field_manager="t")
