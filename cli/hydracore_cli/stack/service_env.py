"""The environment of operator and API: nothing but what they need."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hydracore_artifacts.settings import StoreSettings
from hydracore_cli.stack.database import database_url
from hydracore_cli.stack.layout import StackLayout

PREFIX = "HYDRACORE_"
PASSED_ON = (
    "CLUSTER_NAME",
    "LEASE_SECONDS",
    "HEALTH_DEEP_INTERVAL_SECONDS",
    "HEALTH_INTERVAL_SECONDS",
    "AGENT_LLM_FILE",
    "AGENT_TRIAL_SECONDS",
    "WEBHOOK_ALLOW_HTTP",
    "WEBHOOK_ALLOW_PRIVATE",
)
"""Settings that whoever starts the stack may set in the environment."""

STORE_SETTINGS = tuple(name.upper() for name in StoreSettings.model_fields)
"""Where the object store is, and how to get in; likewise. Without them it is a folder."""

SIGNED_URLS = ("ARTIFACTS_SIGNED_URLS", "ARTIFACTS_SIGNED_URL_SECONDS")
"""How the API hands bundles out; likewise."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the services listen, all on loopback."""

    api_port: int
    status_port: int

    @property
    def api_listen(self) -> str:
        """The API's ``host:port``."""
        return f"127.0.0.1:{self.api_port}"

    @property
    def api_url(self) -> str:
        """The API's URL."""
        return f"http://{self.api_listen}"

    @property
    def status_listen(self) -> str:
        """``host:port`` of the operator's status."""
        return f"127.0.0.1:{self.status_port}"

    @property
    def status_url(self) -> str:
        """URL of the operator's status."""
        return f"http://{self.status_listen}"


def operator_env(
    layout: StackLayout, kubeconfig: Path, addresses: Addresses, outer: Mapping[str, str]
) -> dict[str, str]:
    """Return the operator's whole environment."""
    return _environment(
        layout,
        kubeconfig,
        outer,
        {
            "AGENT_API_URL": addresses.api_url,
            "LOCAL_PROVIDER_DIR": str(layout.servers),
            "OPERATOR_STATUS_ADDR": addresses.status_listen,
        },
    )


def api_env(
    layout: StackLayout, kubeconfig: Path, addresses: Addresses, outer: Mapping[str, str]
) -> dict[str, str]:
    """Return the API's whole environment."""
    return _environment(
        layout,
        kubeconfig,
        outer,
        {
            "LISTEN": addresses.api_listen,
            "SERVER_SECRET_FILE": str(layout.server_secret),
            "OPS_TOKEN": layout.ops_token.read_text().strip(),
            **_given(SIGNED_URLS, outer),
        },
    )


def without_store(outer: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which a stack keeps its artifacts in a folder of its own."""
    names = {PREFIX + name for name in (*STORE_SETTINGS, *SIGNED_URLS)}
    return {name: value for name, value in outer.items() if name not in names}


def store_location(outer: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that say where the store is, without those that let in."""
    shown = (name for name in STORE_SETTINGS if "KEY" not in name)
    return {PREFIX + name: value for name, value in _given(tuple(shown), outer).items()}


def _given(names: tuple[str, ...], outer: Mapping[str, str]) -> dict[str, str]:
    return {name: outer[PREFIX + name] for name in names if outer.get(PREFIX + name)}


def _environment(
    layout: StackLayout, kubeconfig: Path, outer: Mapping[str, str], own: Mapping[str, str]
) -> dict[str, str]:
    settings = {
        "KUBECONFIG": str(kubeconfig),
        "DATABASE_URL": database_url(layout),
        "ARTIFACTS_URL": layout.artifacts_url,
        "CONTROL_PLANE_KEY_FILE": str(layout.control_plane_key),
        "TRUSTED_BUNDLE_KEYS_FILE": str(layout.trusted_bundle_keys),
        **_given((*PASSED_ON, *STORE_SETTINGS), outer),
        **own,
    }
    basics = {
        "PATH": outer.get("PATH", os.defpath),
        "HOME": outer.get("HOME", "/"),
        "LANG": "C.UTF-8",
    }
    return {**basics, **{PREFIX + name: value for name, value in settings.items()}}
