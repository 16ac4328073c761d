"""Which cluster a stack uses: its own, or the one that KUBECONFIG names."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from hydracore_cli.stack.layout import StackLayout
from hydracore_devcluster import choose
from hydracore_devcluster.interface import Cluster
from hydracore_devcluster.layout import find_project
from hydracore_devcluster.progress import Progress

OWN_USER = "hydracore-admin"
"""The user in kubeconfigs that development clusters write."""


def cluster_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without a KUBECONFIG that some stack wrote.

    Whoever reads a stack's ``env`` file into the shell has its kubeconfig in KUBECONFIG. That does
    not mean that the next stack, or the demo, should be put into that stack's cluster.
    """
    named = environ.get("KUBECONFIG")
    if named and _is_own(Path(named)):
        return {name: value for name, value in environ.items() if name != "KUBECONFIG"}
    return dict(environ)


def choose_cluster(layout: StackLayout, environ: Mapping[str, str]) -> Cluster:
    """Return the cluster to use, its binaries built, nothing started yet.

    Progress of a build goes to standard output.

    Raises:
        DevClusterError: it cannot be had; says what to do.
    """
    progress = Progress(sys.stdout)
    return choose.choose_cluster(find_project(), layout.cluster, environ, progress)


def _is_own(path: Path) -> bool:
    try:
        content = yaml.safe_load(path.read_text())
        return any(user["name"] == OWN_USER for user in content["users"])
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError):
        return False
