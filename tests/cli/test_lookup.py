"""Where commands find cluster and namespace."""

from pathlib import Path

import pytest
import yaml

from hydracore_cli.errors import CliError
from hydracore_cli.lookup import kubeconfig_of, tenant_namespace
from hydracore_cli.stack.layout import StackLayout, layout_of
from hydracore_cli.stack.record import StackRecord


@pytest.fixture
def layout(tmp_path: Path) -> StackLayout:
    found = layout_of(tmp_path / "state")
    found.create()
    return found


def kubeconfig(path: Path, namespace: str | None) -> str:
    context = {"cluster": "c", "user": "u"} | ({"namespace": namespace} if namespace else {})
    content = {"contexts": [{"name": "x", "context": context}], "current-context": "x"}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_the_environment_comes_before_the_stack(layout: StackLayout, tmp_path: Path) -> None:
    own = kubeconfig(tmp_path / "own.yaml", "team-a")
    StackRecord(pid=1, kubeconfig="/stack.yaml", namespace="acme").save(layout.record)
    assert kubeconfig_of(layout, {}) == "/stack.yaml"
    assert kubeconfig_of(layout, {"KUBECONFIG": own}) == own
    assert tenant_namespace(layout, None, {}) == "acme"
    assert tenant_namespace(layout, None, {"KUBECONFIG": own}) == "team-a"
    environ = {"KUBECONFIG": own, "HYDRACORE_NAMESPACE": "team-b"}
    assert tenant_namespace(layout, None, environ) == "team-b"
    assert tenant_namespace(layout, "team-c", environ) == "team-c"


def test_without_a_stack_kubectls_own_file_counts(layout: StackLayout, tmp_path: Path) -> None:
    with pytest.raises(CliError, match="KUBECONFIG is not set"):
        kubeconfig_of(layout, {"HOME": str(tmp_path)})
    path = kubeconfig(tmp_path / ".kube" / "config", None)
    assert kubeconfig_of(layout, {"HOME": str(tmp_path)}) == path
    assert tenant_namespace(layout, None, {"HOME": str(tmp_path)}) == "default"
