"""How to reach the API server, as ``kubernetes.aio.config`` reads it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, cast

import yaml
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from hydracore_kube.errors import KubeconfigError

_FAULTS = (
    ConfigException,
    yaml.YAMLError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
)
"""What the library raises for broken configuration; it does not wrap them itself."""


async def load_configuration(kubeconfig: str | None) -> Configuration:
    """Read how to reach and trust the API server, and who we are.

    Args:
        kubeconfig: Path of a kubeconfig; None means the service account of the pod.

    Raises:
        KubeconfigError: The file is missing or broken; the message names it and the fault.
    """
    configuration = Configuration()
    configuration.host = ""
    if kubeconfig is None:
        try:
            load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration
            )
        except _FAULTS as fault:
            raise KubeconfigError(
                f"no kubeconfig was given and this is no pod of a cluster: {fault} "
                "Set HYDRACORE_KUBECONFIG to the path of a kubeconfig."
            ) from fault
        return configuration
    path = Path(kubeconfig)
    _check_file(path)
    try:
        await load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(path), client_configuration=configuration, persist_config=False
        )
    except _FAULTS as fault:
        raise _broken(path, fault) from fault
    if not str(configuration.host).startswith(("http://", "https://")):
        raise KubeconfigError(
            f"kubeconfig {path}: the current context's cluster has no usable 'server' "
            f"(found {configuration.host!r}); it must begin with https://"
        )
    return configuration


def open_api_client(configuration: Configuration, source: str | None) -> ApiClient:
    """Create the library's client, which loads certificates.

    Raises:
        KubeconfigError: A certificate or key cannot be used.
    """
    try:
        return ApiClient(configuration)
    except (ssl.SSLError, OSError, ValueError) as fault:
        where = f"kubeconfig {source}" if source else "the pod's service account"
        raise KubeconfigError(
            f"{where}: the certificate authority, client certificate or key cannot be loaded: "
            f"{fault}"
        ) from fault


async def auth_headers(configuration: Configuration) -> dict[str, str]:
    """Return the headers that authenticate a request; tokens are refreshed by the library."""
    settings = cast("dict[str, dict[str, Any]]", await configuration.auth_settings())
    return {
        str(entry["key"]).title(): str(entry["value"])
        for entry in settings.values()
        if entry["in"] == "header" and entry["value"]
    }


def _check_file(path: Path) -> None:
    if not path.exists():
        raise KubeconfigError(
            f"kubeconfig {path}: there is no such file. "
            "Set HYDRACORE_KUBECONFIG to the path of a kubeconfig."
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as fault:
        raise _broken(path, fault) from fault
    if not isinstance(content, dict):
        raise KubeconfigError(
            f"kubeconfig {path}: it holds no mapping with clusters, users and contexts"
        )


def _broken(path: Path, fault: BaseException) -> KubeconfigError:
    if isinstance(fault, yaml.MarkedYAMLError) and fault.problem_mark is not None:
        # Never the snippet that PyYAML quotes: it may be a token.
        line = fault.problem_mark.line + 1
        return KubeconfigError(f"kubeconfig {path}: line {line} is no YAML: {fault.problem}")
    if isinstance(fault, PermissionError):
        return KubeconfigError(f"kubeconfig {path}: this user may not read it")
    text = str(fault) if isinstance(fault, ConfigException | OSError) else type(fault).__name__
    return KubeconfigError(f"kubeconfig {path}: it cannot be used: {text}")
