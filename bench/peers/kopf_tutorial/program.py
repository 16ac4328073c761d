"""Runs the handlers as ``kopf run`` does, on the same event loop, and says when it watches.

``PEER_JOB`` and ``KUBECONFIG`` are in the environment.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import kopf
import uvloop

from bench.peers import leading
from bench.peers.kopf_tutorial import handlers


async def main() -> None:
    """Play the part of the leading process."""
    kopf.configure(verbose=False)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    ready, stop = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _read, stop)
    telling = asyncio.create_task(_tell(ready))
    await kopf.operator(
        namespaces=[handlers.job.namespace], standalone=True, ready_flag=ready, stop_flag=stop
    )
    telling.cancel()


def _read(stop: asyncio.Event) -> None:
    """Take in what the harness says: nothing but its end matters."""
    if not os.read(sys.stdin.fileno(), 1024):
        stop.set()


async def _tell(ready: asyncio.Event) -> None:
    await ready.wait()
    leading.say(leading.READY)


if __name__ == "__main__":
    uvloop.run(main())
