"""Bring HydraCore's definitions, namespace and rights into a cluster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hydracore_devcluster import kubeconfig
from hydracore_devcluster.client import Api, ApiError, ApiUnreachableError
from hydracore_devcluster.errors import InstallFailedError
from hydracore_devcluster.interface import Cluster
from hydracore_devcluster.layout import ProjectLayout
from hydracore_devcluster.stamping import await_stamping

FIELD_MANAGER = "hydracore-install"
NAMESPACE = "hydracore-system"
OPERATOR_ACCOUNT = "hydracore-operator"
API_ACCOUNT = "hydracore-api"
TOKEN_SECONDS = 365 * 24 * 3600
"""How long the tokens of the service accounts hold; every installation makes new ones."""

NOT_INSTALLED = frozenset({"../crds", "workloads"})
"""Parts of the manifests that are not applied from there: the definitions come from their own
folder, and the services run as processes of this machine instead of pods."""

STAMPS = "stamps"
"""The part that needs policies which change objects; left out where the cluster has none."""

_ESTABLISHED_SECONDS = 30.0
_STAMPING = ("/apis/admissionregistration.k8s.io/v1", "mutatingadmissionpolicies")
_POLL_SECONDS = 0.05
_PROBE = "/apis/hydracore.io/v1alpha1/instances?limit=1"

_PATHS = {
    "Namespace": "/api/v1/namespaces/{name}",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts/{name}",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps/{name}",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles/{name}",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/{name}",
    "ValidatingAdmissionPolicy": (
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{name}"
    ),
    "ValidatingAdmissionPolicyBinding": (
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/{name}"
    ),
    "MutatingAdmissionPolicy": (
        "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies/{name}"
    ),
    "MutatingAdmissionPolicyBinding": (
        "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings/{name}"
    ),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"),
}
"""Where each kind that may stand in the manifests is served."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Kubeconfigs of the service accounts, each with its own rights only."""

    operator: Path
    api: Path


async def install(cluster: Cluster, project: ProjectLayout) -> Accounts:
    """Apply definitions and manifests, wait until they serve, and write the kubeconfigs.

    May be repeated: it changes what differs and renews the tokens.

    Args:
        cluster: A ready cluster.
        project: Whose ``crds`` and ``manifests`` to apply.

    Returns:
        The kubeconfigs of operator and API in the cluster's state folder.

    Raises:
        InstallFailedError: The cluster refused something; names the object and the file.
    """
    definitions = _read(sorted(project.crds.glob("*.yaml")))
    manifests = _read(_resources(project.manifests))
    async with await Api.connect(cluster.admin_kubeconfig) as api:
        stamps = project.manifests / STAMPS
        stamping = stamps.is_dir() and await _serves(api, *_STAMPING)
        if stamping:
            manifests += _read(_resources(stamps))
        namespaces = [m for m in manifests if m[1]["kind"] == "Namespace"]
        others = [m for m in manifests if m[1]["kind"] != "Namespace"]
        await asyncio.gather(*(_apply(api, *m) for m in [*definitions, *namespaces]))
        await asyncio.gather(*(_apply(api, *m) for m in others))
        names = [d["metadata"]["name"] for _, d in definitions]
        await asyncio.gather(*(_established(api, name) for name in names))
        if stamping:
            await await_stamping(api, NAMESPACE, seconds=_ESTABLISHED_SECONDS)
        accounts = Accounts(
            operator=await _account(api, cluster, OPERATOR_ACCOUNT, "operator"),
            api=await _account(api, cluster, API_ACCOUNT, "api"),
        )
    await asyncio.gather(_usable(accounts.operator), _usable(accounts.api))
    return accounts


def _resources(folder: Path) -> list[Path]:
    """Return the files that the folder's kustomization lists, those of subfolders included."""
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    files: list[Path] = []
    for entry in (e for e in listed if e not in NOT_INSTALLED):
        path = folder / entry
        files += _resources(path) if path.is_dir() else [path]
    return files


def _read(files: Iterable[Path]) -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for file in files:
        try:
            found += [(file, d) for d in yaml.safe_load_all(file.read_text()) if d is not None]
        except (OSError, yaml.YAMLError) as error:
            raise InstallFailedError(f"{file} cannot be read as YAML: {error}") from error
    return found


async def _apply(api: Api, file: Path, manifest: dict[str, Any]) -> None:
    """Apply one object by server-side apply; conflicts are taken over, since Git is the truth."""
    kind, metadata = str(manifest["kind"]), manifest["metadata"]
    if kind not in _PATHS:
        raise InstallFailedError(f"{file}: the installer does not know the kind {kind}")
    path = _PATHS[kind].format(name=metadata["name"], namespace=metadata.get("namespace"))
    query = f"?fieldManager={FIELD_MANAGER}&force=true"
    try:
        await api.json("PATCH", path + query, manifest, content_type="application/apply-patch+yaml")
    except (ApiError, ApiUnreachableError) as error:
        raise InstallFailedError(
            f"{kind} {metadata['name']} ({file}) was not applied: {error}"
        ) from error


async def _serves(api: Api, version: str, resource: str) -> bool:
    """Whether a group and version has this resource."""
    try:
        found = await api.json("GET", version)
    except (ApiError, ApiUnreachableError) as error:
        raise InstallFailedError(f"{version} cannot be read: {error}") from error
    return any(one["name"] == resource for one in found["resources"])


async def _established(api: Api, name: str) -> None:
    """Wait until a definition is served."""
    path = _PATHS["CustomResourceDefinition"].format(name=name)
    deadline = time.monotonic() + _ESTABLISHED_SECONDS
    while True:
        try:
            found = await api.json("GET", path)
        except (ApiError, ApiUnreachableError) as error:
            raise InstallFailedError(f"definition {name} cannot be read: {error}") from error
        conditions = {c["type"]: c for c in found.get("status", {}).get("conditions") or []}
        if conditions.get("Established", {}).get("status") == "True":
            return
        if conditions.get("NamesAccepted", {}).get("status") == "False":
            why = conditions["NamesAccepted"].get("message")
            raise InstallFailedError(f"definition {name}: its names are taken: {why}")
        if time.monotonic() > deadline:
            raise InstallFailedError(
                f"definition {name} was not served after {_ESTABLISHED_SECONDS:.0f} s: {conditions}"
            )
        await asyncio.sleep(_POLL_SECONDS)


async def _usable(file: Path) -> None:
    """Wait until the API server knows the account's rights and serves what they are for."""
    deadline = time.monotonic() + _ESTABLISHED_SECONDS
    async with await Api.connect(file) as api:
        while True:
            try:
                await api.json("GET", _PROBE)
            except ApiError as error:
                if time.monotonic() > deadline:
                    raise InstallFailedError(
                        f"the account of {file} may not list instances after "
                        f"{_ESTABLISHED_SECONDS:.0f} s: {error}"
                    ) from error
            except ApiUnreachableError as error:
                raise InstallFailedError(
                    f"the account of {file} cannot connect: {error}"
                ) from error
            else:
                return
            await asyncio.sleep(_POLL_SECONDS)


async def _account(api: Api, cluster: Cluster, account: str, who: str) -> Path:
    """Write a kubeconfig for a service account with a token from the TokenRequest API."""
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token"
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": TOKEN_SECONDS},
    }
    try:
        answer = await api.json("POST", path, request)
    except (ApiError, ApiUnreachableError) as error:
        raise InstallFailedError(
            f"no token for service account {NAMESPACE}/{account}: {error}"
        ) from error
    file = cluster.state.kubeconfig(who)
    kubeconfig.write(
        file,
        cluster=kubeconfig.read_cluster(cluster.admin_kubeconfig),
        user=account,
        token=answer["status"]["token"],
        namespace=NAMESPACE,
    )
    return file
