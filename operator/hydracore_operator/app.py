"""The operator process: start, watch, lead, reconcile, stop.

It is crash-only: when its watches end or leadership is lost it stops with a reason and exit
status 1, and whoever runs it starts it again.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import Any

import structlog

from hydracore_history import HistoryUnavailable, SchemaOutdated
from hydracore_kube import Forbidden, KubeError, NotFound, Unavailable, memory
from hydracore_operator.clock import Clock, SystemClock
from hydracore_operator.controller.relist import Relister
from hydracore_operator.controller.watching import Watcher
from hydracore_operator.logs import configure_logs
from hydracore_operator.rollouts.ledgers import remove_vanished
from hydracore_operator.settings import OperatorSettings
from hydracore_operator.start import Opened, StartError, open_all
from hydracore_operator.status_server import StatusServer
from hydracore_operator.wiring import Factories, Wiring, default_factories

LISTS_SECONDS = 60.0
"""For how long the lists may fail (the API server just started) before giving up."""
HISTORY_SECONDS = 5.0
"""How often a database that was away at the start is looked at again."""
_DRAIN_SECONDS = 15.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger(__name__)


async def run(
    settings: OperatorSettings,
    *,
    factories: Factories | None = None,
    stop: asyncio.Event | None = None,
    clock: Clock | None = None,
) -> int:
    """Run an operator until it is told to stop or cannot go on.

    Args:
        settings: What to connect to.
        factories: How to build the reconcilers; the operator's own by default.
        stop: Set to stop; SIGTERM and SIGINT set it too.
        clock: Time.

    Returns:
        The process's exit status: 0 after a wanted stop, 1 otherwise (the log says why).
    """
    configure_logs(settings.log_format, settings.log_level)
    stop, clock = stop or asyncio.Event(), clock or SystemClock()
    try:
        async with open_all(settings, clock) as opened:
            reason = await _Operator(opened, factories or default_factories(), stop).run()
    except StartError as fault:
        reason = str(fault)
    if reason is None:
        log.info("operator_stopped")
        return 0
    log.error("operator_gave_up", reason=reason)
    return 1


class _Operator:
    """One run of the operator."""

    def __init__(self, opened: Opened, factories: Factories, stop: asyncio.Event) -> None:
        ctx = self._ctx = opened.ctx
        self._elector, self._epochs, self._queues = opened.elector, opened.epochs, opened.queues
        self._factories = factories
        self._stop = stop
        kubeconfig = str(ctx.settings.kubeconfig) if ctx.settings.kubeconfig else None
        self._relister = Relister(
            ctx.kube, ctx.stores.each(), every_seconds=ctx.settings.relist_seconds
        )
        self._watcher = Watcher(
            kubeconfig, ctx.stores.each(), listed=self._relister.want, clock=ctx.clock
        )
        self._wiring: Wiring | None = None
        self._listed = asyncio.Event()

    async def run(self) -> str | None:
        """Go on until told to stop (None) or until something ends that must not: the reason."""
        server = await self._serve_status()
        tasks = {
            asyncio.create_task(self._watch(), name="watches"),
            asyncio.create_task(self._relister.run(), name="lists"),
            asyncio.create_task(self._lead(), name="leadership"),
            asyncio.create_task(self._know_history(), name="history"),
            asyncio.create_task(self._until_signal(), name="stop"),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._stop.is_set():
                await self._drain(tasks)
                return None
            return _reason(done)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_DRAIN_SECONDS)
            await self._elector.release()
            if server is not None:
                await server.close()

    async def _know_history(self) -> None:
        """See that the database is of this version, as soon as it answers.

        Raises:
            StartError: It is not: whatever was to be stored there waits until it is migrated.
        """
        while True:
            try:
                await self._ctx.history.check()
            except SchemaOutdated as fault:
                raise StartError(str(fault)) from fault
            except HistoryUnavailable:
                await self._ctx.clock.sleep(HISTORY_SECONDS)
            else:
                await asyncio.Event().wait()

    async def _watch(self) -> None:
        """Watch, once everything was listed: what a watch begins with is known by then."""
        await self._listed.wait()
        await self._watcher.run()

    async def _lead(self) -> str:
        """Wait for leadership, work, and return why it ended.

        Whoever may lead at once lists once, as leader. Whoever has to wait lists now, and again
        when its turn comes: what the old leader wrote last must be known.
        """
        if not await self._elector.attempt():
            await self._list()
            await self._elector.acquire()
        hold = asyncio.create_task(self._elector.hold(), name="hold")
        work = asyncio.create_task(self._work(), name="work")
        try:
            await asyncio.wait({hold, work}, return_when=asyncio.FIRST_COMPLETED)
            if hold.done():
                return f"leadership lost: {hold.result()}"
            await work
            return "the work ended"
        finally:
            # At once: nothing may be done under a leadership that is lost.
            work.cancel()
            hold.cancel()
            with suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await asyncio.gather(work, hold, return_exceptions=True)

    async def _work(self) -> None:
        await self._epochs.remember(self._elector.epoch)
        await self._list()
        await self._tidy()
        memory.settle()
        self._wiring = Wiring(
            self._ctx, self._queues, self._factories, gate=self._elector.is_leader
        )
        await self._wiring.run()

    async def _tidy(self) -> None:
        """Remove what ended while nobody led; a fault here is no reason not to work."""
        try:
            await remove_vanished(self._ctx.kube, self._ctx.settings.operator_namespace)
        except KubeError as fault:
            log.warning("ledgers_not_tidied", fault=fault.message)

    async def _list(self) -> None:
        """List every kind; the API server may need a moment to come up and to know our rights."""
        clock = self._ctx.clock
        deadline = clock.monotonic() + LISTS_SECONDS
        while True:
            try:
                await self._relister.fresh()
            except NotFound as missing:
                raise StartError(
                    f"a kind is missing in the cluster: {missing}. "
                    "Install the definitions: kubectl apply -f crds/"
                ) from missing
            except (Unavailable, Forbidden) as away:
                if clock.monotonic() > deadline:
                    raise StartError(f"the cluster cannot be read: {away}") from away
                log.warning("lists_failed", fault=str(away))
            else:
                self._listed.set()
                return
            await clock.sleep(1.0)

    async def _drain(self, tasks: set[asyncio.Task[Any]]) -> None:
        if self._wiring is None:
            return
        self._wiring.stop()
        leading = {task for task in tasks if task.get_name() == "leadership"}
        await asyncio.wait(leading, timeout=_DRAIN_SECONDS)

    async def _until_signal(self) -> None:
        self._take_signals()
        try:
            async with asyncio.TaskGroup() as group:
                again = group.create_task(self._take_signals_back())
                await self._stop.wait()
                again.cancel()
        finally:
            loop = asyncio.get_running_loop()
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    async def _take_signals_back(self) -> None:
        """Take the signals once more when kopf starts, which takes them for itself."""
        await self._watcher.started.wait()
        self._take_signals()

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            # Only the main thread may take signals; elsewhere the caller's `stop` ends the run.
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self._stop.set)

    async def _serve_status(self) -> StatusServer | None:
        address = self._ctx.settings.operator_status_addr
        if address is None:
            return None
        server = StatusServer(address, ready=self._ready, status=self.status)
        try:
            port = await server.start()
        except OSError as fault:
            raise StartError(
                f"HYDRACORE_OPERATOR_STATUS_ADDR={address}: {fault.strerror or fault}. "
                "Choose a free port, or leave it unset."
            ) from fault
        log.info("status_served", address=address, port=port)
        return server

    def _ready(self) -> bool:
        return all(store.ready.is_set() for store in self._ctx.stores.each())

    def status(self) -> dict[str, Any]:
        """Return what this process knows and does, for probes and people."""
        return {
            "identity": self._elector.identity,
            "leading": self._elector.is_leader(),
            "holder": self._elector.holder,
            "epoch": self._elector.epoch,
            "objects": {s.kind.KIND.plural: len(s) for s in self._ctx.stores.each()},
            "watchAgeSeconds": {p: round(a, 1) for p, a in self._watcher.ages().items()},
            "queues": {queue.name: queue.metrics() for queue in self._queues.each()},
            "health": self._wiring.health() if self._wiring is not None else {},
        }


def _reason(done: set[asyncio.Task[Any]]) -> str:
    task = next(iter(done))
    fault = task.exception() if not task.cancelled() else None
    if isinstance(fault, StartError):
        return str(fault)
    if fault is not None:
        log.error("task_failed", task=task.get_name(), exc_info=fault)
        return f"{task.get_name()}: {type(fault).__name__}: {fault}"
    return str(task.result()) if not task.cancelled() else f"{task.get_name()} was cancelled"
