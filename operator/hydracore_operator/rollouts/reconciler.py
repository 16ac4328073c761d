"""The rollout engine of one operator: a tenant is read, planned for, and the plan carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import uuid4

import structlog

from hydracore_core.rollouts.plan import plan
from hydracore_crds import RolloutTarget
from hydracore_kube import KubeError
from hydracore_operator.context import Context
from hydracore_operator.controller.reconciler import RetryLater
from hydracore_operator.rollouts.adopt import adopt
from hydracore_operator.rollouts.cap import Cap
from hydracore_operator.rollouts.executor import STALE, Applied, Executor
from hydracore_operator.rollouts.ledger import Ledger, UnreadableLedgerError
from hydracore_operator.rollouts.start import flush
from hydracore_operator.rollouts.tenant import Tenant
from hydracore_operator.rollouts.timing import Timing
from hydracore_operator.rollouts.trail import StoredTrail
from hydracore_operator.rollouts.view import build_view
from hydracore_operator.rollouts.writes import Writes

log = structlog.get_logger(__name__)


def new_task_id() -> str:
    """Return a fresh UUIDv4."""
    return str(uuid4())


class TenantReconciler:
    """Brings all rollouts of a tenant forward. Keys are namespaces.

    Between calls it only drives the orders in flight; each of their ends wakes the tenant.
    """

    def __init__(
        self,
        ctx: Context,
        *,
        timing: Timing | None = None,
        new_id: Callable[[], str] = new_task_id,
    ) -> None:
        """Take the outer world.

        Args:
            ctx: What the operator hands to every reconciler.
            timing: Durations; tests use shorter ones.
            new_id: Makes task ids.
        """
        self._ctx = ctx
        self._timing = timing or Timing()
        self._executor = Executor(new_id)
        self._cap = Cap(ctx)
        self._tenants: dict[str, Tenant] = {}

    async def reconcile(self, key: str) -> datetime | timedelta | None:
        """Plan for a namespace and carry the plan out.

        Args:
            key: The namespace's name.

        Returns:
            When time alone changes what is to be done, if ever.

        Raises:
            NotLeader: This process does not lead any more.
            RetryLater: A rollout cannot be admitted yet; all else was done nevertheless.
            KubeError: Something could not be read or written; all else was done nevertheless.
        """
        tenant = await self._tenant(key)
        if tenant is None:
            return None
        await self._pace(tenant)
        for left in reversed(range(self._timing.passes)):
            wake, again = await self._pass(tenant, last=left == 0)
            if not again:
                return wake
        return timedelta(seconds=self._timing.coalesce)

    async def close(self) -> None:
        """End everything that is under way, at once; what is in flight is found again later."""
        tenants = list(self._tenants.values())
        self._tenants.clear()
        await asyncio.gather(*(tenant.close() for tenant in tenants))

    def in_flight(self, namespace: str) -> int:
        """Return how many orders of a tenant this process follows now."""
        tenant = self._tenants.get(namespace)
        return 0 if tenant is None else len(tenant.drives)

    async def _tenant(self, namespace: str) -> Tenant | None:
        """Return what is kept of a tenant under this leadership; None for a vanished one."""
        epoch = self._ctx.epoch()
        found = self._ctx.stores.namespaces.get(namespace)
        known = self._tenants.get(namespace)
        if known is not None and (
            found is None or found.metadata.uid != known.uid or known.epoch != epoch
        ):
            await self._forget(known, gone=found is None or found.metadata.uid != known.uid)
            known = None
        if found is None:
            return None
        if known is None:
            known = self._new_tenant(namespace, found.metadata.uid, epoch)
            await self._read_afresh(known)
            self._tenants[namespace] = known
        return known

    def _new_tenant(self, namespace: str, uid: str, epoch: int) -> Tenant:
        ctx = self._ctx
        ledger = Ledger(
            ctx.kube,
            operator_namespace=ctx.settings.operator_namespace,
            namespace=namespace,
            namespace_uid=uid,
        )
        trail = StoredTrail(ctx.stores, ctx.now)
        writes = Writes(ctx.kube, conflicts=self._timing.conflicts, trail=trail)
        return Tenant(ctx, namespace, uid, epoch, ledger, self._timing, writes)

    async def _read_afresh(self, tenant: Tenant) -> None:
        """Read the ledger and the targets of a tenant that this leadership has not seen yet."""
        await tenant.ledger.load()
        targets, _ = await self._ctx.kube.list(RolloutTarget, tenant.namespace)
        for target in targets:
            self._ctx.stores.targets.upsert(target)

    async def _forget(self, tenant: Tenant, *, gone: bool) -> None:
        await tenant.close()
        if gone:
            await tenant.ledger.remove()
            self._cap.forget(tenant)
        self._tenants.pop(tenant.namespace, None)

    async def _pace(self, tenant: Tenant) -> None:
        """Let a little time pass between two passes, so that one write serves many targets.

        It is cut short, but not to nothing, as soon as there are many slots to fill.
        """
        timing, took = self._timing, tenant.pass_seconds
        since = self._ctx.clock.monotonic() - tenant.pass_ended
        await asyncio.sleep(timing.pause(took, hurry=True) - since)
        rest = timing.pause(took, hurry=False) - (self._ctx.clock.monotonic() - tenant.pass_ended)
        if rest > 0 and not tenant.hurry.is_set():
            # Not wait_for: in Python 3.11 it loses a cancellation that comes with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await tenant.hurry.wait()
        tenant.hurry.clear()

    async def _pass(
        self, tenant: Tenant, *, last: bool
    ) -> tuple[datetime | timedelta | None, bool]:
        """Plan once and apply it; return when to come again, and whether to plan again at once."""
        began = self._ctx.clock.monotonic()
        try:
            await self._settle_ledger(tenant)
        except STALE:
            return None, True
        except Exception:
            self._cap.rest(tenant)
            raise
        freeing = set(tenant.freeing)
        view = build_view(tenant, self._cap.granted(tenant))
        found = plan(view)
        tenant.limit, tenant.seen = found.limit, view.targets
        tenant.pass_seconds = self._ctx.clock.monotonic() - began
        moved, fault = await self._share(tenant, found.wanted)
        if moved:
            return None, True
        applied = await self._executor.apply(tenant, found)
        if fault is not None:
            applied.failed(fault)
        await self._flush(tenant, applied, freeing, last=last)
        tenant.pass_ended = self._ctx.clock.monotonic()
        self._raise(tenant, applied)
        return self._earliest(found.wake_at, applied.wake), applied.again

    async def _share(self, tenant: Tenant, wanted: int) -> tuple[bool, Exception | None]:
        """Move the tenant towards its share of the platform's slots.

        Returns:
            Whether to plan anew, and what keeps the platform from granting more; with that all
            else goes on.
        """
        try:
            return await self._cap.balance(tenant, wanted), None
        except STALE:
            return True, None
        except UnreadableLedgerError as error:
            log.error("platform_ledger_unreadable", fault=str(error))  # noqa: TRY400 - says it all
            fault: Exception = RetryLater(str(error), timedelta(seconds=self._timing.retry))
        except KubeError as error:
            fault = error
        if not tenant.ledger.loaded:
            raise fault
        return False, fault

    async def _settle_ledger(self, tenant: Tenant) -> None:
        """Know the ledger, and have every order in it that may be out."""
        tenant.lead()
        ledger = tenant.ledger
        if not ledger.loaded:
            await ledger.load()
        tenant.freeing |= ledger.doubtful
        ledger.doubtful.clear()
        tenant.freeing &= ledger.entries.keys()
        await adopt(tenant)

    async def _flush(
        self, tenant: Tenant, applied: Applied, known: set[str], *, last: bool
    ) -> None:
        """Free slots; those freed during this pass wait for the next, which may claim them at once.

        That one comes at its pace: while many orders end, each pass would free some, and planning
        without a pause would leave the orders themselves no time.
        """
        if not tenant.freeing:
            return
        if tenant.freeing - known and not last:
            applied.wake_in(timedelta(seconds=self._timing.coalesce))
            return
        try:
            await flush(tenant)
        except Exception as error:  # noqa: BLE001 - raised at the end of the pass
            applied.failed(error)

    def _raise(self, tenant: Tenant, applied: Applied) -> None:
        for error in applied.errors[1:]:
            log.warning("intent_failed", namespace=tenant.namespace, error=str(error))
        if applied.errors:
            raise applied.errors[0]

    def _earliest(
        self, at: datetime | None, after: timedelta | None
    ) -> datetime | timedelta | None:
        if at is None or after is None:
            return at or after
        return min(at, self._ctx.now() + after)
