"""The binaries of a control plane."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hydracore_devcluster.errors import AssetsIncompleteError
from hydracore_devcluster.layout import ProjectLayout

ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
"""The variable with which envtest names a folder of ready-made binaries."""


@dataclass(frozen=True, slots=True)
class Assets:
    """Paths of the binaries; without a controller manager nothing deletes namespaces."""

    etcd: Path
    kube_apiserver: Path
    kubectl: Path
    kube_controller_manager: Path | None

    @property
    def missing(self) -> str | None:
        """What does not work for want of a binary, for people; None when all is there."""
        if self.kube_controller_manager is not None:
            return None
        return (
            "kube-controller-manager is not there: deleted namespaces stay in Terminating, and "
            "objects are not deleted with their owners"
        )


def from_folder(folder: Path) -> Assets:
    """Return the binaries of a folder: built ones (``server`` is etcd) or envtest's (``etcd``).

    Raises:
        AssetsIncompleteError: etcd, kube-apiserver or kubectl is not there or not executable.
    """

    def find(*names: str) -> Path | None:
        paths = (folder / name for name in names)
        return next((p for p in paths if p.is_file() and os.access(p, os.X_OK)), None)

    etcd, apiserver, kubectl = find("etcd", "server"), find("kube-apiserver"), find("kubectl")
    if etcd is None or apiserver is None or kubectl is None:
        found = {"etcd": etcd, "kube-apiserver": apiserver, "kubectl": kubectl}
        names = ", ".join(name for name, path in found.items() if path is None)
        raise AssetsIncompleteError(
            f"{folder} has no executable {names}: point {ASSETS_VARIABLE} at a folder with etcd, "
            f"kube-apiserver and kubectl, or unset it and run `make setup`"
        )
    return Assets(etcd, apiserver, kubectl, find("kube-controller-manager"))


def assets_folder(layout: ProjectLayout, environ: Mapping[str, str]) -> Path:
    """Return the folder that counts: the one of ``KUBEBUILDER_ASSETS``, else the project's own."""
    named = environ.get(ASSETS_VARIABLE)
    return Path(named) if named else layout.cache / "bin"
