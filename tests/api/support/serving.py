"""The app behind a real uvicorn on loopback, for what an ASGI transport cannot show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from hydracore_api.protocol import within
from hydracore_api.server import bind, url_of
from tests.api.support.world import World


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[str]:
    with bind(world.settings) as listener:
        config = uvicorn.Config(
            world.app,
            http=within(world.settings.receive_seconds),
            ws="none",
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield url_of(listener)
        finally:
            server.should_exit = True
            await task
