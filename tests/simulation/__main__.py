"""A simulated fleet as a process: ``python -m tests.simulation --public-key K --agents 2000``.

Prints one JSON line as soon as all agents answer: ``{"control": URL, "agents": N, "pid": P}``. What
can be asked at the control address is told by :class:`tests.simulation.control.Control`. Ends with
SIGTERM, SIGINT, or when its standard input is closed (``--until-eof``).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import signal
import sys

import orjson
import uvloop

from tests.simulation.agents import AgentFleet
from tests.simulation.control import Control

FILES = 65536


async def serve(args: argparse.Namespace) -> None:
    loop, control, stop = asyncio.get_running_loop(), Control(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if args.until_eof:
        loop.add_reader(sys.stdin.fileno(), lambda: os.read(0, 1024) or stop.set())
    fleet = AgentFleet(args.public_key, verify=args.verify, other=control.handle)
    control.fleet = fleet
    for _ in range(args.agents):
        fleet.add(push_seconds=args.order_seconds)
    async with fleet:
        url = f"http://127.0.0.1:{fleet.port}"
        line = {"control": url, "agents": len(fleet.agents), "pid": os.getpid()}
        sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.simulation", description=__doc__)
    parser.add_argument("--public-key", required=True, help="control plane's, raw, base64")
    parser.add_argument("--agents", type=int, default=10, help="at most 1,000,000")
    parser.add_argument("--order-seconds", type=float, default=0.2, help="time of one order")
    parser.add_argument(
        "--no-verify",
        dest="verify",
        action="store_false",
        help="do not check tokens' signatures: that CPU belongs to servers that are not there",
    )
    parser.add_argument("--until-eof", action="store_true", help="end with standard input")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, most), most))
    uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
