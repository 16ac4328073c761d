"""What the stack needs of a cluster, whether it was started here or found."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from hydracore_devcluster.errors import DevClusterError
from hydracore_devcluster.layout import StateLayout


class Cluster(Protocol):
    """A control plane that can be started, used and stopped."""

    state: StateLayout

    @property
    def admin_kubeconfig(self) -> Path:
        """A kubeconfig with administrator's rights."""

    @property
    def kubectl(self) -> Path | None:
        """A kubectl that fits, if there is one."""

    @property
    def missing(self) -> str | None:
        """What this cluster cannot do, for people; None when it can do all."""

    async def start(self) -> None:
        """Return when the cluster is ready; raises DevClusterError when it cannot be."""

    async def stop(self) -> None:
        """End what :meth:`start` started."""

    async def failure(self) -> DevClusterError:
        """Wait until the cluster breaks, and say how."""
