"""One Instance, from whatever state it is in, towards what is wanted."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from hydracore_crds.names import PAUSED_ANNOTATION
from hydracore_kube import NotFound
from hydracore_operator.context import Context
from hydracore_operator.health.verdicts import Verdicts
from hydracore_operator.instances import provision_log
from hydracore_operator.instances.admission import admission
from hydracore_operator.instances.agent import agent
from hydracore_operator.instances.deletion import delete
from hydracore_operator.instances.enrolment import enrolment
from hydracore_operator.instances.identity import identity
from hydracore_operator.instances.scope import Scope
from hydracore_operator.instances.server import server
from hydracore_operator.instances.status import compute
from hydracore_operator.providers import Providers
from hydracore_operator.providers.build import build_providers

Phase = Callable[[Scope], Awaitable[bool]]

PHASES: tuple[Phase, ...] = (admission, identity, server, enrolment, agent)
"""In order. Each fills in facts and says whether the next one has something to go on."""

RESYNC_SECONDS = 300
"""A converged Instance is looked at this often (and half as long again at most): a server that
was switched off, a wake-up that got lost. It writes nothing where nothing has changed."""

log = structlog.get_logger(__name__)


class InstanceReconciler:
    """Reconciles Instances by key.

    Args:
        ctx: The outer world.
        providers: Who gives servers; by default those of the settings.
        verdicts: What the health loop believes; shared with it.
    """

    def __init__(
        self,
        ctx: Context,
        providers: Providers | None = None,
        verdicts: Verdicts | None = None,
    ) -> None:
        self._ctx = ctx
        self._providers = providers or build_providers(ctx.settings, ctx.now)
        self._verdicts = verdicts or Verdicts()

    async def reconcile(self, key: str) -> timedelta | None:
        """Take the next steps for one Instance; return when to look again.

        Raises:
            KubeError: The API server refused or is away; Conflict where the object changed.
            RetryLater: What is known is out of date.
            NotLeader: Another operator leads.
        """
        instance = self._ctx.stores.instances.get(key)
        if instance is None or instance.metadata.annotations.get(PAUSED_ANNOTATION) == "true":
            return None
        scope = Scope(
            ctx=self._ctx,
            providers=self._providers,
            verdicts=self._verdicts,
            instance=instance,
            now=self._ctx.now(),
        )
        try:
            if instance.deleting:
                return await delete(scope)
            return await self._provision(scope)
        except NotFound:
            self._ctx.stores.instances.remove(key, instance.metadata.uid)
            return None

    async def _provision(self, scope: Scope) -> timedelta:
        for phase in PHASES:
            if not await phase(scope):
                break
        await write_status(scope)
        return scope.again if scope.again is not None else _resync(scope.instance.metadata.uid)


async def write_status(scope: Scope) -> None:
    """Compute the status and write it once, after the log lines that belong to the change."""
    status = compute(scope)
    if status.to_wire() == scope.instance.status.to_wire():
        return
    await provision_log.write(scope, provision_log.lines(scope.instance.status, status))
    scope.take(await scope.ctx.kube.update_status(scope.instance, status))
    log.info(
        "instance_status",
        instance=scope.instance.key,
        state=status.state,
        stage=status.provisioning_stage,
        health=status.health_status,
        error=status.error_code,
    )


def _resync(uid: str) -> timedelta:
    """Spread the looks of many instances, the same for one instance each time."""
    return timedelta(seconds=RESYNC_SECONDS * (1 + zlib.crc32(uid.encode()) % 1000 / 2000))
