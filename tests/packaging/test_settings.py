"""What the Deployments hand over is what the services read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hydracore_api.settings import Settings
from hydracore_devcluster.layout import ProjectLayout
from hydracore_operator.settings import OperatorSettings
from tests.packaging.conftest import Render
from tests.packaging.support import (
    JSON,
    SERVICES,
    environment,
    only,
    service_container,
)

PREFIX = "HYDRACORE_"
KINDS: dict[str, type[Any]] = {"operator": OperatorSettings, "api": Settings}
SECRETS = {
    "HYDRACORE_ARTIFACTS_S3_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "HYDRACORE_ARTIFACTS_S3_SECRET_ACCESS_KEY": "word",
    "HYDRACORE_DATABASE_URL": "postgresql+psycopg://user:word@db/hydracore",
    "HYDRACORE_OPS_TOKEN": "token",
}


@pytest.fixture(params=["chart", "kustomized", "kind_kustomized"])
def objects(request: pytest.FixtureRequest) -> list[JSON]:
    found: list[JSON] = request.getfixturevalue(request.param)
    return found


def settings(
    objects: list[JSON], service: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, dict[str, str | None]]:
    """Start a service's settings with exactly the environment of its pods."""
    env = environment(objects, service)
    for name, value in env.items():
        monkeypatch.setenv(name, SECRETS[name] if value is None else value)
    return KINDS[service](), env


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_is_a_setting_and_its_value_is_taken(
    objects: list[JSON], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, env = settings(objects, service, monkeypatch)
    known = {f"{PREFIX}{name}".upper() for kind in KINDS.values() for name in kind.model_fields}
    assert set(env) <= known
    own = {variable["name"] for variable in service_container(objects, service)["env"]}
    assert {name.removeprefix(PREFIX).lower() for name in own} <= set(type(taken).model_fields)
    # No two settings of one process may come from the same place by mistake.
    assert taken.kubeconfig is None
    assert taken.database_url == SECRETS["HYDRACORE_DATABASE_URL"]


@pytest.mark.parametrize("service", SERVICES)
def test_files_lie_where_the_settings_say(
    objects: list[JSON], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, _ = settings(objects, service, monkeypatch)
    pod = only(objects, "Deployment", f"-{service}")["spec"]["template"]["spec"]
    volumes = {v["name"]: v for v in pod["volumes"]}
    mounts = {m["mountPath"]: m for m in service_container(objects, service)["volumeMounts"]}
    keys = {name: value for name, value in taken if name.endswith("_file") and value is not None}
    mount = mounts["/etc/hydracore/keys"]
    items = {item["path"] for item in volumes[mount["name"]]["secret"]["items"]}
    assert {Path(value).name for value in keys.values()} == items
    assert {str(Path(value).parent) for value in keys.values()} == {mount["mountPath"]}
    folder = taken.artifacts_url.removeprefix("file://")
    assert "persistentVolumeClaim" in volumes[mounts[folder]["name"]]


def test_the_operator_does_not_see_the_api_s_secrets(objects: list[JSON]) -> None:
    assert "server-secret" not in str(only(objects, "Deployment", "-operator"))
    assert "ops-token" not in str(only(objects, "Deployment", "-operator"))


@pytest.mark.parametrize("service", SERVICES)
def test_ports_and_probes_fit_the_address(
    objects: list[JSON], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, _ = settings(objects, service, monkeypatch)
    address = taken.listen if service == "api" else taken.operator_status_addr
    host, _, number = address.partition(":")
    assert host == "0.0.0.0"
    container = service_container(objects, service)
    (port,) = container["ports"]
    assert port["containerPort"] == int(number)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        assert container[probe]["httpGet"]["port"] == port["name"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_the_service_leads_to_the_api(objects: list[JSON]) -> None:
    service = only(objects, "Service", "-api")["spec"]
    (port,) = service["ports"]
    assert port["targetPort"] == service_container(objects, "api")["ports"][0]["name"]
    labels = only(objects, "Deployment", "-api")["spec"]["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    others = only(objects, "Deployment", "-operator")["spec"]["template"]["metadata"]["labels"]
    assert not service["selector"].items() <= others.items()


def test_agents_inside_of_the_cluster_reach_the_manifests_service(kustomized: list[JSON]) -> None:
    service = only(kustomized, "Service", "-api")
    place = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    url = environment(kustomized, "operator")["HYDRACORE_AGENT_API_URL"]
    assert url == f"http://{place}:{service['spec']['ports'][0]['port']}"


def test_the_values_default_to_the_settings_defaults(project: ProjectLayout) -> None:
    values = yaml.safe_load((project.root / "charts/hydracore/values.yaml").read_text())
    names = {
        "leaseSeconds": "lease_seconds",
        "healthIntervalSeconds": "health_interval_seconds",
        "agentTrialSeconds": "agent_trial_seconds",
        "finishedTtlSeconds": "finished_ttl_seconds",
        "finishedKeep": "finished_keep",
        "webhookAllowPrivate": "webhook_allow_private",
        "webhookAllowHttp": "webhook_allow_http",
        "workers": "workers",
        "logLevel": "log_level",
    }
    for value, name in names.items():
        assert values["operator"][value] == OperatorSettings.model_fields[name].default, value


def test_every_value_of_the_operator_arrives(
    render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {
        "leaseSeconds": 20,
        "healthIntervalSeconds": 2.5,
        "agentTrialSeconds": 7,
        "finishedTtlSeconds": 2592000,
        "finishedKeep": 7,
        "webhookAllowPrivate": True,
        "webhookAllowHttp": True,
        "workers": 3,
        "logLevel": "DEBUG",
    }
    objects = render("--set-json", f"operator={json.dumps(told)}")
    taken, _ = settings(objects, "operator", monkeypatch)
    assert taken.lease_seconds == 20
    assert taken.health_interval_seconds == 2.5
    assert taken.agent_trial_seconds == 7
    assert taken.finished_ttl_seconds == 2592000
    assert taken.finished_keep == 7
    assert taken.webhook_allow_private is True
    assert taken.webhook_allow_http is True
    assert taken.workers == 3
    assert taken.log_level == "DEBUG"
    assert taken.operator_namespace == "there"


def test_trusted_proxies_arrive(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = render("--set", "api.trustedProxies={10.0.0.0/8,fd00::/8}")
    taken, _ = settings(objects, "api", monkeypatch)
    assert [str(n) for n in taken.trusted_proxies] == ["10.0.0.0/8", "fd00::/8"]


def test_the_smoke_customer_arrives(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = render("--set-string", "api.smoke.namespace=acme,api.smoke.customerId=007")
    taken, _ = settings(objects, "api", monkeypatch)
    assert (taken.smoke_namespace, taken.smoke_customer_id) == ("acme", "007")
