"""Kubeconfig files: reading other people's carefully, writing our own privately."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from hydracore_devcluster.errors import BrokenKubeconfigError
from hydracore_devcluster.layout import write_private

_MAX_BYTES = 4 * 1024 * 1024


def write(path: Path, *, cluster: dict[str, Any], user: str, token: str, namespace: str) -> None:
    """Write a kubeconfig with one context, readable by its owner only.

    Args:
        path: The file; its folder must exist.
        cluster: The ``cluster`` entry: server and certificate authority.
        user: Name of the user in the file.
        token: The bearer token.
        namespace: The context's namespace.
    """
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "hydracore", "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [
            {
                "name": "hydracore",
                "context": {"cluster": "hydracore", "user": user, "namespace": namespace},
            }
        ],
        "current-context": "hydracore",
    }
    write_private(path, yaml.safe_dump(config, sort_keys=False).encode())


def own_cluster(server: str, ca: Path) -> dict[str, Any]:
    """Return the ``cluster`` entry for a server with this certificate authority."""
    return {
        "server": server,
        "certificate-authority-data": base64.b64encode(ca.read_bytes()).decode(),
    }


def _load(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BrokenKubeconfigError(path, f"it has more than {_MAX_BYTES} bytes")
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise BrokenKubeconfigError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BrokenKubeconfigError(path, "it is not a text file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise BrokenKubeconfigError(path, f"it is not YAML{where}") from error
    if not isinstance(content, dict):
        raise BrokenKubeconfigError(path, "it holds no mapping")
    return content


def _named(path: Path, config: dict[str, Any], section: str, key: str, name: Any) -> dict[str, Any]:
    entries = config.get(section)
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("name") == name:
            found = entry.get(key)
            if isinstance(found, dict):
                return found
    raise BrokenKubeconfigError(path, f"{section} has no usable entry named {name!r}")


def read_cluster(path: Path) -> dict[str, Any]:
    """Return the ``cluster`` entry of the current context, with the CA's bytes in it.

    Raises:
        BrokenKubeconfigError: Names the file and what is wrong with it.
    """
    config = _load(path)
    current = config.get("current-context")
    if not current:
        raise BrokenKubeconfigError(path, "current-context is not set")
    context = _named(path, config, "contexts", "context", current)
    cluster = dict(_named(path, config, "clusters", "cluster", context.get("cluster")))
    _named(path, config, "users", "user", context.get("user"))
    if not isinstance(cluster.get("server"), str):
        raise BrokenKubeconfigError(path, f"cluster {context.get('cluster')!r} names no server")
    authority = cluster.pop("certificate-authority", None)
    if authority is not None:
        file = path.parent / str(authority)
        try:
            data = file.read_bytes()
        except OSError as error:
            raise BrokenKubeconfigError(
                path, f"its certificate-authority {file} cannot be read: {error.strerror}"
            ) from error
        cluster["certificate-authority-data"] = base64.b64encode(data).decode()
    return cluster
