"""What can go wrong with a development cluster; every message says what to do."""

from __future__ import annotations

from pathlib import Path


class DevClusterError(Exception):
    """The cluster cannot be had. The text is meant for people."""


class GoMissingError(DevClusterError):
    """No Go toolchain that is new enough, and none could be installed."""


class BuildFailedError(DevClusterError):
    """Compiling the control plane failed."""


class AssetsIncompleteError(DevClusterError):
    """A folder of control-plane binaries lacks one that is needed."""


class StartFailedError(DevClusterError):
    """A process of the control plane ended or did not become ready in time."""


class PortTakenError(StartFailedError):
    """Somebody else bound a port between choosing and binding it."""


class StateInUseError(DevClusterError):
    """Another dev cluster runs on the same state folder."""


class NotSupportedError(DevClusterError):
    """This kind of cluster cannot do what was asked for."""


class BrokenKubeconfigError(DevClusterError):
    """A kubeconfig cannot be read or does not lead to a cluster."""

    def __init__(self, path: str | Path, problem: str) -> None:
        super().__init__(
            f"kubeconfig {path}: {problem}. Repair the file, or unset KUBECONFIG "
            "to use a control plane of HydraCore's own"
        )
        self.path = str(path)
        self.problem = problem


class InstallFailedError(DevClusterError):
    """The cluster refused a definition, a manifest or a service account's token."""
