"""Unpacking a bundle without letting it write anywhere else or fill the disk."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from hydracore_agent.files import remove_tree, write_json
from hydracore_agent.orders.outcome import Rejected
from hydracore_agent.orders.releases import LISTING

CHUNK = 256 * 1024
MAX_NAME = 512


@dataclass(frozen=True, slots=True)
class Bounds:
    """How big an unpacked bundle may be."""

    total_bytes: int = 1024 * 1024 * 1024
    file_bytes: int = 256 * 1024 * 1024
    members: int = 20_000


class _Counted(io.RawIOBase):
    """A stream that refuses to give more than it may: the cure for decompression bombs."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._stream = stream
        self._left = most

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        part = self._stream.read(CHUNK if size < 0 else size)
        self._left -= len(part)
        if self._left < 0:
            raise Rejected("the bundle unpacks to more bytes than a release may have")
        return part


def unpack(
    archive: Path,
    folder: Path,
    check: Callable[[], None],
    bounds: Bounds | None = None,
) -> None:
    """Unpack into a new folder and list what is there, with digests, in ``.installed.json``.

    The listing is written last: a folder without it is not a release.

    Raises:
        Rejected: the archive is damaged, too big, or has a member that a bundle must not have.
        OSError: the disk does not take it.
        TaskEnded: as ``check`` says, which is called for each part written.
    """
    bounds = bounds or Bounds()
    remove_tree(folder)
    folder.mkdir(mode=0o700, parents=True)
    try:
        with gzip.open(archive, "rb") as plain:
            counted = _Counted(plain, bounds.total_bytes)  # type: ignore[arg-type]
            with tarfile.open(fileobj=counted, mode="r|", errorlevel=2) as tar:
                listing = _unpack_members(tar, folder, check, bounds)
        write_json(folder / LISTING, {"files": listing})
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeError) as error:
        remove_tree(folder)
        raise Rejected(f"the bundle is not a sound gzip tar archive: {error}") from error
    except BaseException:
        remove_tree(folder)
        raise


def _unpack_members(
    tar: tarfile.TarFile, folder: Path, check: Callable[[], None], bounds: Bounds
) -> dict[str, str]:
    listing: dict[str, str] = {}
    for count, member in enumerate(tar):
        check()
        if count >= bounds.members:
            raise Rejected(f"the bundle has more than {bounds.members} members")
        path = _safe_path(member)
        target = folder / path
        if member.isdir():
            target.mkdir(mode=0o755, parents=True, exist_ok=True)
            continue
        if str(path) in listing or target.is_dir():
            raise Rejected(f"the bundle has two members named {str(path)!r}")
        if member.size > bounds.file_bytes:
            raise Rejected(f"{str(path)!r} in the bundle has {member.size} bytes: too many")
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        listing[str(path)] = _write(tar, member, target, check)
    return listing


def _safe_path(member: tarfile.TarInfo) -> PurePosixPath:
    name = member.name
    path = PurePosixPath(name)
    if (
        not path.parts
        or path.is_absolute()
        or ".." in path.parts
        or len(name) > MAX_NAME
        or not name.isprintable()
        or path.parts[0] == LISTING
    ):
        raise Rejected(f"the bundle has a member with a forbidden name: {name[:100]!r}")
    if not (member.isreg() or member.isdir()):
        raise Rejected(f"{name[:100]!r} in the bundle is neither a file nor a folder")
    return path


def _write(
    tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, check: Callable[[], None]
) -> str:
    source = tar.extractfile(member)
    if source is None:
        raise Rejected(f"{member.name[:100]!r} in the bundle has no content")
    digest = hashlib.sha256()
    with target.open("xb") as out:
        while part := source.read(CHUNK):
            check()
            digest.update(part)
            out.write(part)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)
    return digest.hexdigest()
