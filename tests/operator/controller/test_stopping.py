"""The watcher ends soon although all its watches have just been ended, as by a new API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hydracore_crds import KINDS, Resource
from hydracore_kube import Namespace
from hydracore_operator.context import Stores
from hydracore_operator.controller.watching import Watcher
from tests.operator.fakes import until

# In a loop of its own: it counts the tasks that stay.
pytestmark = pytest.mark.asyncio(loop_scope="function")

GROUP, VERSION = "hydracore.io", "v1alpha1"
GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410}}


class ForgetfulServer:
    """An API server without objects, which ends all watches at once with "410 Gone"."""

    def __init__(self) -> None:
        self.watching: set[str] = set()
        self.gone = asyncio.Event()

    @asynccontextmanager
    async def serve(self, folder: Path) -> AsyncIterator[str]:
        """Serve inside of this, and give the path of a kubeconfig."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(json.dumps(_kubeconfig(runner.addresses[0][1])))
        try:
            yield str(kubeconfig)
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path in DISCOVERY:
            return web.json_response(DISCOVERY[request.path])
        if "watch" not in request.query:
            return web.json_response({"items": [], "metadata": {"resourceVersion": "1"}})
        stream = web.StreamResponse()
        await stream.prepare(request)
        self.watching.add(request.path)
        await self.gone.wait()
        await stream.write(json.dumps(GONE).encode() + b"\n")
        return stream


def _resource(kind: type[Resource]) -> dict[str, Any]:
    return {
        "name": kind.KIND.plural,
        "singularName": "",
        "kind": kind.__name__,
        "namespaced": kind.KIND.namespaced,
        "verbs": ["list", "watch"],
    }


DISCOVERY: dict[str, Any] = {
    "/api": {"versions": ["v1"]},
    "/api/v1": {"resources": [_resource(Namespace)]},
    "/apis": {
        "groups": [
            {
                "name": GROUP,
                "versions": [{"version": VERSION}],
                "preferredVersion": {"version": VERSION},
            }
        ]
    },
    f"/apis/{GROUP}/{VERSION}": {"resources": [_resource(kind) for kind in KINDS]},
}


def _kubeconfig(port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }


async def test_it_ends_while_all_watches_begin_anew(tmp_path: Path) -> None:
    server, stores = ForgetfulServer(), Stores()
    async with server.serve(tmp_path) as kubeconfig:
        watcher = Watcher(kubeconfig, stores.each(), listed=lambda _plural: None)
        before = asyncio.all_tasks()
        task = asyncio.create_task(watcher.run())
        await until(lambda: len(server.watching) == len(stores.each()))
        server.gone.set()
        task.cancel()
        async with asyncio.timeout(5):
            await asyncio.wait([task])
        left = {one.get_name() for one in asyncio.all_tasks() - before}
    assert task.cancelled()
    assert [name for name in left if name.startswith(("watcher for ", "multidimensional"))] == []
