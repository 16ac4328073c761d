"""The steps of a task up to its switch; each can be repeated after a kill."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hydracore_agent.orders.control import Control
from hydracore_agent.orders.download import Downloader, Source
from hydracore_agent.orders.manifest import Host, Manifest, check_manifest, read_manifest
from hydracore_agent.orders.outcome import Rejected
from hydracore_agent.orders.precompile import precompile
from hydracore_agent.orders.unpack import unpack
from hydracore_agent.orders.verify import check_signature, digest_file
from hydracore_agent.settings import BundleRef
from hydracore_agent.trust import Keys

UNPACKED_RATIO = 4
"""How much bigger a bundle is unpacked, for the check that it will fit."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """What to fetch, and where to put it.

    Attributes:
        part: File for the bundle's bytes.
        staged: Folder for the unpacked release.
    """

    bundle: BundleRef
    source: Source
    part: Path
    staged: Path


class Installer:
    """Fetches, checks and unpacks a bundle."""

    def __init__(
        self,
        downloader: Downloader,
        keys: Callable[[], Keys],
        host: Host,
        running: Path | None = None,
    ) -> None:
        """Take what it needs; ``running`` is the folder of the release that this process runs."""
        self._downloader = downloader
        self._keys = keys
        self._host = host
        self._running = running

    async def fetch(self, job: Job, control: Control) -> None:
        """Bring the bytes here, if the bundle's signature is one that counts.

        Raises:
            TaskEnded: refused, out of time or stopped.
        """
        check_signature(job.bundle, self._keys())
        await self._downloader.pull(job.source, job.part, control)

    async def verify(self, job: Job, control: Control, *, resumed: bool) -> None:
        """Check the digest of what was fetched.

        A file that was continued after a kill may be damaged by it: it is fetched anew once.

        Raises:
            TaskEnded: another digest, out of time or stopped.
        """
        found = await in_thread(control, lambda: digest_file(job.part, control.check))
        if found != job.bundle.sha256 and resumed:
            job.part.unlink(missing_ok=True)
            await self._downloader.pull(job.source, job.part, control)
            found = await in_thread(control, lambda: digest_file(job.part, control.check))
        if found != job.bundle.sha256:
            job.part.unlink(missing_ok=True)
            raise Rejected(
                f"the bytes fetched have digest {found}, the order is for {job.bundle.sha256}"
            )

    async def unpack(self, job: Job, control: Control) -> Manifest:
        """Unpack into the staging folder and check that the release can run here.

        Raises:
            TaskEnded: refused, out of time or stopped.
            OSError: the disk does not take it.
        """
        return await in_thread(control, lambda: self._unpack(job, control))

    def _unpack(self, job: Job, control: Control) -> Manifest:
        needed = job.bundle.size_bytes * UNPACKED_RATIO
        free = shutil.disk_usage(job.part.parent).free
        if free < needed:
            raise Rejected(
                f"the disk has {free} bytes free, but unpacking takes about {needed}: make room"
            )
        unpack(job.part, job.staged, control.check)
        manifest = read_manifest(job.staged)
        check_manifest(manifest, job.bundle.slug, job.bundle.version, self._host)
        if self._running is not None:
            precompile(job.staged, self._running, control.check)
        return manifest


async def in_thread(control: Control, work: Callable[[], T]) -> T:
    """Run blocking work in a thread; when cancelled, stop it and wait until it has ended."""
    future = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        control.stop()
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()
        raise
