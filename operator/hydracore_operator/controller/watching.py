"""kopf, embedded: its watches feed the stores; here it is started, watched over and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import kopf
import structlog

from hydracore_crds import Resource
from hydracore_kube import KubeconfigError, ObjectStore
from hydracore_kube.connection import auth_headers, load_configuration, open_api_client
from hydracore_kube.paths import api_path, where_of
from hydracore_operator.clock import Clock, SystemClock
from hydracore_operator.context import FIELD_MANAGER
from hydracore_operator.controller.ending import end_tasks
from hydracore_operator.controller.generators import Generators
from hydracore_operator.controller.handlers import NoDiffBase, NoProgress, build_registry

WATCH_SECONDS = 240
"""The server is asked to end a watch after so long; the next request is a sign of life."""
STALE_SECONDS = 600.0
"""A kind without any sign of life for so long is blind: better to be restarted than to guess."""
CHECK_SECONDS = 10.0
_STOP_SECONDS = 10.0

log = structlog.get_logger(__name__)


class WatchEnded(Exception):  # noqa: N818
    """kopf's watches ended or fell silent; the process cannot go on without them."""


class Watcher:
    """Runs kopf's watches for some stores."""

    def __init__(
        self,
        kubeconfig: str | None,
        stores: Sequence[ObjectStore[Any]],
        *,
        listed: Callable[[str], None],
        clock: Clock | None = None,
        stale_seconds: float = STALE_SECONDS,
    ) -> None:
        """Prepare.

        Args:
            kubeconfig: As for the operator's own client.
            stores: One per kind to watch.
            listed: Called with a kind's plural when kopf lists it (again), so that the store can
                be compared with a complete list.
            clock: Time.
            stale_seconds: After so long without a sign of life a watch counts as blind.
        """
        self._kubeconfig = kubeconfig
        self._listed = listed
        self._clock = clock or SystemClock()
        self._stale_seconds = stale_seconds
        self._plurals = {api_path(where_of(s.kind)): s.kind.KIND.plural for s in stores}
        self._alive: dict[str, float] = {}
        self._registry = build_registry(stores, seen=self._seen)
        kopf.on.login(registry=self._registry, id="session")(self._login)
        self.started = asyncio.Event()
        self._failed = asyncio.Event()
        self._fault = ""

    def ages(self) -> dict[str, float]:
        """Return per kind (plural) the seconds since its watch's last sign of life."""
        now = self._clock.monotonic()
        return {plural: now - at for plural, at in self._alive.items()}

    async def run(self) -> None:
        """Watch until cancelled.

        kopf installs its own signal handlers when it starts; after ``started`` is set the caller
        may install others.

        Raises:
            WatchEnded: kopf gave up, or a watch shows no sign of life.
        """
        self._alive = dict.fromkeys(self._plurals.values(), self._clock.monotonic())
        with Generators(kopf.__name__).noticed() as generators:
            done = await self._watch(generators)
        raise WatchEnded(_why(done))

    async def _watch(self, generators: Generators) -> set[asyncio.Task[Any]]:
        """Run kopf's tasks until one of them, or of ours, ends: those that did."""
        tasks = set(
            await kopf.spawn_tasks(
                registry=self._registry, settings=kopf_settings(), clusterwide=True, standalone=True
            )
        )
        own = {
            asyncio.create_task(self._until_stale(), name="watch-ages"),
            asyncio.create_task(self._until_failed(), name="login"),
        }
        self.started.set()
        try:
            done, _ = await asyncio.wait(tasks | own, return_when=asyncio.FIRST_COMPLETED)
            return done
        finally:
            for task in own:
                task.cancel()
            late = await end_tasks(tasks, package=kopf.__name__, seconds=_STOP_SECONDS)
            for task in tasks - late:
                # What one of them died of is told once; the others' echoes count as heard.
                _ = task.cancelled() or task.exception()
            if not late:
                await generators.close()

    async def _until_stale(self) -> str:
        while True:
            await self._clock.sleep(CHECK_SECONDS)
            blind = {p: age for p, age in self.ages().items() if age > self._stale_seconds}
            if blind:
                names = ", ".join(f"{p} ({age:.0f} s)" for p, age in sorted(blind.items()))
                return f"no sign of life from the watches of {names}"

    async def _until_failed(self) -> str:
        await self._failed.wait()
        return self._fault

    async def _login(self, **_: Any) -> kopf.AiohttpSession:
        try:
            configuration = await load_configuration(self._kubeconfig)
            api = open_api_client(configuration, self._kubeconfig)
        except KubeconfigError as fault:
            # kopf itself would live on without credentials, and watch nothing.
            self._fault = str(fault)
            self._failed.set()
            raise kopf.PermanentError(str(fault)) from fault
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._request_ended)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=64, ssl=api.rest_client.ssl_context),
            headers={"User-Agent": FIELD_MANAGER, **await auth_headers(configuration)},
            proxy=configuration.proxy or None,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=2**21,
            trace_configs=[trace],
        )
        server = str(configuration.host)
        return kopf.AiohttpSession(server=server, aiohttp_session=session)

    async def _request_ended(
        self,
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        params: aiohttp.TraceRequestEndParams,
    ) -> None:
        plural = self._plurals.get(urlsplit(str(params.url)).path)
        if plural is None or params.method != "GET" or params.response.status != 200:  # noqa: PLR2004
            return
        if "watch" in params.url.query:
            self._alive[plural] = self._clock.monotonic()
        elif "continue" not in params.url.query:
            self._listed(plural)

    def _seen(self, kind: type[Resource]) -> None:
        self._alive[kind.KIND.plural] = self._clock.monotonic()


def kopf_settings() -> kopf.OperatorSettings:
    """Return settings with which kopf only reads: no progress, no Events, no peering, no CRDs."""
    settings = kopf.OperatorSettings()
    settings.persistence.progress_storage = NoProgress()
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.process.ultimate_exiting_timeout = None
    settings.watching.server_timeout = WATCH_SECONDS
    settings.watching.client_timeout = WATCH_SECONDS + 60
    settings.watching.connect_timeout = 5
    settings.watching.reconnect_backoff = 0.2
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    # About two minutes of 5xx before a watch gives up and the process is restarted.
    settings.networking.error_backoffs = (0.2, 0.5, 1, 2, 3, 5, 8, 13, 21, 34, 34)
    # A worker is bound to its object while it idles, so with a limit it must not idle for long.
    settings.queueing.worker_limit = 512
    settings.queueing.idle_timeout = 0.1
    settings.queueing.exit_timeout = 1.0
    return settings


def _why(done: set[asyncio.Task[Any]]) -> str:
    for task in done:
        if task.cancelled():
            continue
        fault = task.exception()
        if fault is not None:
            return f"{task.get_name()}: {type(fault).__name__}: {fault}"
        if isinstance(task.result(), str):
            return str(task.result())
    return "kopf stopped: " + ", ".join(sorted(task.get_name() for task in done))
