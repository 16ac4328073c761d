"""What operator and API are told, and which cluster the environment means."""

from pathlib import Path

import pytest

from hydracore_api.settings import Settings
from hydracore_cli.stack.cluster import cluster_environ
from hydracore_cli.stack.database import embedded_url
from hydracore_cli.stack.key_material import ensure_keys
from hydracore_cli.stack.layout import StackLayout, layout_of
from hydracore_cli.stack.service_env import Addresses, api_env, operator_env
from hydracore_devcluster import kubeconfig
from hydracore_operator.settings import OperatorSettings

OUTER = {
    "PATH": "/bin",
    "SECRET_OF_OTHERS": "x",
    "HTTP_PROXY": "http://proxy.example",
    "HYDRACORE_DATABASE_URL": "sqlite+aiosqlite:////elsewhere.db",
    "HYDRACORE_LEASE_SECONDS": "5",
}
ADDRESSES = Addresses(api_port=1111, status_port=2222)


@pytest.fixture
def layout(tmp_path: Path) -> StackLayout:
    found = layout_of(tmp_path)
    found.create()
    ensure_keys(found)
    return found


def test_services_see_only_what_they_need(layout: StackLayout) -> None:
    operator = operator_env(layout, Path("/k/operator.yaml"), ADDRESSES, OUTER)
    api = api_env(layout, Path("/k/api.yaml"), ADDRESSES, OUTER)
    for env in (operator, api):
        assert not {"SECRET_OF_OTHERS", "HTTP_PROXY"} & set(env)
        assert env["HYDRACORE_DATABASE_URL"] == f"sqlite+aiosqlite:///{layout.database}"
        assert env["HYDRACORE_LEASE_SECONDS"] == "5"
    assert operator["HYDRACORE_KUBECONFIG"] == "/k/operator.yaml"
    assert api["HYDRACORE_KUBECONFIG"] == "/k/api.yaml"
    assert operator["HYDRACORE_AGENT_API_URL"] == "http://127.0.0.1:1111"
    assert api["HYDRACORE_LISTEN"] == "127.0.0.1:1111"
    assert "HYDRACORE_OPS_TOKEN" not in operator
    assert "HYDRACORE_SERVER_SECRET_FILE" not in operator


def test_the_services_accept_these_settings(
    layout: StackLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, env in (
        (OperatorSettings, operator_env(layout, Path("/k"), ADDRESSES, OUTER)),
        (Settings, api_env(layout, Path("/k"), ADDRESSES, OUTER)),
    ):
        with monkeypatch.context() as patched:
            for name, value in env.items():
                patched.setenv(name, value)
            assert str(kind().database_url) == embedded_url(layout)


def write_kubeconfig(path: Path, user: str) -> None:
    kubeconfig.write(
        path, cluster={"server": "https://127.0.0.1:1"}, user=user, token="t", namespace="n"
    )


def test_a_kubeconfig_that_a_stack_wrote_does_not_name_another_cluster(tmp_path: Path) -> None:
    own, others = tmp_path / "own.yaml", tmp_path / "others.yaml"
    write_kubeconfig(own, "hydracore-admin")
    write_kubeconfig(others, "somebody")
    assert "KUBECONFIG" not in cluster_environ({"KUBECONFIG": str(own)})
    for named in (str(others), str(tmp_path / "absent.yaml")):
        assert cluster_environ({"KUBECONFIG": named})["KUBECONFIG"] == named
