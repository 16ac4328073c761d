"""One tenant: which rollouts it gets by itself, and that each of them is made once.

The rollout is created before history remembers it. Whoever dies in between leaves a rollout that
the next one finds, and remembers then; its name is the same in every process, so that two that
both believe to lead make one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import structlog

from hydracore_core.rollouts.auto import EXECUTION_KIND, AutoPlan, AutoView, plan_auto
from hydracore_crds import Bundle, Rollout
from hydracore_crds.update_policy import DEFAULT_NAME
from hydracore_history import HistoryError
from hydracore_kube import AlreadyExists, Namespace
from hydracore_operator.context import Context
from hydracore_operator.controller.reconciler import RetryLater

LOOK_EVERY = timedelta(seconds=5)
"""Shortest time between two looks at a tenant: each goes through all of its instances."""
RETRY = timedelta(seconds=5)
"""Wait before history is tried again."""

log = structlog.get_logger(__name__)


class AutoReconciler:
    """Makes the rollouts that nobody asks for. Keys are namespaces."""

    def __init__(self, ctx: Context) -> None:
        """Take the outer world. What is kept besides can be lost: it only spares questions."""
        self._ctx = ctx
        self._looked: dict[str, float] = {}
        self._made: set[tuple[str, str, str]] = set()

    async def reconcile(self, key: str) -> timedelta | None:
        """Look at a tenant and make what is missing; return when to look again, if ever.

        Raises:
            RetryLater: History cannot say what was made, or cannot remember it.
            NotLeader: This process does not lead any more.
            KubeError: A rollout could not be created.
        """
        found = self._ctx.stores.namespaces.get(key)
        if found is None or found.terminating or found.tenant_id is None:
            self._looked.pop(key, None)
            return None
        now = self._ctx.clock.monotonic()
        wait = LOOK_EVERY.total_seconds() - (now - self._looked.get(key, float("-inf")))
        if wait > 0:
            return timedelta(seconds=wait)
        self._looked[key] = now
        try:
            await self._look(found)
        except HistoryError as error:
            self._looked.pop(key, None)
            raise RetryLater(str(error), RETRY) from error
        return None

    async def _look(self, tenant: Namespace) -> None:
        namespace = tenant.metadata.name
        plan = self._plan(tenant, {})
        if plan.ask:
            answers = {b.metadata.name: await self._was_made(namespace, b) for b in plan.ask}
            plan = self._plan(tenant, answers)
        for note in plan.notes:
            log.debug("auto_rollout_not_made", namespace=namespace, of=note.subject, why=note.text)
        for rollout, bundle in plan.remember:
            await self._remember(rollout, bundle)
        for rollout, bundle in plan.make:
            await self._make(rollout, bundle)

    def _plan(self, tenant: Namespace, answers: dict[str, bool]) -> AutoPlan:
        stores, namespace = self._ctx.stores, tenant.metadata.name
        bundles = stores.bundles.all()
        return plan_auto(
            AutoView(
                namespace=namespace,
                namespace_uid=tenant.metadata.uid,
                policy=stores.policies.get(f"{namespace}/{DEFAULT_NAME}"),
                bundles=bundles,
                rollouts=stores.rollouts.in_namespace(namespace),
                instances=stores.instances.in_namespace(namespace),
                made=answers | self._known(namespace, bundles),
            )
        )

    def _known(self, namespace: str, bundles: Iterable[Bundle]) -> dict[str, bool]:
        return {b.metadata.name: True for b in bundles if _work(namespace, b) in self._made}

    async def _was_made(self, namespace: str, bundle: Bundle) -> bool:
        _, name, digest = work = _work(namespace, bundle)
        found = await self._ctx.history.executions.get(
            kind=EXECUTION_KIND, namespace=namespace, name=name, spec_hash=digest
        )
        if found is not None:
            self._made.add(work)
        return found is not None

    async def _make(self, wanted: Rollout, bundle: Bundle) -> None:
        self._ctx.epoch()
        try:
            stored = await self._ctx.kube.create(wanted)
        except AlreadyExists:
            # Another operator's, or our own whose answer was lost: the watch brings it soon.
            log.info("auto_rollout_is_there", rollout=wanted.key)
            return
        self._ctx.stores.rollouts.upsert(stored)
        log.info("auto_rollout_made", rollout=stored.key, bundle=bundle.key)
        await self._remember(stored, bundle)

    async def _remember(self, rollout: Rollout, bundle: Bundle) -> None:
        """Have history know that the bundle's rollout was made, whatever becomes of it."""
        work = namespace, name, digest = _work(rollout.metadata.namespace or "", bundle)
        await self._ctx.history.executions.begin(
            kind=EXECUTION_KIND,
            namespace=namespace,
            name=name,
            spec_hash=digest,
            uid=rollout.metadata.uid,
            at=self._ctx.now(),
        )
        self._made.add(work)


def _work(namespace: str, bundle: Bundle) -> tuple[str, str, str]:
    """Return what history knows a rollout's making by: namespace, bundle, digest."""
    return namespace, bundle.metadata.name, bundle.spec.artifact.sha256
