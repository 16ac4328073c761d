"""Decide which cluster the stack uses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hydracore_devcluster import assets, audit, build
from hydracore_devcluster.cluster import DevCluster
from hydracore_devcluster.errors import AssetsIncompleteError, BrokenKubeconfigError
from hydracore_devcluster.external import ExternalCluster
from hydracore_devcluster.interface import Cluster
from hydracore_devcluster.layout import ProjectLayout, StateLayout
from hydracore_devcluster.progress import Progress


def choose_cluster(
    layout: ProjectLayout, state_dir: Path, environ: Mapping[str, str], progress: Progress
) -> Cluster:
    """Return the cluster of ``KUBECONFIG`` when that names one, else one of our own.

    A KUBECONFIG that names this state folder's own cluster (as after reading the file that
    ``make up`` writes) means a cluster of our own too. Binaries are built when they are needed.

    Args:
        layout: The checkout.
        state_dir: The state folder of the stack.
        environ: The environment; ``HYDRACORE_AUDIT_DIR`` may name a folder for audit logs.
        progress: Where to tell how far a build is.

    Raises:
        DevClusterError: Neither is to be had; says what to do.
    """
    named = environ.get("KUBECONFIG", "")
    own = StateLayout(state_dir.absolute()).kubeconfig("admin")
    if not named or Path(named).absolute() == own:
        shared = environ.get(audit.FOLDER_VARIABLE)
        log = audit.new_log(Path(shared)) if shared else None
        return DevCluster(state_dir, build.provide(layout, environ, progress), audit_log=log)
    if os.pathsep in named:
        raise BrokenKubeconfigError(named, "it names several files, and only one can be used")
    try:
        found = assets.from_folder(assets.assets_folder(layout, environ))
    except AssetsIncompleteError:
        found = None
    return ExternalCluster(Path(named).absolute(), state_dir, found)
