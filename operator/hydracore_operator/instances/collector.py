"""The collector: servers whose Instance is gone, for instance because a finalizer was stripped."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from hydracore_artifacts.errors import ArtifactError
from hydracore_crds import Instance
from hydracore_crds.names import INSTANCE_ID_LABEL
from hydracore_history import HistoryUnavailable
from hydracore_kube import KubeError
from hydracore_operator.context import Context, NotLeader
from hydracore_operator.providers import Provider, Providers, Server
from hydracore_operator.providers.base import CLUSTER_LABEL
from hydracore_operator.providers.build import build_providers
from hydracore_operator.providers.errors import ProviderError, ServerNotFoundError

FEW = 2
"""More orphans at once than this, and than half of all servers, look like a lost or empty API
server rather than like orphans: then nothing is deleted."""

log = structlog.get_logger(__name__)


class Collector:
    """Deletes servers of this cluster that no Instance owns any more."""

    def __init__(self, ctx: Context, providers: Providers | None = None) -> None:
        self._ctx = ctx
        self._providers = providers or build_providers(ctx.settings, ctx.now)
        self._first_seen: dict[str, datetime] = {}

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await self._ctx.clock.sleep(self._ctx.settings.orphan_sweep_seconds)
            try:
                await self.sweep()
            except (ProviderError, KubeError, NotLeader) as error:
                log.warning("sweep_failed", error=str(error))
            except Exception:  # whatever it is, it must not end the operator's other work
                log.exception("sweep_failed")

    async def sweep(self) -> list[str]:
        """Look once; return the ids of the servers that were deleted.

        Servers are listed before Instances: a server is only ever ordered for an Instance that
        is stored already, so one whose Instance the later list lacks has none.

        Raises:
            ProviderError, KubeError: Servers or Instances cannot be listed.
            NotLeader
        """
        servers = [
            (provider, server)
            for provider in self._providers.all()
            for server in await provider.list()
            if server.labels.get(CLUSTER_LABEL) == self._ctx.settings.cluster_name
        ]
        instances, _ = await self._ctx.kube.list(Instance)
        owned = {i.spec.id or i.metadata.uid for i in instances}
        orphans = [(p, s) for p, s in servers if s.labels.get(INSTANCE_ID_LABEL) not in owned]
        due = self._due([server for _, server in orphans])
        if len(due) > max(FEW, len(servers) // 2):
            log.error("orphans_left_alone", orphans=len(due), servers=len(servers))
            return []
        return [s.id for p, s in orphans if s.id in due and await self._deleted(p, s)]

    def _due(self, orphans: list[Server]) -> set[str]:
        """Remember the first sighting of each; return those orphaned at every sighting for long."""
        now = self._ctx.now()
        grace = timedelta(seconds=self._ctx.settings.orphan_grace_seconds)
        self._first_seen = {s.id: self._first_seen.get(s.id, now) for s in orphans}
        return {server_id for server_id, at in self._first_seen.items() if now - at >= grace}

    async def _deleted(self, provider: Provider, server: Server) -> bool:
        """Delete an orphan with all that is kept for it; a fault keeps it for the next sweep."""
        try:
            await self._delete(provider, server)
        except (ProviderError, HistoryUnavailable, ArtifactError, ValueError) as error:
            log.warning("orphan_kept", server=server.id, name=server.name, error=str(error))
            return False
        return True

    async def _delete(self, provider: Provider, server: Server) -> None:
        # The server last: it is by the server that an operator after a crash finds the rest.
        self._ctx.epoch()
        instance_id = server.labels[INSTANCE_ID_LABEL]
        await self._ctx.artifacts.instances.delete_all(instance_id)
        await self._ctx.history.credentials.remove(instance_id)
        await self._ctx.history.health.remove(instance_id)
        await self._ctx.history.stages.remove(instance_id)
        self._ctx.epoch()
        try:
            await provider.delete(server.id)
        except ServerNotFoundError:
            log.info("orphan_gone_by_itself", server=server.id)
        log.warning("orphan_deleted", server=server.id, name=server.name, instance_id=instance_id)
