"""An operator that reaches the API server through a proxy."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests.faults.operators import OperatorProcess
from tests.faults.plane import Plane
from tests.faults.proxy import Proxy, before_cluster


@contextlib.asynccontextmanager
async def behind_proxy(
    plane: Plane, folder: Path, **changes: str
) -> AsyncIterator[tuple[Proxy, OperatorProcess]]:
    """Run one operator behind a proxy, with settings of its own, and no other; it leads."""
    async with before_cluster(plane.accounts.operator, folder) as (proxy, kubeconfig):
        settings = {"HYDRACORE_KUBECONFIG": str(kubeconfig), **changes}
        async with plane.only_operator(**settings) as operator:
            yield proxy, operator
