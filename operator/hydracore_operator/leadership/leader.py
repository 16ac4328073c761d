"""Leadership by a Lease, whose transition count is the epoch.

``kubernetes.aio.leaderelection`` does not fit: it never writes ``leaseTransitions`` (our epoch),
measures its deadlines by the wall clock, ends with an exception when the connection breaks, and
cannot say whether leadership still holds after the process was frozen. The rules here are those
of client-go's election:

* The holder renews every ``retry`` seconds and stops leading once its last renewal, counted from
  before it was sent, is older than ``renew_deadline`` (two thirds of the lease).
* Others take over once they have seen the Lease unchanged for its whole duration, by their own
  monotonic clock. So the old holder has always stopped before, whatever the wall clocks say.

Agents refuse epochs lower than one they have heard, so that the count must never fall: also where
somebody deletes the Lease, a new leadership begins above every epoch that is on record.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from hydracore_crds.base import format_time
from hydracore_kube import AlreadyExists, Conflict, KubeClient, KubeError, NotFound, Where
from hydracore_operator.clock import Clock, SystemClock

LEASE_NAME = "hydracore-operator"
_API = "coordination.k8s.io/v1"

log = structlog.get_logger(__name__)


async def no_floor() -> int:
    """Return that no epoch is on record."""
    return 0


@dataclass(frozen=True, slots=True)
class _Seen:
    """The Lease as this process saw it last, and since when it looks like that."""

    holder: str
    renewed: str
    epoch: int
    duration: float
    since: float


class Elector:
    """One candidate. :meth:`attempt` or :meth:`acquire`, :meth:`hold`, then :meth:`release`."""

    def __init__(
        self,
        kube: KubeClient,
        *,
        namespace: str,
        identity: str,
        lease_seconds: float = 15.0,
        name: str = LEASE_NAME,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
        floor: Callable[[], Awaitable[int]] = no_floor,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            kube: The API server.
            namespace: Where the Lease is.
            identity: Name of this process. Where the Lease bears it before this process has led,
                it is another process's: an earlier one's under a name set by hand.
            lease_seconds: After so long without renewal another may lead.
            name: Of the Lease.
            clock: Time.
            jitter: Spreads the tries.
            floor: Returns the highest epoch on record; asked before each new leadership. It may
                raise :class:`KubeError`; then this process does not lead yet.
        """
        self.identity = identity
        self.lease_seconds = lease_seconds
        self.renew_deadline = lease_seconds * 2 / 3
        self._retry = lease_seconds * 2 / 15
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self._clock = clock or SystemClock()
        self._jitter = jitter
        self._floor = floor
        self._seen: _Seen | None = None
        self._epoch = 0
        self._renewed_at: float | None = None

    @property
    def epoch(self) -> int:
        """The number of this process's leadership; 0 while it has never led."""
        return self._epoch

    @property
    def holder(self) -> str:
        """Who held the Lease when it was last seen; empty if nobody."""
        return self._seen.holder if self._seen else ""

    def is_leader(self) -> bool:
        """Whether nobody else can lead now.

        False as soon as the last successful renewal is older than the renew deadline, also right
        after this process was frozen and before it noticed.
        """
        return (
            self._renewed_at is not None
            and self._clock.monotonic() - self._renewed_at < self.renew_deadline
        )

    async def attempt(self) -> bool:
        """Take the leadership if nobody holds it now; return whether this process leads."""
        won = await self._try()
        if won:
            log.info("leading", identity=self.identity, epoch=self._epoch)
        return won

    async def acquire(self) -> int:
        """Wait until this process leads; return the epoch. API faults are waited out."""
        while True:
            if await self.attempt():
                return self._epoch
            await self._clock.sleep(self._retry * (0.5 + self._jitter()))

    async def hold(self) -> str:
        """Renew until leadership is lost; return why."""
        while True:
            await self._clock.sleep(self._retry)
            if not self.is_leader():
                return self._lost("the last renewal is older than the renew deadline")
            epoch, renewed = self._epoch, False
            try:
                async with asyncio.timeout(self._left()):
                    renewed = await self._try()
            except TimeoutError:
                return self._lost("the API server did not confirm a renewal in time")
            if self._epoch != epoch:
                return self._lost("the Lease was taken and taken back meanwhile")
            if not renewed and self._seen is not None and self._seen.holder != self.identity:
                return self._lost(f"{self._seen.holder or 'nobody'} holds the Lease now")

    async def release(self) -> None:
        """Give the Lease up so that another need not wait; faults are only logged."""
        led, self._renewed_at = self.is_leader(), None
        if not led:
            return
        try:
            lease = await self._kube.get_raw(self._where())
            spec = lease.get("spec") or {}
            if spec.get("holderIdentity") == self.identity:
                spec.pop("holderIdentity")
                await self._kube.replace_raw(self._where(), {**lease, "spec": spec})
        except KubeError as fault:
            log.warning("lease_not_released", fault=fault.message)

    # ---- inside ----------------------------------------------------------------------------
    def _left(self) -> float:
        renewed_at = self._renewed_at if self._renewed_at is not None else float("-inf")
        return max(0.0, renewed_at + self.renew_deadline - self._clock.monotonic())

    def _lost(self, why: str) -> str:
        self._renewed_at = None
        log.error("leadership_lost", identity=self.identity, epoch=self._epoch, reason=why)
        return why

    async def _try(self) -> bool:
        """Create, renew or take over the Lease if that is allowed; return whether it worked."""
        started = self._clock.monotonic()
        try:
            lease = await self._kube.get_raw(self._where())
        except NotFound:
            return await self._create(started)
        except KubeError as fault:
            log.warning("lease_unreadable", fault=fault.message)
            return False
        seen = self._look(lease)
        mine = seen.holder == self.identity and self._epoch > 0
        duration = max(self.lease_seconds, seen.duration)
        free = not seen.holder or self._clock.monotonic() - seen.since > duration
        if not (mine or free):
            return False
        epoch = seen.epoch if mine else await self._next_epoch(seen.epoch)
        return epoch is not None and await self._write(lease, epoch, started, taken=not mine)

    async def _next_epoch(self, counted: int) -> int | None:
        """Return an epoch above all that are known; None where the record cannot be read."""
        try:
            return max(counted, self._epoch, await self._floor()) + 1
        except KubeError as fault:
            log.warning("epochs_unreadable", fault=fault.message)
            return None

    def _look(self, lease: dict[str, Any]) -> _Seen:
        spec = lease.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        renewed = str(spec.get("renewTime") or "")
        epoch = int(spec.get("leaseTransitions") or 0)
        known = self._seen
        if known is None or (known.holder, known.renewed, known.epoch) != (holder, renewed, epoch):
            duration = float(spec.get("leaseDurationSeconds") or 0)
            known = _Seen(holder, renewed, epoch, duration, self._clock.monotonic())
        self._seen = known
        return known

    async def _create(self, started: float) -> bool:
        epoch = await self._next_epoch(0)
        if epoch is None:
            return False
        body = {
            "apiVersion": _API,
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": self._spec({}, epoch, taken=True),
        }
        place = Where(_API, "leases", self._namespace)
        try:
            answer = await self._kube.create_raw(place, body)
        except AlreadyExists:
            return False
        except KubeError as fault:
            log.warning("lease_not_created", fault=fault.message)
            return False
        return self._won(answer, started)

    async def _write(
        self, lease: dict[str, Any], epoch: int, started: float, *, taken: bool
    ) -> bool:
        # The read resourceVersion goes along: of two candidates one gets a conflict.
        body = {**lease, "spec": self._spec(lease.get("spec") or {}, epoch, taken=taken)}
        try:
            answer = await self._kube.replace_raw(self._where(), body)
        except Conflict:
            return False
        except KubeError as fault:
            log.warning("lease_not_renewed", fault=fault.message)
            return False
        return self._won(answer, started)

    def _won(self, answer: dict[str, Any], started: float) -> bool:
        self._epoch = self._look(answer).epoch
        self._renewed_at = started
        return True

    def _spec(self, spec: dict[str, Any], epoch: int, *, taken: bool) -> dict[str, Any]:
        now = format_time(self._clock.now()).replace("Z", "000Z")  # metav1.MicroTime
        return {
            **spec,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": max(1, round(self.lease_seconds)),
            "leaseTransitions": epoch,
            "renewTime": now,
            **({"acquireTime": now} if taken or "acquireTime" not in spec else {}),
        }

    def _where(self) -> Where:
        return Where(_API, "leases", self._namespace, self._name)
