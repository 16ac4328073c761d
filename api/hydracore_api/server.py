"""Runs the API under uvicorn: one process, one port, a clean end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
import uvicorn
import uvloop

from hydracore_agentclient import KeyFileError
from hydracore_api.app import create_app
from hydracore_api.auth.keys import ServerSecretError
from hydracore_api.protocol import within
from hydracore_api.services import Services
from hydracore_api.settings import Settings
from hydracore_api.watch import WatchCache
from hydracore_artifacts.errors import ArtifactError
from hydracore_artifacts.errors import KeyFileError as BundleKeyFileError
from hydracore_history import HistoryUnavailable, SchemaOutdated
from hydracore_kube import KubeconfigError, memory

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 75
SHUTDOWN_SECONDS = 10
CANNOT_START = 1

StartError = (
    KeyFileError,
    BundleKeyFileError,
    KubeconfigError,
    ServerSecretError,
    SchemaOutdated,
    ArtifactError,
    ValueError,
    OSError,
)
"""What keeps the API from starting; each message names the setting or file."""

log = structlog.get_logger(__name__)


class Server(uvicorn.Server):
    """Tells where it listens as soon as it answers."""

    def __init__(self, config: uvicorn.Config, url: str, listen_file: Path | None) -> None:
        super().__init__(config)
        self._url = url
        self._listen_file = listen_file

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM end the serving, and nothing more: the exit code is ours."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce the URL."""
        await super().startup(sockets=sockets)
        if not self.started:
            return
        if self._listen_file is not None:
            staged = self._listen_file.with_name(f".{self._listen_file.name}.new")
            staged.write_text(self._url + "\n", encoding="utf-8")
            staged.replace(self._listen_file)
        sys.stdout.write(f"HydraCore API listens on {self._url}\n")
        sys.stdout.flush()
        log.info("api_listening", url=self._url)


def run(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM.

    Returns:
        The exit code: 0 after a clean end, 1 where it could not start (the reason is written to
        stderr).
    """
    configure_logs()
    try:
        return uvloop.run(serve(settings))
    except StartError as fault:
        sys.stderr.write(f"The API cannot start: {fault}\n")
        return CANNOT_START


def configure_logs() -> None:
    """Write logs as JSON lines to stderr; requests are not logged one by one."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


async def serve(settings: Settings) -> int:
    """Serve within a running loop; see :func:`run`."""
    with bind(settings) as listener:
        services = await Services.open(settings)
        try:
            await services.history.check()
        except HistoryUnavailable as fault:
            # It may come back: serve, and say in /readyz that it is away.
            log.warning("database_unavailable", fault=str(fault))
        except SchemaOutdated:
            await services.close()
            raise
        config = uvicorn.Config(
            create_app(settings, services=services),
            http=within(settings.receive_seconds),
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        server = Server(config, url_of(listener), settings.listen_file)
        settling = asyncio.create_task(_settle(services.cache), name="settle-memory")
        await server.serve(sockets=[listener])
        settling.cancel()
        return 0 if server.started else CANNOT_START


async def _settle(cache: WatchCache) -> None:
    """Once the first lists are in, keep the garbage collector from walking through them."""
    for store in cache.stores:
        await store.ready.wait()
    memory.settle()


def bind(settings: Settings) -> socket.socket:
    """Open the listening socket; port 0 takes a free one.

    Raises:
        OSError: The address is taken or not ours; the message names it.
        ValueError: ``listen`` is not ``host:port``.
    """
    host, port = settings.address()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as fault:
        listener.close()
        raise OSError(
            f"cannot listen on {host}:{port}: {fault.strerror or fault}. Set HYDRACORE_LISTEN to "
            "another host:port; port 0 takes a free one"
        ) from fault
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the URL under which a listening socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def main() -> int:
    """Run with the settings of the environment."""
    return run(Settings())


if __name__ == "__main__":
    sys.exit(main())
