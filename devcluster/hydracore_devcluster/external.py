"""Somebody else's cluster, named by KUBECONFIG."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from hydracore_devcluster import kubeconfig
from hydracore_devcluster.assets import Assets
from hydracore_devcluster.client import Api, ApiError, ApiUnreachableError
from hydracore_devcluster.errors import BrokenKubeconfigError, DevClusterError
from hydracore_devcluster.layout import StateLayout

_FAILURE_SECONDS = 30.0
_POLL_SECONDS = 5.0


class ExternalCluster:
    """A cluster that we found and neither start nor stop (kind, or a real one)."""

    def __init__(self, path: Path, state_dir: Path, assets: Assets | None = None) -> None:
        """Prepare to use it; nothing is read yet.

        Args:
            path: A kubeconfig with an administrator's rights.
            state_dir: Where kubeconfigs of the service accounts go.
            assets: Binaries, for their kubectl; without them the one on PATH is taken.
        """
        self.state = StateLayout(state_dir.absolute())
        self._path = path
        self._assets = assets

    @property
    def admin_kubeconfig(self) -> Path:
        """The kubeconfig that was handed in."""
        return self._path

    @property
    def kubectl(self) -> Path | None:
        """A kubectl from the binaries or from PATH, if there is one."""
        if self._assets is not None:
            return self._assets.kubectl
        found = shutil.which("kubectl")
        return Path(found) if found else None

    @property
    def missing(self) -> str | None:
        """A whole cluster lacks nothing."""
        return None

    async def start(self) -> None:
        """Check that the kubeconfig leads to a ready cluster.

        Raises:
            BrokenKubeconfigError: Names the file and what is wrong.
        """
        self.state.create()
        kubeconfig.read_cluster(self._path)
        problem = await self._problem()
        if problem is not None:
            raise BrokenKubeconfigError(self._path, problem)

    async def stop(self) -> None:
        """Do nothing: what we did not start we do not stop."""

    async def failure(self) -> DevClusterError:
        """Wait until the cluster has not been ready for half a minute, and say why."""
        bad = 0.0
        while True:
            problem = await self._problem()
            bad = 0.0 if problem is None else bad + _POLL_SECONDS
            if problem is not None and bad > _FAILURE_SECONDS:
                return DevClusterError(f"the cluster of kubeconfig {self._path} is gone: {problem}")
            await asyncio.sleep(_POLL_SECONDS)

    async def _problem(self) -> str | None:
        async with await Api.connect(self._path, timeout_seconds=5) as api:
            try:
                await api.text("GET", "/readyz")
            except ApiError as error:
                if error.status in (401, 403):
                    return f"the cluster refuses its user: {error}"
                return f"the cluster is not ready: {error}"
            except ApiUnreachableError as error:
                return str(error)
        return None
