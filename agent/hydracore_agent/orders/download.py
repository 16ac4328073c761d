"""Fetching a bundle: resumable, never more than its size, retried only where that can help."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from hydracore_agent.errors import describe_os_error
from hydracore_agent.files import sync_folder
from hydracore_agent.orders.control import Control
from hydracore_agent.orders.outcome import Rejected
from hydracore_agent.orders.redirect import signed_url
from hydracore_agent.settings import Tuning

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
RETRIED = frozenset({408, 425, 429})
REFUSED = frozenset({401, 403})
OK, PARTIAL, TEMPORARY_REDIRECT, RANGE_NOT_SATISFIABLE, SERVER_ERROR = 200, 206, 307, 416, 500
NEW_URLS = 4
"""So many new signed URLs are asked for in a row before a refusal is believed."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a bundle is.

    Attributes:
        url: Absolute.
        size_bytes: What it must have, no more and no less.
        token: Bearer token, or None where none must be sent. With one, it is the control plane
            that answers, and may send us to its object store once; it is not sent there.
    """

    url: str
    size_bytes: int
    token: str | None


class TransientError(Exception):
    """The fetch failed in a way that another try can mend."""


class SignedUrlRefusedError(TransientError):
    """The object store does not take the signed URL; a new one may be better, if not many are."""


class Downloader:
    """Fetches into a file; what is there already is continued."""

    def __init__(
        self,
        connect: Callable[[str], httpx.AsyncClient],
        tuning: Tuning,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        spread: Callable[[], float] = random.random,
    ) -> None:
        """Take what it needs.

        Args:
            connect: Makes a client for a URL.
            tuning: Pauses in seconds.
            sleep: Waits.
            spread: Returns 0 to 1; the pauses vary with it.
        """
        self._connect = connect
        self._tuning = tuning
        self._sleep = sleep
        self._spread = spread

    async def pull(self, source: Source, target: Path, control: Control) -> None:
        """Fetch until ``target`` has all bytes. Their digest is not checked here.

        Raises:
            Rejected: the host refuses, sends something else, or stays away until the deadline.
            Expired, Aborted: as :meth:`Control.check` says.
        """
        failures = 0
        while True:
            control.check()
            had = _size(target)
            try:
                await self._fetch(source, target, control)
            except TransientError as error:
                failures = 1 if _size(target) > had else failures + 1
                if isinstance(error, SignedUrlRefusedError) and failures > NEW_URLS:
                    raise Rejected(str(error)) from error
                pause = self._pause(failures)
                control.problem = str(error)
                log.info("fetch failed (%s), next try in %.1f s", error, pause)
                if pause >= control.seconds_left():
                    raise Rejected(_gave_up(source, target, error)) from error
                await self._sleep(pause)
            else:
                control.problem = None
                return

    def _pause(self, failures: int) -> float:
        longest = min(
            self._tuning.retry_first * 2.0 ** min(failures - 1, 16), self._tuning.retry_most
        )
        return longest * (0.5 + self._spread() / 2)

    async def _fetch(self, source: Source, target: Path, control: Control) -> None:
        import httpx  # noqa: PLC0415 - a tenth of a second that the start-up need not wait for

        try:
            async with self._connect(source.url) as client:
                await self._transfer(client, source, target, control)
        except httpx.InvalidURL as error:
            raise Rejected(f"the order's url is not one: {error}") from error
        except httpx.TimeoutException as error:
            raise TransientError(f"{_host(source)} did not answer in time") from error
        except httpx.HTTPError as error:
            raise TransientError(
                f"{_host(source)}: {str(error) or type(error).__name__}"
            ) from error
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                _discard(target)
            raise Rejected(
                f"the bundle cannot be stored on this server: {describe_os_error(error)}"
            ) from error

    async def _transfer(
        self, client: httpx.AsyncClient, source: Source, target: Path, control: Control
    ) -> None:
        start = _have(target, source)
        if start == source.size_bytes:
            return
        headers = {"Accept-Encoding": "identity"}
        if source.token is not None:
            headers["Authorization"] = f"Bearer {source.token}"
        if start:
            headers["Range"] = f"bytes={start}-"
        async with client.stream("GET", source.url, headers=headers) as response:
            if source.token is None or response.status_code != TEMPORARY_REDIRECT:
                await _receive(response, source, target, start, control)
                return
            elsewhere = signed_url(source.url, response.headers.get("location", ""))
        # Not sent there: the token, and whatever the control plane may have set.
        del headers["Authorization"]
        store = Source(elsewhere, source.size_bytes, None)
        async with (
            self._connect(store.url) as other,
            other.stream("GET", store.url, headers=headers) as response,
        ):
            if response.status_code in REFUSED:
                raise SignedUrlRefusedError(
                    f"{_host(store)} refuses the signed URL with status {response.status_code}"
                )
            await _receive(response, store, target, start, control)


async def _receive(
    response: httpx.Response, source: Source, target: Path, start: int, control: Control
) -> None:
    start = _accept(response, source, target, start)
    with _open_at(target, start) as out:
        await _copy(response, out, source, control)
    sync_folder(target.parent)


def _discard(target: Path) -> None:
    target.unlink(missing_ok=True)


def _have(target: Path, source: Source) -> int:
    """Return how many bytes can be built upon; a file that is too long is no good."""
    if _size(target) > source.size_bytes:
        target.unlink()
    return _size(target)


def _open_at(target: Path, start: int) -> BinaryIO:
    out = target.open("r+b" if start else "wb")
    out.seek(start)
    out.truncate()
    return out


async def _copy(response: httpx.Response, out: BinaryIO, source: Source, control: Control) -> None:
    have = out.tell()
    try:
        async for chunk in response.aiter_raw():
            control.check()
            have += len(chunk)
            if have > source.size_bytes:
                raise Rejected(
                    f"{_host(source)} sends more than the {source.size_bytes} bytes of the bundle"
                )
            out.write(chunk)
    finally:
        out.flush()
        os.fsync(out.fileno())
    if have < source.size_bytes:
        raise TransientError(f"{_host(source)} sent {have} of {source.size_bytes} bytes")


def _accept(response: httpx.Response, source: Source, target: Path, start: int) -> int:
    """Return at which byte the answer's body starts."""
    status, host = response.status_code, _host(source)
    if status == OK:
        return 0
    if status == PARTIAL:
        match = CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if match is None or int(match[1]) != start:
            _discard(target)
            raise TransientError(f"{host} sent another range than was asked for")
        return start
    if status == RANGE_NOT_SATISFIABLE:
        _discard(target)
        raise TransientError(f"{host} does not have the bytes from {start} on; starting over")
    if status in RETRIED or status >= SERVER_ERROR:
        raise TransientError(f"{host} answered {status}")
    raise Rejected(f"{host} refuses the bundle with status {status}")


def same_origin(url: str, other: str) -> bool:
    """Return whether two URLs have the same scheme, host and port."""
    one, two = urlsplit(url), urlsplit(other)
    return (one.scheme, one.netloc.lower()) == (two.scheme, two.netloc.lower())


def _gave_up(source: Source, target: Path, error: TransientError) -> str:
    return (
        f"the bundle could not be fetched before the order's deadline: {error} "
        f"({_size(target)} of {source.size_bytes} bytes are here)"
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _host(source: Source) -> str:
    return urlsplit(source.url).netloc.rpartition("@")[2] or "the bundle host"
