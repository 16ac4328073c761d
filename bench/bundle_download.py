"""A bundle to many agents at once: the API's memory and the rate, by kind of object store.

Run it with ``python -m bench bundles``. A real API process serves a bundle of 100 MB to 50
clients at once from a folder, then from a real S3 server (streamed through the API), then it sends
them to that server by signed URLs. Every byte is checked against the digest. All of it shares one
machine, the clients' hashing too, so rates are no more than what this machine has left; memory is
the API process's alone, as the kernel counts it.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import random
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench import results
from bench.machine import facts
from hydracore_artifacts.location import S3Access
from hydracore_artifacts.store import ArtifactStore
from hydracore_devcluster.build import provide_tools
from hydracore_devcluster.layout import find_project
from hydracore_devcluster.progress import Progress
from hydracore_devcluster.toolset import S3_TOOLS
from tests.api.support.downloads import ApiProcess, api_process, fetch_many
from tests.api.support.files import make_settings
from tests.api.support.memory import peak_mib, reset_peak, resident_mib
from tests.support.s3.server import S3Server

MB = 1_000_000
CLIENTS = 50
BUNDLE_BYTES = 100 * MB
WARM_UP_BYTES = 64 * 1024
PIECE = 1024 * 1024
MAX_SECONDS = 900


@dataclass(frozen=True)
class Case:
    """One kind of store, measured."""

    name: str
    clients: int
    bundle_mb: float
    idle_rss_mb: float
    peak_rss_mb: float
    growth_mb: float
    seconds: float
    mb_per_s: float
    api_cpu_s: float
    served_by_api: int


@dataclass(frozen=True)
class Way:
    """How agents get a bundle."""

    name: str
    url: str
    access: S3Access
    environment: dict[str, str]


def main(args: argparse.Namespace) -> None:
    """Measure all cases, print them and write them down."""
    clients, size = (5, 10 * MB) if args.quick else (CLIENTS, BUNDLE_BYTES)
    program = provide_tools(S3_TOOLS, find_project(), os.environ, Progress(sys.stderr))
    server = S3Server(program / S3_TOOLS.programs[0])
    try:
        server.start()
        with tempfile.TemporaryDirectory(prefix="hc-bench-") as folder:
            run = measure_all(server, Path(folder), clients, size)
            cases = asyncio.run(asyncio.wait_for(run, MAX_SECONDS))
    finally:
        server.remove()
    show(cases)
    found = {"machine": facts({}), "cases": [asdict(case) for case in cases]}
    print(f"written to {results.write('bundles', found, args.out)}")


async def measure_all(server: S3Server, folder: Path, clients: int, size: int) -> list[Case]:
    """Publish to each store and measure each way, one after the other."""
    bundle, warm_up = folder / "bundle", folder / "warm-up"
    wanted, small = write(bundle, size), write(warm_up, WARM_UP_BYTES)
    cases = []
    for way in ways(server, folder):
        store = ArtifactStore(way.url, way.access)
        await store.put(wanted, bundle)
        await store.put(small, warm_up)
        settings = make_settings(folder, artifacts_url=way.url)
        async with api_process(settings, folder, way.environment) as api:
            # What is loaded at the first use is no growth.
            await fetch_many(api.url, small, clients)
            cases.append(await measure(way.name, api, wanted, clients, size))
    return cases


def ways(server: S3Server, folder: Path) -> list[Way]:
    """Return the kinds of stores."""
    url = f"s3://{server.bucket()}/bundles"
    s3 = server.environment(url)
    signed = {**s3, "HYDRACORE_ARTIFACTS_SIGNED_URLS": "true"}
    return [
        Way("folder", (folder / "artifacts").as_uri(), S3Access(), {}),
        Way("s3, through the API", url, server.access, s3),
        Way("s3, signed URLs", url, server.access, signed),
    ]


async def measure(name: str, api: ApiProcess, sha256: str, clients: int, size: int) -> Case:
    """Let all clients fetch at once; check what they got."""
    idle = resident_mib(api.pid)
    reset_peak(api.pid)
    cpu, began = cpu_seconds(api.pid), time.monotonic()
    got = await fetch_many(api.url, sha256, clients)
    seconds = time.monotonic() - began
    peak = peak_mib(api.pid)
    if any((one.sha256, one.size) != (sha256, size) for one in got):
        raise SystemExit(f"{name}: a client got other bytes")
    return Case(
        name=name,
        clients=clients,
        bundle_mb=size / MB,
        idle_rss_mb=round(idle, 1),
        peak_rss_mb=round(peak, 1),
        growth_mb=round(peak - idle, 1),
        seconds=round(seconds, 2),
        mb_per_s=round(size * clients / MB / seconds, 1),
        api_cpu_s=round(cpu_seconds(api.pid) - cpu, 2),
        served_by_api=sum(one.host == urlsplit(api.url).netloc for one in got),
    )


def write(path: Path, size: int) -> str:
    """Write bytes that do not compress; return their digest."""
    source, hasher, left = random.Random(size), hashlib.sha256(), size
    with path.open("wb") as out:
        while left:
            piece = source.randbytes(min(PIECE, left))
            hasher.update(piece)
            out.write(piece)
            left -= len(piece)
    return hasher.hexdigest()


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(cases: list[Case]) -> None:
    """Print the table."""
    row = "{:<22}{:>9}{:>10}{:>10}{:>10}{:>10}{:>9}{:>9}"
    print(
        row.format("store", "clients", "idle MiB", "peak MiB", "growth", "seconds", "MB/s", "cpu s")
    )
    for case in cases:
        numbers = (case.clients, case.idle_rss_mb, case.peak_rss_mb, case.growth_mb)
        rates = (case.seconds, case.mb_per_s, case.api_cpu_s)
        print(row.format(case.name, *numbers, *rates))
