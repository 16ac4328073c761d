"""The cap over all tenants: who may have how many in flight, whoever believes to lead.

The platform's ledger says how many slots each tenant is *allotted*, a tenant's own ledger how many
it is *granted*; what is in flight is bounded by the grant, on the very content that a claim
replaces. At every moment, whatever was cut short and whoever writes:

    in flight <= granted <= allotted, and all that is allotted together <= cap

- *More* for a tenant: its ledger is read, then the platform's ledger is written, then its own.
- *Less* for a tenant: the platform's ledger is read, then its own is written, then the platform's.

All of these are compare-and-swap, and each really changes what it replaces, also where the outcome
of an earlier one is unknown. So of a raise and a
lowering that overlap one fails: if the raise wrote the platform's ledger after it was read for the
lowering, the lowering cannot write it; if before, the raise has read the tenant's ledger before the
lowering wrote it, and cannot write it. What is cut short leaves a tenant allotted more than it is
granted, and the next raise uses that.

A grant stays with its tenant, so that orders that follow each other cost nothing here. It is taken
back, as far as it is not in use, when another tenant is short of its fair share.
"""

from __future__ import annotations

import asyncio

import structlog

from hydracore_core.platform.shares import platform_limit, shares
from hydracore_crds.platform_policy import DEFAULT_NAME
from hydracore_operator.context import Context
from hydracore_operator.rollouts.allotments import Allotment, Allotments
from hydracore_operator.rollouts.grants import Grant
from hydracore_operator.rollouts.roll_call import call_roll
from hydracore_operator.rollouts.tenant import Tenant

log = structlog.get_logger(__name__)


class Cap:
    """The platform's slots in one process; its tenants' passes share it.

    All that it remembers besides the ledgers may be lost: tenants say anew what they want.
    """

    def __init__(self, ctx: Context) -> None:
        """Take the outer world."""
        self._ctx = ctx
        self._ledger = Allotments(ctx.kube, operator_namespace=ctx.settings.operator_namespace)
        self._lock = asyncio.Lock()
        self._called: int | None = None
        self._wants: dict[str, int] = {}
        self._used: dict[str, int] = {}
        self._claimed: dict[str, int] = {}
        self._turns: dict[str, int] = {}
        self._turn = 0
        self._gone: set[str] = set()

    def limit(self) -> int | None:
        """Return the cap that holds now; None if there is none."""
        return platform_limit(self._ctx.stores.platform.get(DEFAULT_NAME))

    def granted(self, tenant: Tenant) -> int | None:
        """Return how many slots a tenant may have; None where nothing bounds it but itself."""
        grant = tenant.ledger.grant
        if grant is not None:
            return grant.slots
        return None if self.limit() is None else 0

    async def balance(self, tenant: Tenant, wanted: int) -> bool:
        """Move a tenant towards its fair share, as far as others let it.

        Args:
            tenant: The tenant. Its ledger is loaded, and every order that may be out stands there.
            wanted: How many slots it could use now, those in use included.

        Returns:
            Whether its grant has changed, so that what was planned is out of date.

        Raises:
            LedgerMovedError: A ledger was written meanwhile: begin the pass anew.
            KubeError, UnreadableLedgerError: A ledger could not be read or written.
        """
        limit = self.limit()
        if limit is None:
            self._called = None
            return await self._lift(tenant)
        self._note(tenant, wanted)
        async with self._lock:
            await self._know(tenant.epoch)
            if not self._leads(tenant):
                return False
            await self._drop_gone(tenant.epoch)
            if len(tenant.ledger) > self._slots(tenant):
                # Orders that were out before anybody counted them.
                await self._raise(tenant, len(tenant.ledger))
                return True
            fair = self._shares(limit)
            free = limit - self._ledger.total
            if fair[tenant.uid] > self._slots(tenant) and free >= 0:
                return await self._more(tenant, fair, free)
            return await self._less(tenant, fair, free)

    def rest(self, tenant: Tenant) -> None:
        """Take in that a tenant cannot use anything now, so that others may have its share."""
        if self._wants.pop(tenant.uid, 0):
            self._wake(self._short(self._shares(self.limit() or 0)))

    def forget(self, tenant: Tenant) -> None:
        """Take in that a tenant's namespace and ledger are gone."""
        for known in (self._wants, self._used, self._claimed, self._turns):
            known.pop(tenant.uid, None)
        self._gone.add(tenant.uid)
        self._wake(self._short(self._shares(self.limit() or 0)))

    async def _lift(self, tenant: Tenant) -> bool:
        """Take a grant away, unless a later leader knows of a cap that we have not heard of."""
        grant = tenant.ledger.grant
        if grant is None or grant.epoch > tenant.lead():
            return False
        await tenant.ledger.regrant(None)
        return True

    async def _know(self, epoch: int) -> None:
        """Know the platform's ledger.

        It is not only read, since it may have been lost: then it says that all slots are free.
        """
        if self._called != epoch or not self._ledger.loaded:
            self._called = None
            await call_roll(self._ctx, self._ledger, epoch)
            self._called = epoch

    def _leads(self, tenant: Tenant) -> bool:
        """Whether no later leader has written one of the ledgers: it decides then."""
        tenant.lead()
        grant = tenant.ledger.grant
        return max(self._ledger.epoch, grant.epoch if grant is not None else 0) <= tenant.epoch

    async def _more(self, tenant: Tenant, fair: dict[str, int], free: int) -> bool:
        more = min(fair[tenant.uid], self._ledger.slots(tenant.uid) + free)
        if more > self._slots(tenant):
            await self._raise(tenant, more)
            return True
        self._wake(self._holders(fair))
        return False

    async def _less(self, tenant: Tenant, fair: dict[str, int], free: int) -> bool:
        """Give back what is not in use: if anybody is short, what is beyond the fair share.

        Where more is allotted than there is (``free`` is negative), even what is within it.
        """
        short, held, used = (
            self._short(fair),
            self._ledger.slots(tenant.uid),
            self._used[tenant.uid],
        )
        keep = max(fair[tenant.uid], used)
        if free < 0:
            keep = max(used, min(keep, held + free))
        if not (short or free < 0) or held <= keep:
            return False
        before = self._slots(tenant)
        # Never more than it was: a raise writes the platform's ledger first.
        wanted = Grant(min(keep, before), tenant.epoch)
        frees = set(tenant.freeing)
        await tenant.ledger.regrant(wanted, frees=frees)
        tenant.freeing -= frees
        await self._allot(tenant, keep)
        self._wake(short)
        return before != wanted.slots

    async def _raise(self, tenant: Tenant, slots: int) -> None:
        await self._allot(tenant, max(slots, self._ledger.slots(tenant.uid)))
        await tenant.ledger.regrant(Grant(slots, tenant.epoch))

    async def _allot(self, tenant: Tenant, slots: int) -> None:
        change = {tenant.uid: Allotment(tenant.namespace, slots)}
        await self._ledger.allot(change, epoch=tenant.epoch)

    async def _drop_gone(self, epoch: int) -> None:
        gone = self._gone & self._ledger.tenants.keys()
        if gone:
            await self._ledger.allot({uid: Allotment("", 0) for uid in gone}, epoch=epoch)
        self._gone.clear()

    def _note(self, tenant: Tenant, wanted: int) -> None:
        """Remember what a tenant wants and uses; who has claimed a slot has had its turn."""
        uid, ledger = tenant.uid, tenant.ledger
        if ledger.claimed != self._claimed.get(uid, 0):
            self._turn += 1
            self._turns[uid], self._claimed[uid] = self._turn, ledger.claimed
        self._wants[uid] = wanted
        self._used[uid] = len(ledger.entries.keys() - tenant.freeing)

    def _shares(self, limit: int) -> dict[str, int]:
        """Return the fair shares; what cannot be divided goes where it makes least change.

        Where there are more tenants than slots it goes round instead.
        """
        eager = sum(wanted > 0 for wanted in self._wants.values())

        def place(uid: str) -> tuple[int, str]:
            held = self._ledger.slots(uid)
            return (self._turns.get(uid, 0) if eager > limit else -held, uid)

        found = shares(self._wants, limit, sorted(self._wants, key=place))
        return {uid: found.get(uid, 0) for uid in {*self._ledger.tenants, *found}}

    def _short(self, fair: dict[str, int]) -> set[str]:
        """Return the tenants that hold less than their share."""
        return {uid for uid, share in fair.items() if self._ledger.slots(uid) < share}

    def _holders(self, fair: dict[str, int]) -> set[str]:
        """Return the tenants that could give something back at once."""
        return {
            uid
            for uid, found in self._ledger.tenants.items()
            if found.slots > max(fair[uid], self._used.get(uid, 0))
        }

    def _wake(self, uids: set[str]) -> None:
        names = {space.metadata.uid: space.key for space in self._ctx.stores.namespaces.all()}
        for uid in sorted(uids & names.keys()):
            self._ctx.wake_tenant(names[uid])

    def _slots(self, tenant: Tenant) -> int:
        grant = tenant.ledger.grant
        return grant.slots if grant is not None else 0
